// write_seeds FOLDER: one seed of every kind of binary input into FOLDER/TARGET/. Made by the
// encoders of today, so that they never go stale; what people can write is in tests/data/fuzz.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/base64.h"
#include "consistency/key_context.h"
#include "consistency/merge/conflict.h"
#include "consistency/merge/crdt.h"
#include "consistency/session_token.h"
#include "node/operation_codec.h"
#include "replication/codec.h"
#include "replication/command.h"
#include "replication/frame.h"
#include "replication/hello.h"
#include "replication/quorum/merkle_tree.h"
#include "storage/causal_codec.h"
#include "storage/history_log.h"
#include "storage/key_state_codec.h"
#include "storage/log_segment.h"
#include "storage/records.h"

namespace parallax::fuzz {
namespace {

const Stamp kStamp{Hlc{1'700'000'000'000u << 16}, NodeId{1}};

/// Seeds of one target, numbered.
class Seeds {
 public:
  explicit Seeds(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::filesystem::create_directories(folder_);
  }
  void add(std::string_view head, std::string_view bytes) {
    const std::string name = fmt::format("seed-{:02}", ++count_);
    std::ofstream(folder_ / name, std::ios::binary) << head << bytes;
  }

 private:
  std::filesystem::path folder_;
  int count_ = 0;
};

SessionToken a_session() {
  SessionToken token{.cluster = {1, 2}, .clock = kStamp.hlc, .index = LogIndex{300}};
  token.read.advance({NodeId{1}, Incarnation{1}}, 1'000);
  token.read.advance({NodeId{2}, Incarnation{3}}, 7);
  token.write.advance({NodeId{1}, Incarnation{1}}, 999);
  return token;
}

VersionVector a_context() {
  VersionVector context;
  context.advance(kLogActor, kStamp.hlc);
  context.advance({ActorPath::causal, NodeId{2}, Incarnation{1}}, Hlc{9});
  return context;
}

KeyState a_key_state() {
  KeyState state;
  state.add({.stamp = kStamp,
             .actor = kLogActor,
             .context = {},
             .value = "value",
             .content_type = "text/plain",
             .expires_at = UnixMillis{5},
             .log_index = LogIndex{3}});
  state.add({.stamp = {Hlc{5}, NodeId{2}},
             .actor = {ActorPath::quorum, NodeId{2}, Incarnation{1}},
             .context = {},
             .tombstone = true});
  return state;
}

CausalOperation a_causal_operation() {
  CausalOperation operation{.number = 7, .key = "k"};
  operation.version = {.stamp = kStamp,
                       .actor = {ActorPath::causal, NodeId{1}, Incarnation{1}},
                       .context = {},
                       .value = "value",
                       .content_type = "text/plain",
                       .expires_at = UnixMillis{5}};
  operation.version.context.advance({ActorPath::causal, NodeId{2}, Incarnation{1}}, Hlc{9});
  operation.dependencies.advance({NodeId{2}, Incarnation{1}}, 3);
  return operation;
}

std::string_view body_of(const std::string& sealed) {
  return std::string_view(sealed).substr(0, sealed.size() - 4);
}

void write_tokens(Seeds seeds) {
  for (const SessionToken& token : {SessionToken{}, a_session()}) {
    seeds.add("s", token.encode());
    seeds.add("S", body_of(*decode_base64url(token.encode())));
  }
  for (const VersionVector& context : {VersionVector{}, a_context()}) {
    const std::string text = encode_key_context("key", context);
    seeds.add("ckey\n", text);
    seeds.add("Ckey\n", body_of(*decode_base64url(text)));
  }
  seeds.add("b", "Zm9vYmE=");
}

void write_merge(Seeds seeds) {
  seeds.add("j", R"({"a":{"b":[1,{"c":null}],"d":{}},"e":"\u0000","a":1.5e3})");
  const Actor actor{ActorPath::quorum, NodeId{2}, Incarnation{1}};
  const Stamp early{Hlc{kStamp.hlc.value - 9}, NodeId{2}};
  const DottedEntries entries{{kLogActor, kStamp, std::string("a\0\1", 3), "7"},
                              {actor, early, std::string("b\0\1", 3), "8"}};
  const Bytes payload = encode_entries(entries);
  seeds.add("d", payload.view());
  for (const std::string_view type :
       {kDocumentContentType, crdt_content_type(CrdtType::counter),
        crdt_content_type(CrdtType::set), crdt_content_type(CrdtType::map)}) {
    KeyState state;
    state.add({.stamp = kStamp,
               .actor = kLogActor,
               .context = VersionVector({{actor, early.hlc}}),
               .value = payload,
               .content_type = std::string(type)});
    state.add({.stamp = {kStamp.hlc, NodeId{3}},
               .actor = {ActorPath::causal, NodeId{3}, Incarnation{1}},
               .value = "{\"a\":{\"x\":1}}"});
    std::string bytes;
    encode_key_state(state, bytes);
    seeds.add("s", bytes);
  }
}

void write_forwarded(Seeds seeds) {
  const Policy policy{.default_consistency = Consistency{Level::prefix}, .mixing = Mixing::deny};
  const std::vector<Operation> operations{
      Put{.key = "k", .value = "v", .content_type = "t", .ttl = std::chrono::milliseconds{60'000}},
      Get{.key = "k", .siblings = true},
      Delete{"k"},
      Increment{.key = "k", .by = -1},
      Scan{.start = "a", .end = "b", .reverse = true, .keys_only = true},
      GetMany{{"a", "b"}},
      ReadHistory{.key = "k", .from = UnixMillis{1}},
      GetPolicy{"p"},
      ListPolicies{},
      SetPolicy{"p", policy}};
  for (const Operation& operation : operations) {
    seeds.add("q", encode_request({.operation = operation, .session = a_session()}).view());
  }
  seeds.add("q", encode_request({.operation = Delete{"k"},
                                 .conditions = {.if_match = EtagSet{.stamps = {kStamp}},
                                                .if_none_match = EtagSet{.any = true}},
                                 .idempotency_key = "once",
                                 .context = a_context()})
                     .view());
  seeds.add("q", encode_request({.operation = Put{.key = "k", .value = "v"},
                                 .consistency = {Level::quorum, 1, Consistency::kAll, true, true}})
                     .view());
  seeds.add("r", encode_reply(Error{.code = ErrorCode::not_enough_replicas,
                                    .certainty = Certainty::indefinite,
                                    .required = 2,
                                    .received = 1})
                     .view());
  Answer few{.consistency = {.level = Level::quorum, .r = 2, .w = 2}, .stamp = kStamp};
  few.evidence.path = Path::quorum;
  seeds.add("r", encode_reply(few).view());
  seeds.add("r", encode_reply(Error{.code = ErrorCode::not_leader, .leader = NodeId{2}}).view());
  Answer answer{.stamp = kStamp, .found = true, .value = "v", .content_type = "t"};
  answer.evidence.replicas = {NodeId{1}, NodeId{2}};
  answer.context = a_context();
  answer.session = a_session();
  answer.number = 7;
  seeds.add("r", encode_reply(answer).view());
  seeds.add("r", encode_reply(Answer{.refusal = definite(ErrorCode::not_a_number, "text"),
                                     .replayed = true,
                                     .items = {Item{.key = "k", .stamp = kStamp, .value = "v"}},
                                     .missing = {"m"},
                                     .next = "n",
                                     .versions = {PastValue{.stamp = kStamp, .tombstone = true}},
                                     .history_floor = UnixMillis{1},
                                     .policies = {{"p", policy}}})
                     .view());
  const std::vector<Command> commands{
      NoOp{},
      InitCluster{{1, 2}},
      WriteKey{.key = "k",
               .state = a_key_state(),
               .idempotency = IdempotencyRow{"once", {.at = kStamp.hlc, .fingerprint = 1}}},
      EndRecovery{NodeId{1}, Incarnation{2}},
      WritePolicy{"p", {.log_index = {}, .mixing = "deny", .conflict = "last-writer"}},
      RemoveTombstones{{}, kStamp.hlc}};
  for (const Command& command : commands) seeds.add("c", encode_command(command).view());
}

void write_peer(Seeds seeds) {
  const Term term{3};
  const QuorumCall call{.life = 1, .id = RequestId{1}};
  const std::vector<Message> messages{
      VoteRequest{.term = term, .last_index = LogIndex{5}, .last_term = Term{2}},
      VoteReply{.term = term, .granted = true},
      AppendEntries{.term = term,
                    .prev_index = LogIndex{4},
                    .prev_term = Term{2},
                    .commit = LogIndex{4},
                    .entries = {{Term{3}, LogIndex{5}, encode_command(NoOp{})}}},
      AppendReply{.term = term, .accepted = true, .match = LogIndex{5}},
      Heartbeat{.term = term, .round = RoundId{9}, .commit = LogIndex{4}},
      HeartbeatReply{.term = term, .round = RoundId{9}},
      TimeoutNow{term},
      SnapshotChunk{.term = term,
                    .transfer = 1,
                    .index = LogIndex{5},
                    .index_term = Term{3},
                    .records = {{"key", "value"}}},
      SnapshotReply{.term = term, .transfer = 1, .received = 1},
      Probe{.life = 1},
      ProbeReply{.membership = Membership::member, .term = term, .life = 1},
      Forward{.id = RequestId{1},
              .term = term,
              .remaining = std::chrono::seconds{1},
              .request = encode_request({.operation = Get{"k"}})},
      ForwardReply{.id = RequestId{1}, .reply = encode_reply(Answer{})},
      QuorumQuery{.call = call, .key = "k", .majority = true, .remaining = std::chrono::seconds{1}},
      QuorumQueryReply{.call = call, .state = a_key_state()},
      QuorumStore{.call = call, .key = "k", .state = a_key_state(), .hint_for = NodeId{3}},
      QuorumStoreReply{.call = call, .stored = true},
      MerkleQuery{.call = call, .level = 1, .nodes = {2, 3}},
      MerkleDigests{.call = call, .nodes = {0}, .digests = std::vector<std::uint64_t>(16, 7)},
      MerkleKeysQuery{.call = call, .leaf = 5, .after = "k"},
      MerkleKeys{.call = call, .leaf = MerkleTree::leaf_of("k"), .keys = {{"k", 7}}},
      CausalOperations{{a_causal_operation()}},
      CausalFetch{.call = call, .origin = {NodeId{1}, Incarnation{1}}, .after = 6},
      CausalFetched{.call = call, .trimmed = false, .operations = {a_causal_operation()}},
      CausalStatus{.applied = a_session().read, .heard = {{NodeId{2}, Incarnation{1}}}},
      CausalTransferQuery{.call = call, .after = "k"},
      CausalTransferPage{.call = call,
                         .applied = a_session().read,
                         .stamps = {},
                         .ceiling = a_session().read,
                         .states = {{"k", a_key_state()}},
                         .complete = true},
      IndexQuery{.call = call},
      IndexReply{.call = call, .confirmed = true, .index = LogIndex{5}}};
  std::string stream;
  for (const Message& message : messages) {
    std::string payload;
    encode_envelope({.from = NodeId{1},
                     .to = NodeId{2},
                     .incarnation = Incarnation{1},
                     .clock = kStamp.hlc,
                     .physical = {},
                     .message = message},
                    payload);
    append_frame(stream, payload);
    seeds.add(std::string_view("e\0", 2), payload);
  }
  seeds.add("s\x07", stream);
  const std::string hello = encode_hello({.cluster = {1, 2},
                                          .node = NodeId{1},
                                          .incarnation = Incarnation{1},
                                          .client_address = "a:1"});
  seeds.add("f\x03", hello);
  seeds.add(std::string_view("h\0", 2), hello);
}

template <class Record>
void add_record(Seeds& seeds, std::string_view kind, const std::string& key, const Record& record) {
  const Bytes bytes = records::encode(key, record);
  seeds.add(kind, bytes.slice(1, bytes.size() - 5).view());
}

void write_records(Seeds seeds) {
  const GroupId group = kOnlyGroup;
  const Bytes node = records::encode(
      records::node_key(),
      NodeRecord{.node = NodeId{1}, .cluster = {1, 2}, .membership = Membership::member});
  seeds.add("n", node.view());
  add_record(seeds, "N", records::node_key(), NodeRecord{.node = NodeId{1}});
  add_record(seeds, "B", records::clock_bound_key(), kStamp.hlc);
  add_record(seeds, "H", records::hard_state_key(group), HardState{Term{3}, NodeId{1}});
  add_record(seeds, "L", records::log_start_key(group), LogStart{LogIndex{3}, Term{2}});
  add_record(
      seeds, "A", records::applied_key(group),
      AppliedRecord{
          .index = LogIndex{5}, .term = Term{3}, .incarnations = {{NodeId{1}, Incarnation{2}}}});
  add_record(seeds, "E", records::log_segment_key(group, LogIndex{1}),
             LogSegment{LogIndex{1}, {{Term{3}, LogIndex{1}, "payload"}}});
  add_record(seeds, "K", records::key_state_key(group, "key"), a_key_state());
  add_record(seeds, "P", records::policy_key(group, "key"),
             PolicyRecord{.log_index = LogIndex{1}, .mixing = "deny", .conflict = "last-writer"});
  add_record(seeds, "Q", records::hint_key(group, NodeId{1}, "key"), HintRecord{UnixMillis{7}});
  add_record(seeds, "C", records::causal_key(group),
             CausalRecord{.applied = a_session().read,
                          .log_starts = a_session().write,
                          .stamps = {},
                          .ceiling = {},
                          .heard = {{NodeId{1}, Incarnation{2}}}});
  add_record(seeds, "S", records::states_key(group), StatesRecord{LogIndex{4}, a_session().write});
  add_record(seeds, "O", records::causal_segment_key(group, {NodeId{1}, Incarnation{1}}, 7),
             CausalSegment{{a_causal_operation()}});
  add_record(
      seeds, "I", records::idempotency_key(group, "key"),
      IdempotencyRecord{.at = kStamp.hlc, .index = LogIndex{1}, .stamp = kStamp, .number = 4});
  add_record(seeds, "R", records::history_key(group, {Hlc{1}, NodeId{1}}, "key"),
             HistoryRecord{a_key_state().versions()});
  add_record(seeds, "T", records::history_segment_key(group, kStamp),
             HistorySegment{{{kStamp, "key", a_key_state().versions()}}});
  std::string state;
  encode_key_state(a_key_state(), state);
  seeds.add("s", state);
}

}  // namespace
}  // namespace parallax::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  using parallax::fuzz::Seeds;
  parallax::fuzz::write_forwarded(Seeds(folder / "forwarded"));
  parallax::fuzz::write_merge(Seeds(folder / "merge"));
  parallax::fuzz::write_peer(Seeds(folder / "peer"));
  parallax::fuzz::write_records(Seeds(folder / "records"));
  parallax::fuzz::write_tokens(Seeds(folder / "tokens"));
  return 0;
}

// Most kinds go through the generated types. The two that carry bulk (AppendEntries, SnapshotChunk)
// have their repeated part written and read by hand: a message is the concatenation of its fields,
// so it can be put behind a head that the generated type wrote, and cut out before it reads.
#include "replication/codec.h"

#include <algorithm>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "base/assert.h"
#include "base/limits.h"
#include "replication/causal/codec.h"
#include "replication/leader_follower/codec.h"
#include "replication/message.pb.h"
#include "replication/message_check.h"
#include "replication/quorum/codec.h"

namespace parallax {
namespace {

using google::protobuf::MessageLite;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr std::uint32_t varint_tag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT);
}
constexpr std::uint32_t bytes_tag(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

/// More records than that are no chunk: each has a key of a byte or more, and its framing.
constexpr std::size_t kMaxChunkRecords = limits::kSnapshotChunkBytes / 4;

Error corrupt(std::string_view what) {
  return definite(ErrorCode::corrupt, fmt::format("a peer's message is corrupt: {}", what));
}

// --- Encoding ---------------------------------------------------------------------------------

std::size_t varint_field_size(int field, std::uint64_t value) {
  if (value == 0) return 0;
  return CodedOutputStream::VarintSize32(varint_tag(field)) +
         CodedOutputStream::VarintSize64(value);
}

std::size_t bytes_field_size(int field, std::size_t size) {
  return CodedOutputStream::VarintSize32(bytes_tag(field)) + CodedOutputStream::VarintSize64(size) +
         size;
}

std::uint8_t* write_varint(int field, std::uint64_t value, std::uint8_t* at) {
  if (value == 0) return at;
  at = CodedOutputStream::WriteVarint32ToArray(varint_tag(field), at);
  return CodedOutputStream::WriteVarint64ToArray(value, at);
}

/// Tag and length; the `size` bytes follow.
std::uint8_t* begin_bytes(int field, std::size_t size, std::uint8_t* at) {
  at = CodedOutputStream::WriteVarint32ToArray(bytes_tag(field), at);
  return CodedOutputStream::WriteVarint64ToArray(size, at);
}

std::uint8_t* write_bytes(int field, std::string_view bytes, std::uint8_t* at) {
  at = begin_bytes(field, bytes.size(), at);
  return std::copy(bytes.begin(), bytes.end(), at);
}

/// One element of the repeated part, without its tag and length.
std::size_t item_size(const LogEntry& entry) {
  return varint_field_size(wire::LogEntry::kTermFieldNumber, entry.term.value) +
         varint_field_size(wire::LogEntry::kIndexFieldNumber, entry.index.value) +
         bytes_field_size(wire::LogEntry::kPayloadFieldNumber, entry.payload.size());
}

std::uint8_t* write_item(const LogEntry& entry, std::uint8_t* at) {
  at = write_varint(wire::LogEntry::kTermFieldNumber, entry.term.value, at);
  at = write_varint(wire::LogEntry::kIndexFieldNumber, entry.index.value, at);
  return write_bytes(wire::LogEntry::kPayloadFieldNumber, entry.payload.view(), at);
}

std::size_t item_size(const SnapshotChunk::Record& record) {
  return bytes_field_size(wire::SnapshotChunk::Record::kKeyFieldNumber, record.key.size()) +
         bytes_field_size(wire::SnapshotChunk::Record::kValueFieldNumber, record.value.size());
}

std::uint8_t* write_item(const SnapshotChunk::Record& record, std::uint8_t* at) {
  at = write_bytes(wire::SnapshotChunk::Record::kKeyFieldNumber, record.key, at);
  return write_bytes(wire::SnapshotChunk::Record::kValueFieldNumber, record.value.view(), at);
}

std::uint8_t* append_room(std::string& out, std::size_t size) {
  PARALLAX_ASSERT(size <= limits::kMaxFrameBytes, "a message of {} bytes", size);
  const std::size_t before = out.size();
  out.resize(before + size);
  return reinterpret_cast<std::uint8_t*>(out.data() + before);
}

/// `envelope` without its message, then as `message_field` the `head` with `items` behind it.
template <class Item>
void append_bulk(const MessageLite& envelope, int message_field, const MessageLite& head,
                 int items_field, const std::vector<Item>& items, std::string& out) {
  const std::size_t head_size = head.ByteSizeLong();
  std::size_t body_size = head_size;
  for (const Item& item : items) body_size += bytes_field_size(items_field, item_size(item));
  const std::size_t envelope_size = envelope.ByteSizeLong();
  std::uint8_t* at = append_room(out, envelope_size + bytes_field_size(message_field, body_size));
  at = envelope.SerializeWithCachedSizesToArray(at);
  at = begin_bytes(message_field, body_size, at);
  at = head.SerializeWithCachedSizesToArray(at);
  for (const Item& item : items) {
    at = begin_bytes(items_field, item_size(item), at);
    at = write_item(item, at);
  }
}

void fill(wire::VoteRequest& out, const VoteRequest& m) {
  out.set_term(m.term.value);
  out.set_last_index(m.last_index.value);
  out.set_last_term(m.last_term.value);
  out.set_pre_vote(m.pre_vote);
  out.set_transfer(m.transfer);
}

void fill(wire::VoteReply& out, const VoteReply& m) {
  out.set_term(m.term.value);
  out.set_granted(m.granted);
  out.set_pre_vote(m.pre_vote);
}

void fill(wire::AppendReply& out, const AppendReply& m) {
  out.set_term(m.term.value);
  out.set_accepted(m.accepted);
  out.set_match(m.match.value);
  out.set_rejected_prev(m.rejected_prev.value);
  out.set_hint_index(m.hint_index.value);
  out.set_hint_term(m.hint_term.value);
}

void fill(wire::FreshnessMark& out, const FreshnessMark& mark) {
  out.set_life(mark.life);
  out.set_at_ns(mark.at.time_since_epoch().count());
}

void fill(wire::Heartbeat& out, const Heartbeat& m) {
  out.set_term(m.term.value);
  out.set_round(m.round.value);
  out.set_commit(m.commit.value);
  if (m.mark != FreshnessMark{}) fill(*out.mutable_mark(), m.mark);
  out.set_mark_commit(m.mark_commit.value);
  out.set_receiver(m.receiver.value);
}

void fill(wire::HeartbeatReply& out, const HeartbeatReply& m) {
  out.set_term(m.term.value);
  out.set_round(m.round.value);
  if (m.mark != FreshnessMark{}) fill(*out.mutable_mark(), m.mark);
  out.set_recovery_ready(m.recovery_ready);
  out.set_applied(m.applied.value);
  out.set_hold_ns(m.hold.count());
}

void fill(wire::SnapshotReply& out, const SnapshotReply& m) {
  out.set_term(m.term.value);
  out.set_transfer(m.transfer);
  out.set_received(m.received);
  out.set_done(m.done);
}

void fill(wire::ProbeReply& out, const ProbeReply& m) {
  out.set_membership(static_cast<std::uint32_t>(m.membership));
  out.set_term(m.term.value);
  out.set_has_log(m.has_log);
  out.set_has_versions(m.has_versions);
  out.set_applied_first(m.applied_first);
  out.set_heard_of_receiver(m.heard_of_receiver.value);
  out.set_life(m.life);
}

/// Encodes one kind behind an envelope that is filled but for it.
struct Encode {
  wire::Envelope& envelope;
  std::string& out;

  void finish() const {
    std::uint8_t* at = append_room(out, envelope.ByteSizeLong());
    envelope.SerializeWithCachedSizesToArray(at);
  }

  void operator()(const VoteRequest& m) const {
    fill(*envelope.mutable_vote_request(), m);
    finish();
  }
  void operator()(const VoteReply& m) const {
    fill(*envelope.mutable_vote_reply(), m);
    finish();
  }
  void operator()(const AppendEntries& m) const {
    wire::AppendEntries head;
    head.set_term(m.term.value);
    head.set_prev_index(m.prev_index.value);
    head.set_prev_term(m.prev_term.value);
    head.set_commit(m.commit.value);
    append_bulk(envelope, wire::Envelope::kAppendEntriesFieldNumber, head,
                wire::AppendEntries::kEntriesFieldNumber, m.entries, out);
  }
  void operator()(const AppendReply& m) const {
    fill(*envelope.mutable_append_reply(), m);
    finish();
  }
  void operator()(const Heartbeat& m) const {
    fill(*envelope.mutable_heartbeat(), m);
    finish();
  }
  void operator()(const HeartbeatReply& m) const {
    fill(*envelope.mutable_heartbeat_reply(), m);
    finish();
  }
  void operator()(const TimeoutNow& m) const {
    envelope.mutable_timeout_now()->set_term(m.term.value);
    finish();
  }
  void operator()(const SnapshotChunk& m) const {
    wire::SnapshotChunk head;
    head.set_term(m.term.value);
    head.set_transfer(m.transfer);
    head.set_sequence(m.sequence);
    head.set_last(m.last);
    head.set_index(m.index.value);
    head.set_index_term(m.index_term.value);
    append_bulk(envelope, wire::Envelope::kSnapshotChunkFieldNumber, head,
                wire::SnapshotChunk::kRecordsFieldNumber, m.records, out);
  }
  void operator()(const SnapshotReply& m) const {
    fill(*envelope.mutable_snapshot_reply(), m);
    finish();
  }
  void operator()(const Probe& m) const {
    envelope.mutable_probe()->set_life(m.life);
    finish();
  }
  void operator()(const ProbeReply& m) const {
    fill(*envelope.mutable_probe_reply(), m);
    finish();
  }
  void operator()(const Forward& m) const {
    wire::Forward& forward = *envelope.mutable_forward();
    forward.set_id(m.id.value);
    forward.set_term(m.term.value);
    forward.set_remaining_ns(m.remaining.count());
    forward.set_life(m.life);
    forward.set_request(m.request.view().data(), m.request.size());
    finish();
  }
  void operator()(const ForwardReply& m) const {
    wire::ForwardReply& reply = *envelope.mutable_forward_reply();
    reply.set_id(m.id.value);
    reply.set_reply(m.reply.view().data(), m.reply.size());
    finish();
  }
  template <class M>
  void operator()(const M& m) const {
    if constexpr (requires { fill_quorum(envelope, m); }) {
      fill_quorum(envelope, m);
    } else if constexpr (requires { fill_index(envelope, m); }) {
      fill_index(envelope, m);
    } else {
      fill_causal(envelope, m);
    }
    finish();
  }
};

// --- Decoding ---------------------------------------------------------------------------------

CodedInputStream input(std::string_view bytes) {
  return CodedInputStream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                          static_cast<int>(bytes.size()));
}

bool merge(std::string_view bytes, MessageLite& message) {
  if (bytes.empty()) return true;
  CodedInputStream in = input(bytes);
  return message.MergeFromCodedStream(&in);
}

/// The body of a length-delimited field whose tag was just read from `in`, a stream over `bytes`.
bool read_bytes(CodedInputStream& in, std::string_view bytes, std::string_view& body) {
  int size = 0;
  if (!in.ReadVarintSizeAsInt(&size)) return false;
  body =
      bytes.substr(static_cast<std::size_t>(in.CurrentPosition()), static_cast<std::size_t>(size));
  return in.Skip(size);  // false where `bytes` end before the body does
}

/// Merges `bytes` into `rest`, except for the length-delimited fields for which `claim(field)`
/// holds: their bodies go to `take(field, body)`. False: it does not follow the schema, or take()
/// said so.
template <class Claim, class Take>
bool split(std::string_view bytes, MessageLite& rest, Claim claim, Take take) {
  CodedInputStream in = input(bytes);
  std::size_t merged = 0;
  while (true) {
    const auto at = static_cast<std::size_t>(in.CurrentPosition());
    if (at == bytes.size()) return merge(bytes.substr(merged), rest);
    const std::uint32_t tag = in.ReadTagNoLastTag();
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    if (tag == bytes_tag(field) && claim(field)) {
      std::string_view body;
      if (!merge(bytes.substr(merged, at - merged), rest)) return false;
      if (!read_bytes(in, bytes, body) || !take(field, body)) return false;
      merged = static_cast<std::size_t>(in.CurrentPosition());
    } else if (!WireFormatLite::SkipField(&in, tag)) {
      return false;
    }
  }
}

/// Shares the buffer of `frame`, of which `part` is a part.
Bytes share(const Bytes& frame, std::string_view part) {
  return part.empty() ? Bytes{}
                      : frame.slice(static_cast<std::size_t>(part.data() - frame.view().data()),
                                    part.size());
}

bool read_item(const Bytes& frame, std::string_view bytes, LogEntry& entry) {
  CodedInputStream in = input(bytes);
  while (static_cast<std::size_t>(in.CurrentPosition()) < bytes.size()) {
    const std::uint32_t tag = in.ReadTagNoLastTag();
    if (tag == varint_tag(wire::LogEntry::kTermFieldNumber)) {
      if (!in.ReadVarint64(&entry.term.value)) return false;
    } else if (tag == varint_tag(wire::LogEntry::kIndexFieldNumber)) {
      if (!in.ReadVarint64(&entry.index.value)) return false;
    } else if (tag == bytes_tag(wire::LogEntry::kPayloadFieldNumber)) {
      std::string_view payload;
      if (!read_bytes(in, bytes, payload)) return false;
      entry.payload = share(frame, payload);
    } else if (!WireFormatLite::SkipField(&in, tag)) {
      return false;
    }
  }
  return true;
}

bool read_item(const Bytes& frame, std::string_view bytes, SnapshotChunk::Record& record) {
  CodedInputStream in = input(bytes);
  while (static_cast<std::size_t>(in.CurrentPosition()) < bytes.size()) {
    const std::uint32_t tag = in.ReadTagNoLastTag();
    std::string_view body;
    if (tag == bytes_tag(wire::SnapshotChunk::Record::kKeyFieldNumber)) {
      if (!read_bytes(in, bytes, body)) return false;
      record.key = body;
    } else if (tag == bytes_tag(wire::SnapshotChunk::Record::kValueFieldNumber)) {
      if (!read_bytes(in, bytes, body)) return false;
      record.value = share(frame, body);
    } else if (!WireFormatLite::SkipField(&in, tag)) {
      return false;
    }
  }
  return true;
}

/// The inverse of append_bulk() for the body: `head`, and the items behind it.
template <class Item>
bool read_bulk(const Bytes& frame, std::string_view body, MessageLite& head, int items_field,
               std::size_t at_most, std::vector<Item>& items) {
  return split(
      body, head, [&](int field) { return field == items_field; },
      [&](int, std::string_view item) {
        return items.size() < at_most && read_item(frame, item, items.emplace_back());
      });
}

bool read_append(const Bytes& frame, std::string_view body, AppendEntries& m) {
  wire::AppendEntries head;
  if (!read_bulk(frame, body, head, wire::AppendEntries::kEntriesFieldNumber,
                 limits::kMaxAppendEntries, m.entries)) {
    return false;
  }
  m.term = Term{head.term()};
  m.prev_index = LogIndex{head.prev_index()};
  m.prev_term = Term{head.prev_term()};
  m.commit = LogIndex{head.commit()};
  return true;
}

bool read_chunk(const Bytes& frame, std::string_view body, SnapshotChunk& m) {
  wire::SnapshotChunk head;
  if (!read_bulk(frame, body, head, wire::SnapshotChunk::kRecordsFieldNumber, kMaxChunkRecords,
                 m.records)) {
    return false;
  }
  m.term = Term{head.term()};
  m.transfer = head.transfer();
  m.sequence = head.sequence();
  m.last = head.last();
  m.index = LogIndex{head.index()};
  m.index_term = Term{head.index_term()};
  return true;
}

Message read(const wire::VoteRequest& m) {
  return VoteRequest{.term = Term{m.term()},
                     .last_index = LogIndex{m.last_index()},
                     .last_term = Term{m.last_term()},
                     .pre_vote = m.pre_vote(),
                     .transfer = m.transfer()};
}

Message read(const wire::VoteReply& m) {
  return VoteReply{.term = Term{m.term()}, .granted = m.granted(), .pre_vote = m.pre_vote()};
}

Message read(const wire::AppendReply& m) {
  return AppendReply{.term = Term{m.term()},
                     .accepted = m.accepted(),
                     .match = LogIndex{m.match()},
                     .rejected_prev = LogIndex{m.rejected_prev()},
                     .hint_index = LogIndex{m.hint_index()},
                     .hint_term = Term{m.hint_term()}};
}

FreshnessMark read(const wire::FreshnessMark& mark) {
  return FreshnessMark{.life = mark.life(), .at = MonoTime{Duration{mark.at_ns()}}};
}

Message read(const wire::Heartbeat& m) {
  return Heartbeat{.term = Term{m.term()},
                   .round = RoundId{m.round()},
                   .commit = LogIndex{m.commit()},
                   .receiver = Incarnation{m.receiver()},
                   .mark = read(m.mark()),
                   .mark_commit = LogIndex{m.mark_commit()}};
}

Message read(const wire::HeartbeatReply& m) {
  return HeartbeatReply{.term = Term{m.term()},
                        .round = RoundId{m.round()},
                        .mark = read(m.mark()),
                        .recovery_ready = m.recovery_ready(),
                        .applied = LogIndex{m.applied()},
                        .hold = Duration{m.hold_ns()}};
}

Message read(const wire::SnapshotReply& m) {
  return SnapshotReply{
      .term = Term{m.term()}, .transfer = m.transfer(), .received = m.received(), .done = m.done()};
}

Message read(const wire::ProbeReply& m) {
  // What Membership has no room for stays recognizably wrong.
  const auto membership = static_cast<std::uint8_t>(std::min(m.membership(), 0xffu));
  return ProbeReply{.membership = static_cast<Membership>(membership),
                    .term = Term{m.term()},
                    .has_log = m.has_log(),
                    .has_versions = m.has_versions(),
                    .applied_first = m.applied_first(),
                    .heard_of_receiver = Incarnation{m.heard_of_receiver()},
                    .life = m.life()};
}

Bytes take_bytes(std::string* field) {
  return field->empty() ? Bytes{} : Bytes{std::move(*field)};
}

/// The message of any kind but the two that carry bulk.
Result<Message> read_message(wire::Envelope& in) {
  switch (in.message_case()) {
    case wire::Envelope::kVoteRequest:
      return read(in.vote_request());
    case wire::Envelope::kVoteReply:
      return read(in.vote_reply());
    case wire::Envelope::kAppendReply:
      return read(in.append_reply());
    case wire::Envelope::kHeartbeat:
      return read(in.heartbeat());
    case wire::Envelope::kHeartbeatReply:
      return read(in.heartbeat_reply());
    case wire::Envelope::kTimeoutNow:
      return Message{TimeoutNow{Term{in.timeout_now().term()}}};
    case wire::Envelope::kSnapshotReply:
      return read(in.snapshot_reply());
    case wire::Envelope::kProbe:
      return Message{Probe{.life = in.probe().life()}};
    case wire::Envelope::kProbeReply:
      return read(in.probe_reply());
    case wire::Envelope::kForward:
      return Message{Forward{.id = RequestId{in.forward().id()},
                             .term = Term{in.forward().term()},
                             .remaining = Duration{in.forward().remaining_ns()},
                             .request = take_bytes(in.mutable_forward()->mutable_request()),
                             .life = in.forward().life()}};
    case wire::Envelope::kForwardReply:
      return Message{
          ForwardReply{.id = RequestId{in.forward_reply().id()},
                       .reply = take_bytes(in.mutable_forward_reply()->mutable_reply())}};
    case wire::Envelope::kQuorumQuery:
    case wire::Envelope::kQuorumQueryReply:
    case wire::Envelope::kQuorumStore:
    case wire::Envelope::kQuorumStoreReply:
    case wire::Envelope::kMerkleQuery:
    case wire::Envelope::kMerkleDigests:
    case wire::Envelope::kMerkleKeysQuery:
    case wire::Envelope::kMerkleKeys: {
      auto message = read_quorum(in);
      if (!message) return corrupt(message.error().message);
      return message;
    }
    case wire::Envelope::kCausalOperations:
    case wire::Envelope::kCausalFetch:
    case wire::Envelope::kCausalFetched:
    case wire::Envelope::kCausalStatus:
    case wire::Envelope::kCausalTransferQuery:
    case wire::Envelope::kCausalTransferPage: {
      auto message = read_causal(in);
      if (!message) return corrupt(message.error().message);
      return message;
    }
    case wire::Envelope::kIndexQuery:
    case wire::Envelope::kIndexReply:
      return read_index(in);
    case wire::Envelope::kAppendEntries:
    case wire::Envelope::kSnapshotChunk:
      break;  // split() leaves them out
    case wire::Envelope::MESSAGE_NOT_SET:
      return corrupt("message: of no kind that is known here");
  }
  PARALLAX_UNREACHABLE("message case {}", static_cast<int>(in.message_case()));
}

}  // namespace

void encode_envelope(const Envelope& envelope, std::string& out) {
  wire::Envelope encoded;
  encoded.set_from(envelope.from.value);
  encoded.set_to(envelope.to.value);
  encoded.set_group(envelope.group.value);
  encoded.set_incarnation(envelope.incarnation.value);
  encoded.set_recovering(envelope.recovering);
  encoded.set_clock(envelope.clock.value);
  wire::ClockSample& physical = *encoded.mutable_physical();
  physical.set_sent_ms(envelope.physical.sent.value);
  physical.set_echo_sent_ms(envelope.physical.echo_sent.value);
  physical.set_echo_received_ms(envelope.physical.echo_received.value);
  std::visit(Encode{encoded, out}, envelope.message);
}

Result<Envelope> decode_envelope(const Bytes& frame) {
  if (frame.size() > limits::kMaxFrameBytes) {
    return corrupt(
        fmt::format("{} bytes, at most {} expected", frame.size(), limits::kMaxFrameBytes));
  }
  wire::Envelope in;
  std::optional<Message> bulk;
  const bool follows_schema = split(
      frame.view(), in,
      [](int field) {
        return field == wire::Envelope::kAppendEntriesFieldNumber ||
               field == wire::Envelope::kSnapshotChunkFieldNumber;
      },
      [&](int field, std::string_view body) {
        if (bulk) return false;
        if (field == wire::Envelope::kAppendEntriesFieldNumber) {
          bulk = AppendEntries{};
          return read_append(frame, body, std::get<AppendEntries>(*bulk));
        }
        bulk = SnapshotChunk{};
        return read_chunk(frame, body, std::get<SnapshotChunk>(*bulk));
      });
  if (!follows_schema) return corrupt("it does not follow its schema");

  Envelope envelope{.from = NodeId{in.from()},
                    .to = NodeId{in.to()},
                    .group = GroupId{in.group()},
                    .incarnation = Incarnation{in.incarnation()},
                    .recovering = in.recovering(),
                    .clock = Hlc{in.clock()},
                    .physical = {.sent = UnixMillis{in.physical().sent_ms()},
                                 .echo_sent = UnixMillis{in.physical().echo_sent_ms()},
                                 .echo_received = UnixMillis{in.physical().echo_received_ms()}},
                    .message = {}};
  if (!bulk) {
    PARALLAX_ASSIGN(envelope.message, read_message(in));
  } else if (in.message_case() == wire::Envelope::MESSAGE_NOT_SET) {
    envelope.message = *std::move(bulk);
  } else {
    return corrupt("message: of two kinds at once");
  }
  if (auto sound = check_envelope(envelope); !sound) return corrupt(sound.error().message);
  return envelope;
}

}  // namespace parallax

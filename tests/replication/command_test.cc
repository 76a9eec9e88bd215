#include "replication/command.h"

#include <catch2/catch.hpp>

#include "base/limits.h"
#include "storage/key_state_codec.h"
#include "tests/replication/random_message.h"

namespace parallax::test {
namespace {

constexpr std::size_t kKinds = std::variant_size_v<Command>;

std::string refusal(const Bytes& payload) {
  const auto command = decode_command(payload);
  if (command) return "";
  CHECK(command.error().code == ErrorCode::corrupt);
  return command.error().message;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<std::uint8_t>(c));
  return text;
}

KeyState one_version() {
  Version version;
  version.stamp = {Hlc{9}, NodeId{2}};
  version.context.advance(kLogActor, Hlc{8});
  version.value = "v";
  version.content_type = "t";
  KeyState state;
  state.add(std::move(version));
  return state;
}

}  // namespace

TEST_CASE("command: every kind comes back as it was", "[random]") {
  Random random(1);
  for (int round = 0; round < 50'000; ++round) {
    const Command command = random_command(random, static_cast<std::size_t>(round) % kKinds);
    const auto got = decode_command(encode_command(command));
    if (!got) FAIL("round " << round << ": " << got.error().message);
    if (*got != command) FAIL("round " << round << ": another command");
  }
}

TEST_CASE("command: damaged bytes give an error or a sound command", "[random]") {
  Random random(2);
  std::size_t refused = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes =
        encode_command(random_command(random, static_cast<std::size_t>(round) % kKinds))
            .to_string();
    for (std::uint64_t flips = random.between(1, 4); flips > 0; --flips) {
      bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
    }
    const auto got = decode_command(Bytes{bytes});
    if (!got) {
      ++refused;
      if (got.error().code != ErrorCode::corrupt) FAIL(got.error().message);
      continue;
    }
    if (const auto* write = std::get_if<WriteKey>(&*got)) {
      if (!well_formed(write->state)) FAIL("round " << round);
    }
    const auto again = decode_command(encode_command(*got));
    if (!again || *again != *got) FAIL("round " << round);
  }
  CHECK(refused > 5'000);
}

TEST_CASE("command: one cut short is refused", "[random]") {
  Random random(3);
  for (int round = 0; round < 40; ++round) {
    const std::string whole =
        encode_command(random_command(random, static_cast<std::size_t>(round) % kKinds))
            .to_string();
    for (std::size_t length = 0; length < whole.size(); ++length) {
      if (decode_command(Bytes{whole.substr(0, length)})) FAIL(whole.size() << " to " << length);
    }
  }
}

TEST_CASE("command: what no leader appends is refused with the field's name") {
  // A version without a stamp.
  const std::string unfit_state = "\x1a\x07\x0a\x01k\x12\x02\x0a" + std::string(1, '\0');
  CHECK(refusal("") == "a command is corrupt: of no kind that is known here");
  CHECK(refusal("\xa2\x06\x02\x08\x01") == "a command is corrupt: of no kind that is known here");
  CHECK(refusal("\x0a\x05") == "a command is corrupt: it does not follow its schema");
  CHECK(refusal(encode_command(InitCluster{})) ==
        "a command is corrupt: init_cluster.cluster: empty");
  CHECK(refusal(encode_command(WriteKey{"", one_version()})) ==
        "a command is corrupt: write_key.key: 0 bytes, 1 to 1024 expected");
  CHECK(refusal(encode_command(WriteKey{std::string(limits::kMaxKeyBytes + 1, 'k'), {}})) ==
        "a command is corrupt: write_key.key: 1025 bytes, 1 to 1024 expected");
  CHECK(refusal(unfit_state).find("write_key.state: the key state is corrupt") !=
        std::string::npos);
  CHECK(refusal(encode_command(EndRecovery{kNoNode, Incarnation{1}})) ==
        "a command is corrupt: end_recovery.node: 0, a node expected");
  CHECK(refusal(encode_command(EndRecovery{NodeId{1}, {}})) ==
        "a command is corrupt: end_recovery.incarnation: 0, at least 1 expected");
  CHECK(refusal(encode_command(RemoveTombstones{.tombstones = {{.key = "", .state = {}}}})) ==
        "a command is corrupt: remove_tombstones.key: 0 bytes, 1 to 1024 expected");
  CHECK(refusal(encode_command(
            RemoveTombstones{.tombstones = {{.key = "k", .state = one_version()}}})) ==
        "a command is corrupt: remove_tombstones: a version that is none");
}

TEST_CASE("command: a row or a policy that no leader appends is refused with the field's name") {
  const IdempotencyRow sound{"request", {.at = Hlc{9}, .fingerprint = 3}};
  const auto with_row = [](IdempotencyRow row) {
    return encode_command(WriteKey{"k", one_version(), std::move(row)});
  };
  CHECK(refusal(with_row(sound)).empty());
  IdempotencyRow row = sound;
  row.key.clear();
  CHECK(refusal(with_row(row)) ==
        "a command is corrupt: write_key.idempotency.key: 0 bytes, 1 to 128 expected");
  row.key = std::string(limits::kMaxIdempotencyKeyBytes + 1, 'r');
  CHECK(refusal(with_row(row)) ==
        "a command is corrupt: write_key.idempotency.key: 129 bytes, 1 to 128 expected");
  row = sound;
  row.record.at = {};
  CHECK(refusal(with_row(row)) ==
        "a command is corrupt: write_key.idempotency.at: 0, a stamp's time expected");
  CHECK(refusal(encode_command(WritePolicy{"", {}})).empty());  // the prefix of every key
  CHECK(refusal(encode_command(WritePolicy{std::string(limits::kMaxKeyBytes + 1, 'p'), {}})) ==
        "a command is corrupt: write_policy.prefix: 1025 bytes, at most 1024 expected");
}

TEST_CASE("command: an outcome alone is a command, and where its entry is is set at apply") {
  IdempotencyRow row{"request",
                     {.at = Hlc{9},
                      .fingerprint = 3,
                      .refusal = "not-a-number",
                      .message = "why",
                      .stamp = Stamp{Hlc{4}, NodeId{2}},
                      .number = 0}};
  const Command command = WriteKey{"k", {}, row, Hlc{5}};
  const auto got = decode_command(encode_command(command));
  REQUIRE(got.has_value());
  CHECK(*got == command);
  row.record.index = LogIndex{7};
  const auto again = decode_command(encode_command(WriteKey{"k", {}, row, Hlc{5}}));
  REQUIRE(again.has_value());
  CHECK(*again == command);
}

TEST_CASE("command: fields that are not known here are skipped") {
  const std::string unknown = "\x80\x7d\x07";
  const Command command = WriteKey{"key", one_version()};
  for (const std::string& bytes : {unknown + encode_command(command).to_string(),
                                   encode_command(command).to_string() + unknown}) {
    const auto got = decode_command(Bytes{bytes});
    REQUIRE(got.has_value());
    CHECK(*got == command);
  }
}

// These are in every replica's log: an older one must be readable for good.
TEST_CASE("command: the bytes of a command stay what they are") {
  CHECK(hex(encode_command(NoOp{}).view()) == "0a00");
  CHECK(hex(encode_command(InitCluster{ClusterId{1, 2}}).view()) ==
        "1212090100000000000000110200000000000000");
  CHECK(hex(encode_command(EndRecovery{NodeId{3}, Incarnation{4}}).view()) == "220408031004");
  CHECK(hex(encode_command(WriteKey{"k", one_version()}).view()) ==
        "1a1d0a016b1218"               // key, state
        "0a1609090000000000000010024"  // its version: the stamp
        "201764a0174"                  // value, content type
        "6203000001");                 // context: the log, one below the stamp
}

TEST_CASE("command: what format 1 of the store has written is read") {
  using namespace std::string_literals;
  const auto command = decode_command(
      "\x1a\x2e\x0a\x01k\x12\x29\x0a\x1c\x09\x09\0\0\0\0\0\0\0\x10\x02\x32\x09\x21\x08\0\0\0\0\0\0"
      "\0"
      "\x42\x01v\x4a\x01t\x12\x09\x21\x09\0\0\0\0\0\0\0"s);
  REQUIRE(command.has_value());
  CHECK(*command == Command{WriteKey{"k", one_version()}});
}

TEST_CASE("key state: encoding appends and comes back") {
  Random random(4);
  for (int round = 0; round < 5'000; ++round) {
    const KeyState state = random_key_state(random);
    std::string out = "before";
    encode_key_state(state, out);
    REQUIRE(out.substr(0, 6) == "before");
    const auto got = decode_key_state(Bytes{out.substr(6)});
    REQUIRE(got.has_value());
    REQUIRE(*got == state);
  }
}

}  // namespace parallax::test

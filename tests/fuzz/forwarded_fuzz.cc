// What nodes hand on inside messages and log entries: requests, replies, commands. Input: one byte
// that says which of them follows.
#include "node/operation_codec.h"
#include "replication/command.h"
#include "tests/fuzz/fuzz.h"

namespace parallax::fuzz {
namespace {

void check_request(const Bytes& payload) {
  const auto request = decode_request(payload);
  if (!request) return;
  const auto again = decode_request(encode_request(*request));
  FUZZ_HOLDS(again.has_value());
  FUZZ_HOLDS(*again == *request);
}

void check_reply(const Bytes& payload) {
  const Result<Reply> reply = decode_reply(payload);
  if (!reply.has_value()) return;
  const Result<Reply> again = decode_reply(encode_reply(*reply));
  FUZZ_HOLDS(again.has_value());
  FUZZ_HOLDS(*again == *reply);
}

void check_command(const Bytes& payload) {
  const auto command = decode_command(payload);
  if (!command) return;
  const auto again = decode_command(encode_command(*command));
  FUZZ_HOLDS(again.has_value());
  FUZZ_HOLDS(*again == *command);
}

}  // namespace
}  // namespace parallax::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace parallax::fuzz;
  Input input(data, size);
  const std::uint8_t what = input.byte();
  const parallax::Bytes payload{std::string(input.rest())};
  switch (what) {
    case 'q':
      check_request(payload);
      break;
    case 'r':
      check_reply(payload);
      break;
    default:
      check_command(payload);
      break;
  }
  return 0;
}

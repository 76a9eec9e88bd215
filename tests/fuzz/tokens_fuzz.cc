// What clients hand back without having understood it. Input: one byte that says what follows, then
// a token, or a token's bytes up to its checksum, which is added.
#include "base/base64.h"
#include "base/checksum.h"
#include "consistency/key_context.h"
#include "consistency/session_token.h"
#include "tests/fuzz/fuzz.h"

namespace parallax::fuzz {
namespace {

void check_session(std::string_view text) {
  const auto token = SessionToken::decode(text);
  if (!token) {
    FUZZ_HOLDS(token.error().code == ErrorCode::bad_session);
    return;
  }
  FUZZ_HOLDS(token->encode() == text);
  (void)token->check(token->cluster, {NodeId{1}, NodeId{2}});
  SessionToken joined = *token;
  joined.join(*token);
  FUZZ_HOLDS(joined == *token);
}

void check_context(std::string_view key, std::string_view text) {
  const auto context = decode_key_context(key, text);
  if (!context) {
    FUZZ_HOLDS(context.error().code == ErrorCode::bad_request);
    return;
  }
  FUZZ_HOLDS(encode_key_context(key, *context) == text);
}

std::string sealed(std::string_view bound_to, std::string_view bytes) {
  std::string out(bytes);
  const std::uint32_t sum = crc32(bytes, crc32(bound_to));
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(sum >> shift);
  return base64url(out);
}

void check_base64(std::string_view text) {
  if (const auto bytes = decode_base64(text)) FUZZ_HOLDS(base64(*bytes) == text);
  if (const auto bytes = decode_base64url(text)) FUZZ_HOLDS(base64url(*bytes) == text);
}

}  // namespace
}  // namespace parallax::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace parallax::fuzz;
  Input input(data, size);
  switch (input.byte()) {
    case 's':
      check_session(input.rest());
      break;
    case 'S':
      check_session(sealed({}, input.rest()));
      break;
    case 'c': {
      const std::string_view key = input.line();
      check_context(key, input.rest());
      break;
    }
    case 'C': {
      const std::string_view key = input.line();
      check_context(key, sealed(key, input.rest()));
      break;
    }
    default:
      check_base64(input.rest());
      break;
  }
  return 0;
}

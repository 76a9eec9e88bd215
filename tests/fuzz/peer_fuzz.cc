// What arrives from peers. Input: one byte that says what follows, then a stream of frames, or the
// payload of one.
#include <algorithm>

#include "replication/codec.h"
#include "replication/frame.h"
#include "replication/hello.h"
#include "replication/message_check.h"
#include "tests/fuzz/fuzz.h"

namespace parallax::fuzz {
namespace {

void check_envelope_payload(const Bytes& payload) {
  const auto envelope = decode_envelope(payload);
  if (!envelope) return;
  FUZZ_HOLDS(check_envelope(*envelope).has_value());
  std::string encoded;
  encode_envelope(*envelope, encoded);
  const auto again = decode_envelope(Bytes{std::move(encoded)});
  FUZZ_HOLDS(again.has_value());
  FUZZ_HOLDS(*again == *envelope);
}

void check_hello_payload(const Bytes& payload) {
  const auto hello = decode_hello(payload);
  if (!hello) return;
  const auto again = decode_hello(Bytes{encode_hello(*hello)});
  FUZZ_HOLDS(again.has_value());
  FUZZ_HOLDS(*again == *hello);
  (void)check_hello({.self = NodeId{1}, .members = {NodeId{1}, NodeId{2}}}, *hello);
}

/// The frames of `stream`, arriving in pieces of `piece` bytes, end to end; and how it ended.
std::string frames_of(std::string_view stream, std::size_t piece) {
  FrameReader reader;
  std::string out;
  while (!stream.empty()) {
    std::string_view received = stream.substr(0, piece);
    stream.remove_prefix(received.size());
    for (;;) {
      const auto frame = reader.next(received);
      if (!frame) return out + "!" + frame.error().message;
      if (!*frame) break;
      FUZZ_HOLDS(!(*frame)->empty());
      append_frame(out, (*frame)->view());
      check_envelope_payload(**frame);
    }
    FUZZ_HOLDS(received.empty());
  }
  return out + (reader.between_frames() ? "." : "?");
}

void check_stream(std::size_t piece, std::string_view stream) {
  FUZZ_HOLDS(frames_of(stream, piece) ==
             frames_of(stream, std::max<std::size_t>(stream.size(), 1)));
}

void check_framed(std::size_t piece, std::string_view payload) {
  if (payload.empty()) return;
  std::string stream;
  append_frame(stream, payload);
  FUZZ_HOLDS(frames_of(stream, piece) == stream + ".");
}

}  // namespace
}  // namespace parallax::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace parallax::fuzz;
  Input input(data, size);
  const std::uint8_t what = input.byte();
  const std::size_t piece = std::size_t{input.byte()} + 1;
  switch (what) {
    case 's':
      check_stream(piece, input.rest());
      break;
    case 'f':
      check_framed(piece, input.rest());
      break;
    case 'h':
      check_hello_payload(parallax::Bytes{std::string(input.rest())});
      break;
    default:
      check_envelope_payload(parallax::Bytes{std::string(input.rest())});
      break;
  }
  return 0;
}

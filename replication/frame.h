// Frames: how a stream of bytes between two peers is cut into messages, and how damage is found.
//
//   4 bytes  length of the payload, 1 to limits::kMaxFrameBytes
//   4 bytes  CRC-32 (base/checksum.h) of those 4 bytes and the payload
//   payload
//
// Numbers are little-endian. The checksum covers the length, and no payload is empty: so neither a
// damaged length nor a run of zeros passes for a frame. A stream in which damage was found cannot
// be taken up again behind it; the connection ends.
//
// Pure: no socket here. What a payload means is for codec.h and hello.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace parallax {

inline constexpr std::size_t kFrameHeaderBytes = 8;

/// Appends `payload` (1 to limits::kMaxFrameBytes bytes) as a frame. Thread-safe.
void append_frame(std::string& out, std::string_view payload);

/// The same without a copy: begin_frame(), append the payload to `out`, end_frame() with what
/// begin_frame() returned.
std::size_t begin_frame(std::string& out);
void end_frame(std::string& out, std::size_t begun);

/// Puts frames together from what arrives, in pieces of any size. A value; not thread-safe.
class FrameReader {
 public:
  /// The payload of the next frame, once it is whole; takes what it used off the front of
  /// `received`. Nothing: all of `received` was taken and more is needed. Call until it returns
  /// nothing. Errors: corrupt, saying what was found; from then on every call returns it.
  Result<std::optional<Bytes>> next(std::string_view& received);

  /// Whether the stream may end here: no frame has begun.
  bool between_frames() const { return header_size_ == 0; }

 private:
  Result<void> begin_payload();
  Error fail(std::string message);

  char header_[kFrameHeaderBytes] = {};
  std::size_t header_size_ = 0;
  std::size_t length_ = 0;  ///< of the payload, once the header is whole
  std::string payload_;
  std::optional<Error> failed_;
};

}  // namespace parallax

#include "replication/frame.h"

#include <algorithm>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/limits.h"

namespace parallax {
namespace {

constexpr std::size_t kLengthBytes = 4;
/// Room made at once for a payload. A longer one must have arrived to be given more: a length alone
/// costs its sender nothing.
constexpr std::size_t kRoomAtOnce = 64 << 10;

std::uint32_t read_u32(const char* at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    value |= std::uint32_t{static_cast<std::uint8_t>(at[i])} << (8 * i);
  }
  return value;
}

void write_u32(std::uint32_t value, char* at) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(value >> (8 * i));
}

std::uint32_t checksum(const char* header, std::string_view payload) {
  return crc32(payload, crc32(std::string_view(header, kLengthBytes)));
}

}  // namespace

void append_frame(std::string& out, std::string_view payload) {
  const std::size_t begun = begin_frame(out);
  out.append(payload);
  end_frame(out, begun);
}

std::size_t begin_frame(std::string& out) {
  const std::size_t begun = out.size();
  out.append(kFrameHeaderBytes, '\0');
  return begun;
}

void end_frame(std::string& out, std::size_t begun) {
  PARALLAX_ASSERT(begun + kFrameHeaderBytes < out.size(), "begun at {} of {}", begun, out.size());
  const std::size_t length = out.size() - begun - kFrameHeaderBytes;
  PARALLAX_ASSERT(length <= limits::kMaxFrameBytes, "a payload of {} bytes", length);
  char* const header = out.data() + begun;
  write_u32(static_cast<std::uint32_t>(length), header);
  write_u32(checksum(header, std::string_view(out).substr(begun + kFrameHeaderBytes)),
            header + kLengthBytes);
}

Error FrameReader::fail(std::string message) {
  failed_ = definite(ErrorCode::corrupt, std::move(message));
  return *failed_;
}

Result<void> FrameReader::begin_payload() {
  length_ = read_u32(header_);
  if (length_ == 0 || length_ > limits::kMaxFrameBytes) {
    return fail(
        fmt::format("a frame of {} bytes, 1 to {} expected", length_, limits::kMaxFrameBytes));
  }
  payload_.reserve(std::min(length_, kRoomAtOnce));
  return {};
}

Result<std::optional<Bytes>> FrameReader::next(std::string_view& received) {
  if (failed_) return *failed_;
  if (header_size_ < kFrameHeaderBytes) {
    const std::size_t taken = std::min(kFrameHeaderBytes - header_size_, received.size());
    std::copy_n(received.data(), taken, header_ + header_size_);
    header_size_ += taken;
    received.remove_prefix(taken);
    if (header_size_ < kFrameHeaderBytes) return std::optional<Bytes>{};
    PARALLAX_TRY(begin_payload());
  }
  const std::size_t taken = std::min(length_ - payload_.size(), received.size());
  payload_.append(received.substr(0, taken));
  received.remove_prefix(taken);
  if (payload_.size() < length_) return std::optional<Bytes>{};

  const std::uint32_t sent = read_u32(header_ + kLengthBytes);
  const std::uint32_t computed = checksum(header_, payload_);
  if (sent != computed) {
    return fail(fmt::format("a frame of {} bytes with checksum {:08x}, computed {:08x}", length_,
                            sent, computed));
  }
  header_size_ = 0;
  return std::optional<Bytes>{Bytes{std::exchange(payload_, {})}};
}

}  // namespace parallax

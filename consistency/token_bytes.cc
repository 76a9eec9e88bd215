#include "consistency/token_bytes.h"

#include <utility>

#include "base/assert.h"
#include "base/base64.h"
#include "base/checksum.h"

namespace parallax {
namespace {

constexpr std::size_t kFormatBytes = 1;
constexpr std::size_t kChecksumBytes = 4;

}  // namespace

TokenWriter::TokenWriter(std::string& out, std::uint8_t format, std::size_t room)
    : out_(out), begin_(out.size()) {
  const std::size_t bytes = kFormatBytes + room + kChecksumBytes;
  out_.reserve(begin_ + (bytes + 2) / 3 * 4);
  out_.resize(begin_ + bytes);
  at_ = out_.data() + begin_;
  byte(format);
}

void TokenWriter::finish(std::string_view bound_to) {
  const char* const begin = out_.data() + begin_;
  const std::string_view written(begin, static_cast<std::size_t>(at_ - begin));
  PARALLAX_ASSERT(begin_ + written.size() + kChecksumBytes <= out_.size(),
                  "{} bytes written into {}", written.size(), out_.size() - begin_);
  const std::uint32_t sum = crc32(written, crc32(bound_to));
  for (int shift = 0; shift < 32; shift += 8) byte(static_cast<std::uint8_t>(sum >> shift));
  out_.resize(begin_ + written.size() + kChecksumBytes);
  base64url_in_place(out_, begin_);
}

TokenReader::TokenReader(std::string_view name, std::string_view text, std::uint8_t format,
                         std::size_t limit)
    : name_(name) {
  open(text, format, limit);
}

void TokenReader::open(std::string_view text, std::uint8_t format, std::size_t limit) {
  if (text.size() > limit) {
    return fail(fmt::format("too long: {} letters, at most {}", text.size(), limit));
  }
  std::optional<std::string> bytes = decode_base64url(text);
  if (!bytes) return fail("truncated or altered: it is not base64url");
  bytes_ = *std::move(bytes);
  if (bytes_.empty()) return fail("truncated: nothing is there");
  at_ = kFormatBytes;
  const auto written_in = static_cast<std::uint8_t>(bytes_.front());
  // Before the checksum, which another format may have elsewhere.
  if (written_in > format) {
    return fail(fmt::format("of a newer format: {}, this node reads up to {}", written_in, format));
  }
  if (written_in != format) return fail(fmt::format("altered: format {}", written_in));
  if (bytes_.size() < kFormatBytes + kChecksumBytes) {
    return fail(fmt::format("truncated: {} bytes", bytes_.size()));
  }
  end_ = bytes_.size() - kChecksumBytes;
}

std::uint8_t TokenReader::byte(std::string_view part) {
  if (failed()) return 0;
  if (at_ == end_) {
    fail(fmt::format("truncated: it ends within its {}", part));
    return 0;
  }
  return static_cast<std::uint8_t>(bytes_[at_++]);
}

std::uint64_t TokenReader::u64(std::string_view part) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 8) value |= std::uint64_t{byte(part)} << shift;
  return failed() ? 0 : value;
}

std::uint64_t TokenReader::varint(std::string_view part, std::uint64_t highest) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const std::uint8_t next = byte(part);
    if (failed()) return 0;
    // The tenth byte has room for the highest bit only; a last byte of 0 could have been left out.
    if (shift == 63 && next > 1) break;
    value |= std::uint64_t{next & 0x7fu} << shift;
    if ((next & 0x80) != 0) continue;
    if ((next == 0 && shift > 0) || value > highest) break;
    return value;
  }
  altered(part, "a number that is never written");
  return 0;
}

std::size_t TokenReader::count(std::string_view part, std::size_t least) {
  const std::uint64_t entries = varint(part);
  if (entries <= (end_ - at_) / least || failed()) return failed() ? 0 : entries;
  fail(fmt::format("truncated: it ends within its {}, which has {} entries", part, entries));
  return 0;
}

void TokenReader::altered(std::string_view part, std::string_view why) {
  fail(fmt::format("altered: its {} has {}", part, why));
}

Result<void> TokenReader::finish(ErrorCode code, std::string_view bound_to) {
  if (!failed() && at_ != end_) fail(fmt::format("altered: {} bytes too many", end_ - at_));
  if (!failed()) {
    std::uint32_t told = 0;
    for (std::size_t i = 0; i < kChecksumBytes; ++i) {
      told |= std::uint32_t{static_cast<std::uint8_t>(bytes_[end_ + i])} << (8 * i);
    }
    const std::string_view body = std::string_view(bytes_).substr(0, end_);
    if (told != crc32(body, crc32(bound_to))) {
      fail(bound_to.empty() ? "altered: its checksum is wrong"
                            : "altered, or another key's: its checksum is wrong");
    }
  }
  if (!failed()) return {};
  return definite(code, fmt::format("the {} is {}; send it as a reply gave it", name_, problem_));
}

void TokenReader::fail(std::string problem) {
  if (!failed()) problem_ = std::move(problem);
}

}  // namespace parallax

// Bytes packed by hand, for what is stored and sent most often: numbers as varints (seven bits a
// byte, the lowest first) and version vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/ids.h"
#include "clock/version_vector.h"

namespace parallax {

void append_varint(std::string& out, std::uint64_t value);
/// Length, then the bytes.
void append_bytes(std::string& out, std::string_view bytes);

/// Reads what is packed, whatever the bytes: after the first thing that is wrong every number is 0
/// and every string empty, so that readers need not ask after each. Views are into the bytes.
class Unpack {
 public:
  explicit Unpack(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return at_ == bytes_.size(); }
  bool failed() const { return failed_; }
  void fail() {
    failed_ = true;
    at_ = bytes_.size();
  }

  std::uint8_t byte() {
    if (done()) fail();
    return failed_ ? 0 : static_cast<std::uint8_t>(bytes_[at_++]);
  }
  std::uint64_t varint(std::uint64_t most = ~std::uint64_t{0});
  NodeId node() { return NodeId{static_cast<NodeId::rep>(varint(~NodeId::rep{0}))}; }
  std::string_view bytes();
  /// A number of things, each of which takes two bytes or more.
  std::size_t count() { return varint((bytes_.size() - at_) / 2); }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

/// `part`, a view into `whole`, without a copy.
inline Bytes part_of(const Bytes& whole, std::string_view part) {
  if (part.empty()) return {};
  return whole.slice(static_cast<std::size_t>(part.data() - whole.view().data()), part.size());
}

/// Appends each entry as: node * 4 + path, incarnation, distance of its reading to `base` (modulo
/// 2^64; few bytes for readings that are a little older). No entries: no bytes. The reader must
/// know where they end. Thread-safe.
void append_context(std::string& out, const VersionVector& context, Hlc base);

/// Takes all of `bytes`. False: they are not what append_context() made with this `base`, and
/// `context` is unspecified. Thread-safe.
bool read_context(std::string_view bytes, Hlc base, VersionVector& context);

}  // namespace parallax

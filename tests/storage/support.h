// What the storage tests share: directories that go away, random versions, short ways to write.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <unistd.h>

#include "base/random.h"
#include "storage/records.h"
#include "storage/store.h"
#include "storage/version.h"

namespace parallax::test {

/// A new directory below the build directory, deleted with all that is in it at the end.
class TempDirectory {
 public:
  TempDirectory() {
    std::string pattern = PARALLAX_BINARY_DIR "/storage-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

using Rows = std::vector<std::pair<std::string, std::string>>;

inline WriteBatch puts(const Rows& rows) {
  WriteBatch batch;
  for (const auto& [key, value] : rows) batch.put(key, Bytes{value});
  return batch;
}

inline WriteBatch removes(const std::vector<std::string>& keys) {
  WriteBatch batch;
  for (const std::string& key : keys) batch.remove(key);
  return batch;
}

inline void must_write(Store& store, const WriteBatch& batch) {
  const Result<void> written = store.write(batch);
  INFO((written ? std::string() : written.error().message));
  REQUIRE(written.has_value());
}

inline std::optional<std::string> must_get(const ReadView& view, std::string_view key) {
  Result<std::optional<std::string>> found = view.get(key);
  INFO((found ? std::string() : found.error().message));
  REQUIRE(found.has_value());
  return *found;
}

/// At most `limit` rows: the visitor stops with the last.
inline Rows must_scan(const ReadView& view, const ScanRange& range = {},
                      std::size_t limit = SIZE_MAX) {
  Rows rows;
  const Result<void> scanned = view.scan(range, [&](std::string_view key, std::string_view value) {
    rows.emplace_back(key, value);
    return rows.size() < limit;
  });
  INFO((scanned ? std::string() : scanned.error().message));
  REQUIRE(scanned.has_value());
  return rows;
}

/// Counts the gets and remembers the ranges that come through to the view below.
class Watched : public ReadView {
 public:
  explicit Watched(const ReadView& below) : below_(below) {}
  Result<std::optional<std::string>> get(std::string_view key) const override {
    ++gets;
    return below_.get(key);
  }
  Result<void> scan(const ScanRange& range, const ScanVisitor& visit) const override {
    scanned.push_back(range);
    return below_.scan(range, visit);
  }
  mutable std::size_t gets = 0;
  mutable std::vector<ScanRange> scanned;

 private:
  const ReadView& below_;
};

inline std::string random_bytes(Random& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  return bytes;
}

/// Actors of a small world, so that they meet.
inline Actor random_actor(Random& random) {
  const std::uint64_t path = random.below(3);
  if (path == 0) return kLogActor;
  const auto node = static_cast<std::uint32_t>(random.between(1, 3));
  return Actor{static_cast<ActorPath>(path), NodeId{node}, Incarnation{random.between(1, 2)}};
}

inline VersionVector random_context(Random& random, std::uint64_t below_hlc) {
  VersionVector context;
  if (below_hlc < 2) return context;
  for (std::uint64_t n = random.below(4); n > 0; --n) {
    context.advance(random_actor(random), Hlc{random.between(1, below_hlc - 1)});
  }
  return context;
}

inline Version random_version(Random& random, std::uint64_t max_hlc = 1'000) {
  Version version;
  version.stamp.hlc = Hlc{random.between(1, max_hlc)};
  version.actor = random_actor(random);
  const auto node = static_cast<std::uint32_t>(random.between(1, 3));
  version.stamp.node = version.actor.node == kNoNode ? NodeId{node} : version.actor.node;
  version.context = random_context(random, version.stamp.hlc.value);
  version.tombstone = random.chance(0.2);
  if (!version.tombstone) version.value = Bytes{random_bytes(random, random.below(40))};
  if (random.chance(0.5)) version.content_type = random_bytes(random, random.below(30));
  if (random.chance(0.3)) version.expires_at = UnixMillis{random.next()};
  if (random.chance(0.3)) version.log_index = LogIndex{random.next()};
  return version;
}

inline KeyState random_state(Random& random) {
  KeyState state;
  for (std::uint64_t n = random.below(4); n > 0; --n) {
    Version version = random_version(random);
    // Stamps are unique: two actors never share one.
    bool taken = false;
    for (const Version& v : state.versions()) taken |= v.stamp == version.stamp;
    if (!taken) state.add(std::move(version));
  }
  return state;
}

}  // namespace parallax::test

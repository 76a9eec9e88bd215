// What the overlay promises beyond a store (storage/overlay.h).
#include "storage/overlay.h"

#include "storage/memory_store.h"
#include "tests/storage/support.h"

namespace parallax::test {
namespace {

TEST_CASE("overlay: forgets what is in the store and keeps what changed since") {
  MemoryStore below;
  Overlay overlay(below);
  const WriteBatch first = puts({{"a", "1"}, {"b", "1"}});
  const WriteBatch second = puts({{"b", "22"}});
  overlay.add(first, 1);
  overlay.add(second, 2);
  CHECK(overlay.entries() == 2);
  CHECK(overlay.bytes() == 1 + 1 + 1 + 2);
  must_write(below, first);
  overlay.forget(1);
  CHECK(overlay.entries() == 1);
  CHECK(overlay.bytes() == 1 + 2);
  CHECK(must_scan(overlay) == Rows{{"a", "1"}, {"b", "22"}});
  CHECK(must_get(below, "b") == "1");
  must_write(below, second);
  overlay.forget(2);
  CHECK(overlay.entries() == 0);
  CHECK(overlay.bytes() == 0);
  CHECK(must_get(overlay, "b") == "22");
}

TEST_CASE("overlay: a removal above hides what the store still has") {
  MemoryStore below;
  must_write(below, puts({{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  Overlay overlay(below);
  overlay.add(removes({"b", "zz"}), 1);
  CHECK(must_get(overlay, "b") == std::nullopt);
  CHECK(must_scan(overlay) == Rows{{"a", "1"}, {"c", "3"}});
  CHECK(must_scan(overlay, {.start = "", .end = "", .reverse = true}, 1) == Rows{{"c", "3"}});
  CHECK(overlay.bytes() == 3);
}

/// A view whose scan breaks off after its first row.
class Broken : public ReadView {
 public:
  Result<std::optional<std::string>> get(std::string_view) const override {
    return definite(ErrorCode::io, "broken");
  }
  Result<void> scan(const ScanRange&, const ScanVisitor& visit) const override {
    visit("b", "1");
    return definite(ErrorCode::io, "broken");
  }
};

TEST_CASE("overlay: errors of the store come through") {
  const Broken below;
  Overlay overlay(below);
  overlay.add(puts({{"a", "1"}, {"c", "1"}}), 1);
  CHECK(must_get(overlay, "a") == "1");
  CHECK(overlay.get("x").error().code == ErrorCode::io);
  std::string seen;
  const Result<void> scanned = overlay.scan({}, [&](std::string_view key, std::string_view) {
    seen += key;
    return true;
  });
  CHECK(scanned.error().code == ErrorCode::io);
  CHECK(seen == "ab");
}

}  // namespace
}  // namespace parallax::test

// The session guarantees by stamps.
#include <catch2/catch.hpp>

#include "consistency/checker/stamped_guarantees.h"
#include "tests/checker/build.h"
#include "tests/checker/planted.h"
#include "tests/checker/stores.h"

namespace parallax::checker {
namespace {

struct Stamped : Build {
  void write(std::uint32_t client, std::string_view of, std::string_view stamp) {
    key = of;
    Operation& o = Build::write(client, stamp, now, now + 1);
    o.stamp = text(stamp);
    now += 2;
  }
  /// An empty stamp: it saw nothing.
  void read(std::uint32_t client, std::string_view of, std::string_view stamp) {
    key = of;
    Operation& o = stamp.empty() ? Build::read(client, std::nullopt, now, now + 1)
                                 : Build::read(client, stamp, now, now + 1);
    if (!stamp.empty()) o.stamp = text(stamp);
    now += 2;
  }
  /// The guarantees that are violated, by their places.
  std::vector<std::size_t> violated() const {
    std::vector<std::size_t> places;
    const GuaranteeResults results = check_stamped_guarantees(history);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i].verdict == Verdict::no) places.push_back(i);
      CHECK((results[i].verdict == Verdict::no) == results[i].witness.has_value());
    }
    return places;
  }
  std::int64_t now = 0;
};

using Places = std::vector<std::size_t>;

}  // namespace

TEST_CASE("stamped guarantees: a table of cases") {
  Stamped none;
  none.write(1, "x", "10-1");
  none.read(1, "x", "10-1");
  none.read(2, "x", "10-1");
  none.write(2, "y", "11-2");
  none.read(3, "y", "11-2");
  none.read(3, "x", "10-1");
  CHECK(none.violated().empty());

  Stamped own;
  own.write(1, "x", "10-1");
  own.read(1, "x", "");
  CHECK(own.violated() == Places{0});

  Stamped back;
  back.read(1, "x", "10-1");
  back.read(1, "x", "9-1");
  CHECK(back.violated() == Places{1});

  // Clients see nothing of this: the later write lost at once.
  Stamped writes;
  writes.write(1, "x", "10-1");
  writes.write(1, "x", "9-2");
  CHECK(writes.violated() == Places{2});

  Stamped follow;
  follow.read(1, "x", "10-1");
  follow.write(1, "x", "9-2");
  CHECK(follow.violated() == Places{3});

  Stamped hidden;
  hidden.write(1, "x", "10-1");
  hidden.write(1, "y", "11-1");
  hidden.read(2, "y", "11-1");
  hidden.read(2, "x", "9-1");
  CHECK(hidden.violated() == Places{2});

  Stamped question;
  question.write(1, "q", "10-1");
  question.read(2, "q", "10-1");
  question.write(2, "a", "11-1");
  question.read(3, "a", "11-1");
  question.read(3, "q", "");
  CHECK(question.violated() == Places{3});
}

TEST_CASE("stamped guarantees: without stamps there is no verdict") {
  Build h;
  h.write(1, "a", 0, 1);
  for (const GuaranteeResult& result : check_stamped_guarantees(h.history)) {
    CHECK(result.verdict == Verdict::undecided);
    CHECK(result.reason == "client 1's write called at 0 ns has no stamp");
  }
}

TEST_CASE("stamped guarantees: the same as by values where stores go wrong") {
  Random random(1);
  int no = 0;
  for (int i = 0; i < 1'500; ++i) {
    // Any value may be read, with the stamp of its write.
    History history = random_sessions({.operations = 9}, random);
    for (Operation& read : history.operations) {
      for (const Operation& write : history.operations) {
        if (read.kind == OperationKind::read && read.key == write.key &&
            read.result == write.value) {
          read.stamp = write.stamp;
        }
      }
    }
    const GuaranteeResults stamped = check_stamped_guarantees(history);
    if (stamped[0].verdict == Verdict::undecided) continue;  // it read what never happened
    const GuaranteeResults seen = check_session_guarantees(history);
    CAPTURE(i, write_history(history));
    // The stamps' order is one of the orders that values allow, if it agrees with the writers.
    const bool agrees = stamped[2].verdict == Verdict::yes && stamped[3].verdict == Verdict::yes;
    for (std::size_t g = 0; g < 4; ++g) {
      CAPTURE(g);
      if (agrees && stamped[1].verdict == Verdict::yes && stamped[g].verdict == Verdict::yes) {
        CHECK(seen[g].verdict == Verdict::yes);
      }
      no += stamped[g].verdict == Verdict::no ? 1 : 0;
    }
  }
  CHECK(no > 500);
}

TEST_CASE("stamped guarantees: a store that keeps them keeps them by stamps") {
  Random random(2);
  for (int i = 0; i < 200; ++i) {
    const Store store = i % 2 == 0 ? Store::gossip : Store::log;
    const History history = random_sessions(
        {.store = store, .operations = 300, .clients = 5, .keys = 4, .lag = 5}, random);
    for (const GuaranteeResult& result : check_stamped_guarantees(history)) {
      CAPTURE(result.witness ? result.witness->text : "");
      CHECK(result.verdict == Verdict::yes);
    }
  }
}

}  // namespace parallax::checker

// The pure parts of the command line: tables, progress, journal, transfer bookkeeping, output.
#include <set>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "client/cli/journal.h"
#include "client/cli/journal_file.h"
#include "client/cli/latencies.h"
#include "client/cli/output.h"
#include "client/cli/progress.h"
#include "client/cli/table.h"
#include "client/cli/transfer.h"
#include "tests/client/io/result_text.h"

namespace parallax::cli {
namespace {

using namespace std::chrono_literals;  // NOLINT
constexpr MonoTime kStart{100s};

TEST_CASE("table: columns are aligned and lines end with their last cell") {
  Table table({{"ID", Table::Align::right}, {"NAME"}, {"N", Table::Align::right}, {"NOTE"}});
  table.add({"1", "a", "1,000", ""});
  table.add({"22", "grün", "7", "last"});
  CHECK(table.to_string(false) ==
        "ID  NAME      N  NOTE\n"
        " 1  a     1,000\n"
        "22  grün      7  last\n");
}

TEST_CASE("table: a long one comes in parts, its titles once and its columns never narrower") {
  Table table({{"KEY"}, {"N", Table::Align::right}});
  table.add({"a long key", "1"});
  CHECK(table.take(false) ==
        "KEY         N\n"
        "a long key  1\n");
  table.add({"b", "2"});
  CHECK(table.take(false) == "b           2\n");
  table.add({"an even longer key", "3,000"});
  CHECK(table.take(false) == "an even longer key  3,000\n");
  CHECK(table.take(false).empty());
}

TEST_CASE("table: colour changes no column and stored bytes drive no terminal") {
  Table table({{"A"}, {"B"}});
  table.add({Cell("x", Tone::good), Cell("\x1b[31mred\n", Tone::bad)});
  CHECK(table.to_string(false) == "A  B\nx  \\x1b[31mred\\x0a\n");
  CHECK(table.to_string(true) ==
        "\x1b[2mA\x1b[0m  \x1b[2mB\x1b[0m\n\x1b[32mx\x1b[0m  \x1b[31m\\x1b[31mred\\x0a\x1b[0m\n");
}

TEST_CASE("progress: numbers and clocks") {
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1000) == "1,000");
  CHECK(with_commas(1234567) == "1,234,567");
  CHECK(clock_text(0s) == "0:00");
  CHECK(clock_text(1ms) == "0:01");
  CHECK(clock_text(61s) == "1:01");
  CHECK(clock_text(3600s + 62s) == "1:01:02");
  CHECK(clock_text(-5s) == "0:00");
}

TEST_CASE("progress: rate and time left at a steady speed") {
  Progress progress("importing", 1000, 0, kStart);
  CHECK_FALSE(progress.rate());
  CHECK_FALSE(progress.time_left());
  for (std::uint64_t i = 1; i <= 20; ++i) progress.update(i * 10, kStart + i * 100ms);
  CHECK(*progress.rate() == Approx(100));
  CHECK(*progress.time_left() == 8s);
  CHECK(progress.fraction() == Approx(0.2));
  CHECK(progress.line() == "importing   20%  200/1,000  100/s  0:08 left");
  CHECK(progress.bar(80) ==
        "importing  [######--------------------------]   20%  200/1,000  100/s  0:08 left");
  CHECK(progress.bar(30).size() == 30);
  progress.update(1000, kStart + 10s);
  CHECK(progress.line() == "importing  100%  1,000/1,000  100/s  in 0:10");
}

TEST_CASE("progress: what was done earlier is no speed and a stall shows") {
  Progress progress("importing", 1000, 900, kStart);
  progress.update(910, kStart + 1s);
  CHECK(*progress.rate() == Approx(10));
  CHECK(*progress.mean_rate() == Approx(10));
  for (int i = 2; i <= 20; ++i) progress.update(910, kStart + i * 1s);
  CHECK(*progress.rate() == Approx(0));
  CHECK_FALSE(progress.time_left());
  CHECK(progress.line() == "importing   91%  910/1,000  0.0/s  time left unknown");
}

TEST_CASE("progress: speed follows the last five seconds") {
  Progress progress("x", 1'000'000, 0, kStart);
  std::uint64_t done = 0;
  MonoTime now = kStart;
  const auto run = [&](std::uint64_t per_step, int steps) {
    for (int i = 0; i < steps; ++i) progress.update(done += per_step, now += 50ms);
  };
  run(100, 400);  // 20 s at 2,000 a second
  CHECK(*progress.rate() == Approx(2000).epsilon(0.03));
  run(10, 110);  // 5.5 s at 200 a second
  CHECK(*progress.rate() == Approx(200).epsilon(0.05));
}

TEST_CASE("progress: with an unknown total it counts and promises no end") {
  Progress progress("exporting", kStart);
  for (std::uint64_t i = 1; i <= 20; ++i) progress.update(i * 1'000, kStart + i * 100ms);
  CHECK(progress.line() == "exporting  20,000  10,000/s  in 0:02");
  CHECK(progress.bar(80) == progress.line());
  CHECK_FALSE(progress.time_left());
}

TEST_CASE("progress: nothing to do is all done") {
  const Progress progress("importing", 0, 0, kStart);
  CHECK(progress.fraction() == 1.0);
  CHECK(progress.time_left() == Duration{});
}

TEST_CASE("journal: what was written is read back and a torn end is not believed") {
  const ImportIdentity identity{
      .format = "dpkg", .records = 12, .bytes = 99, .crc32 = 7, .cluster = "ab", .prefix = "p /\n"};
  const std::string header = journal_header(identity);
  CHECK(header ==
        "parallax-import 1 format=dpkg records=12 bytes=99 crc32=00000007 cluster=ab "
        "prefix=p%20/%0A\n");
  const std::string text = header + journal_line(3) + journal_line(11) + journal_line(3);
  const auto whole = read_journal(text, identity);
  REQUIRE(whole);
  CHECK(whole->count == 2);
  CHECK(whole->stored[3]);
  CHECK(whole->stored[11]);
  CHECK(whole->bytes == text.size());

  // "1" and "11" differ by what was torn off: without its newline a line does not count.
  const auto torn = read_journal(header + "3\n1", identity);
  REQUIRE(torn);
  CHECK(torn->count == 1);
  CHECK(torn->bytes == header.size() + 2);
  for (const char* bad : {"12\n", "x\n", "-1\n", "\n", "1 \n"}) {
    const auto journal = read_journal(header + "3\n" + bad + "4\n", identity);
    REQUIRE(journal);
    CHECK(journal->count == 1);
  }
  for (std::size_t size = 0; size < header.size(); ++size) {
    CHECK_FALSE(read_journal(header.substr(0, size), identity));
  }
}

TEST_CASE("journal: every part of the identity counts") {
  const ImportIdentity identity{
      .format = "dpkg", .records = 12, .bytes = 99, .crc32 = 7, .cluster = "ab", .prefix = "p"};
  const std::string header = journal_header(identity);
  const auto differs = [&](auto change) {
    ImportIdentity other = identity;
    change(other);
    return !read_journal(header, other);
  };
  CHECK(differs([](ImportIdentity& i) { i.format = "csv"; }));
  CHECK(differs([](ImportIdentity& i) { i.records = 13; }));
  CHECK(differs([](ImportIdentity& i) { i.bytes = 98; }));
  CHECK(differs([](ImportIdentity& i) { i.crc32 = 8; }));
  CHECK(differs([](ImportIdentity& i) { i.cluster = "abc"; }));
  CHECK(differs([](ImportIdentity& i) { i.prefix = "q"; }));
  CHECK_FALSE(differs([](ImportIdentity&) {}));
}

TEST_CASE("journal: places") {
  const auto places = journal_places("/var/lib/dpkg/status", "/x", "/home/u");
  CHECK(places.beside == "/var/lib/dpkg/status.progress");
  CHECK(places.in_state.parent_path() == "/x/parallax");
  CHECK(journal_places("/var/lib/dpkg/status", "", "/home/u").in_state.parent_path() ==
        "/home/u/.local/state/parallax");
  CHECK(journal_places("/other/status", "/x", "").in_state != places.in_state);
  CHECK(journal_places("/var/lib/../lib/dpkg/status", "/x", "").in_state == places.in_state);
  CHECK(journal_places("f", "", "").in_state.empty());
}

Error unsure() {
  return indefinite(ErrorCode::io, "broken");
}
Error sure() {
  return definite(ErrorCode::mixing_denied, "never");
}
Error passing() {
  return definite(ErrorCode::no_leader, "none yet");
}

TEST_CASE("transfer: what is done already is not handed out") {
  Transfer transfer({true, false, true, false}, {});
  CHECK(transfer.done() == 2);
  CHECK(transfer.take() == 1u);
  CHECK(transfer.take() == 3u);
  CHECK_FALSE(transfer.take());
  CHECK_FALSE(transfer.over());
  transfer.succeeded(3);
  transfer.succeeded(1);
  CHECK(transfer.over());
  CHECK(transfer.done() == 4);
  CHECK(transfer.not_tried() == 0);
}

TEST_CASE("transfer: unknown outcomes are repeated and final failures are not") {
  Transfer transfer({false, false}, {.repeats = 2});
  REQUIRE(transfer.take() == 0u);
  REQUIRE(transfer.take() == 1u);
  transfer.failed(0, unsure());
  transfer.failed(1, sure());
  CHECK(transfer.take() == 0u);
  transfer.failed(0, unsure());
  CHECK(transfer.take() == 0u);
  transfer.failed(0, unsure());
  CHECK_FALSE(transfer.take());
  CHECK(transfer.over());
  REQUIRE(transfer.failures().size() == 2);
  CHECK_FALSE(transfer.failures().at(0).definite());
  CHECK(transfer.failures().at(1).definite());
}

TEST_CASE("transfer: a failure that can pass is repeated") {
  Transfer transfer({false}, {.repeats = 1});
  REQUIRE(transfer.take() == 0u);
  transfer.failed(0, passing());
  REQUIRE(transfer.take() == 0u);
  transfer.failed(0, passing());
  CHECK(transfer.over());
  CHECK(transfer.failures().at(0).code == ErrorCode::no_leader);
}

TEST_CASE("transfer: a repeat that succeeds leaves no failure") {
  Transfer transfer({false}, {});
  transfer.take();
  transfer.failed(0, unsure());
  CHECK_FALSE(transfer.over());
  transfer.take();
  transfer.succeeded(0);
  CHECK(transfer.failures().empty());
  CHECK(transfer.over());
}

TEST_CASE("transfer: it gives up when nothing succeeds any more") {
  Transfer transfer(std::vector<bool>(100, false), {.give_up_after = 5});
  for (int i = 0; i < 4; ++i) {
    REQUIRE(transfer.take());
    transfer.failed(static_cast<std::uint64_t>(i), sure());
  }
  REQUIRE(transfer.take() == 4u);
  transfer.succeeded(4);
  for (std::uint64_t i = 5; i < 10; ++i) {
    REQUIRE(transfer.take() == i);
    transfer.failed(i, sure());
  }
  CHECK(transfer.gave_up());
  CHECK_FALSE(transfer.take());
  CHECK(transfer.over());
  CHECK(transfer.not_tried() == 90);
}

TEST_CASE("transfer: every operation ends as one thing over random runs") {
  Random random(17);
  for (int round = 0; round < 300; ++round) {
    const auto total = random.below(40);
    std::vector<bool> already;
    for (std::uint64_t i = 0; i < total; ++i) already.push_back(random.chance(0.3));
    Transfer transfer(already, {.repeats = 2, .give_up_after = 10});
    std::set<std::uint64_t> under_way;
    std::set<std::uint64_t> succeeded;
    while (!transfer.over()) {
      if (random.chance(0.01)) transfer.stop();
      if (under_way.size() < 4 && random.chance(0.6)) {
        if (const auto operation = transfer.take()) {
          REQUIRE(under_way.insert(*operation).second);
          REQUIRE_FALSE(already[*operation]);
          REQUIRE(succeeded.count(*operation) == 0);
          continue;
        }
      }
      if (under_way.empty()) continue;
      const std::uint64_t operation = *std::next(
          under_way.begin(), static_cast<std::ptrdiff_t>(random.below(under_way.size())));
      under_way.erase(operation);
      if (random.chance(0.5)) {
        transfer.succeeded(operation);
        succeeded.insert(operation);
      } else {
        transfer.failed(operation, random.chance(0.5) ? sure() : unsure());
      }
    }
    const auto earlier =
        static_cast<std::uint64_t>(std::count(already.begin(), already.end(), true));
    CHECK(transfer.done() == earlier + succeeded.size());
    CHECK(transfer.done() + transfer.failures().size() + transfer.not_tried() == total);
  }
}

TEST_CASE("output: UTF-8") {
  for (const char* good : {"", "abc", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                           "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    CHECK(is_utf8(good));
  }
  for (const char* bad : {"\x80", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xe0\x80\xaf", "\xe2\x82",
                          "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff"}) {
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("latencies: percentiles are those of the nearest rank") {
  Latencies latencies;
  CHECK_FALSE(latencies.percentile(0.5));
  for (int i = 1000; i >= 1; --i) latencies.add(std::chrono::milliseconds{i});
  CHECK(latencies.count() == 1000);
  CHECK(latencies.percentile(0.5) == 500ms);
  CHECK(latencies.percentile(0.99) == 990ms);
  CHECK(latencies.percentile(0.999) == 999ms);
  CHECK(latencies.percentile(1.0) == 1000ms);
  CHECK(latencies.percentile(0.0001) == 1ms);
  latencies.add(2000ms);
  CHECK(latencies.percentile(1.0) == 2000ms);
}

TEST_CASE("output: stored bytes as cells") {
  CHECK(preview("abc") == "abc");
  CHECK(preview("\x1b[31m") == "\\x1b[31m");
  CHECK(preview("gr\xc3\xbcn") == "gr\xc3\xbcn");
  CHECK(preview("\xff\xc3\xbc") == "\\xff\\xc3\\xbc");
  CHECK(preview(std::string(49, 'x')) == std::string(48, 'x') + "...");
  // Cut in the middle of a character, which then goes as a whole.
  CHECK(preview(std::string(47, 'x') + "\xc3\xbc") == std::string(47, 'x') + "...");
}

TEST_CASE("output: exit codes") {
  CHECK(exit_code(definite(ErrorCode::io, "")) == 3);
  CHECK(exit_code(indefinite(ErrorCode::io, "")) == 4);
  CHECK(exit_code(definite(ErrorCode::bad_parameter, "")) == 2);
  CHECK(exit_code(definite(ErrorCode::unknown_level, "")) == 2);
  CHECK(exit_code(definite(ErrorCode::bad_session, "")) == 2);
  CHECK(exit_code(definite(ErrorCode::precondition_failed, "")) == 3);
  CHECK(exit_code(definite(ErrorCode::not_found, "")) == 3);
}

}  // namespace
}  // namespace parallax::cli

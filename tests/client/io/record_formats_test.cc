// Files of records: what each format means, what it refuses and where, and that what export writes
// is what import reads.
#include "client/cli/record_formats.h"

#include <catch2/catch.hpp>

#include "base/random.h"
#include "client/cli/batch_file.h"
#include "client/cli/commands.h"
#include "tests/client/io/result_text.h"

namespace parallax::cli {
namespace {

using namespace std::chrono_literals;  // NOLINT

/// "line:key=value" of each.
std::vector<std::string> shown(const Result<std::vector<ImportRecord>>& records) {
  if (!records) return {records.error().message};
  std::vector<std::string> lines;
  for (const ImportRecord& record : *records) {
    lines.push_back(std::to_string(record.line) + ":" + record.key + "=" +
                    record.value.to_string());
  }
  return lines;
}
using Lines = std::vector<std::string>;

TEST_CASE("jsonl: keys, values, types and expiry") {
  const auto records = read_jsonl(
      "{\"key\":\"a\",\"value\":\"x\\n\\u0000\"}\r\n"
      "\n"
      "{\"key_base64\":\"/w==\",\"value_base64\":\"AAH/\",\"content_type\":\"a/b\"}\n"
      "  {\"key\":\"\xc3\xbc\",\"value\":\"\",\"ttl_ms\":1500}",
      "p/");
  REQUIRE(records);
  REQUIRE(records->size() == 3);
  CHECK((*records)[0].key == "p/a");
  CHECK((*records)[0].value == Bytes(std::string("x\n\0", 3)));
  CHECK((*records)[0].line == 1);
  CHECK_FALSE((*records)[0].ttl);
  CHECK((*records)[1].key == "p/\xff");
  CHECK((*records)[1].value == Bytes(std::string("\0\1\xff", 3)));
  CHECK((*records)[1].content_type == "a/b");
  CHECK((*records)[1].line == 3);
  CHECK((*records)[2].key == "p/\xc3\xbc");
  CHECK((*records)[2].value.empty());
  CHECK((*records)[2].ttl == 1500ms);
  CHECK(read_jsonl("", "")->empty());
  CHECK(shown(read_jsonl("\xef\xbb\xbf{\"key\":\"a\",\"value\":\"b\"}", "")) == Lines{"1:a=b"});
}

TEST_CASE("jsonl: what is wrong is named with its line") {
  struct Row {
    std::string line;
    const char* says;
  };
  for (const Row& row : std::vector<Row>{
           {"{", "no JSON"},
           {"[1]", "expected an object"},
           {R"({"key":"a","value":"b"} x)", "no JSON"},
           {R"({"key":"a"})", "\"value\" and \"value_base64\", found neither"},
           {R"({"value":"a"})", "\"key\" and \"key_base64\", found neither"},
           {R"({"key":"a","value":"b","value_base64":"Yg=="})", "found both"},
           {R"({"key":1,"value":"b"})", "\"key\" is no string"},
           {R"({"key":"a","value_base64":"Yg"})", "\"value_base64\" is no base64"},
           {R"({"key":"a","value":"b","ttl":1})", "unknown member 'ttl'"},
           {R"({"key":"a","value":"b","ttl_ms":0})", "\"ttl_ms\" is not a whole number"},
           {R"({"key":"a","value":"b","ttl_ms":1.5})", "\"ttl_ms\" is not a whole number"},
           {R"({"key":"a","value":"b","ttl_ms":"1"})", "\"ttl_ms\" is not a whole number"},
           {R"({"key":"a","value":"b","content_type":1})", "\"content_type\" is no string"},
           {R"({"key":"","value":"b"})", "the key has 0 bytes"},
           {R"({"key":")" + std::string(1025, 'k') + R"(","value":"b"})", "1025 bytes"},
           {"{\"key\":\"\xff\",\"value\":\"b\"}", "no JSON"},
       }) {
    const auto records =
        read_jsonl("{\"key\":\"good\",\"value\":\"\"}\n\n" + row.line + "\n{\"also bad\"\n", "");
    INFO(row.line);
    REQUIRE_FALSE(records);
    CHECK(records.error().code == ErrorCode::bad_parameter);
    CHECK_THAT(records.error().message, Catch::StartsWith("line 3: ") && Catch::Contains(row.says));
  }
}

TEST_CASE("csv: RFC 4180, its examples and its corners") {
  CHECK(shown(read_csv("key,value\r\na,b\r\nc,d\r\n", "p/")) == Lines{"2:p/a=b", "3:p/c=d"});
  CHECK(shown(read_csv("key,value\na,b", "")) == Lines{"2:a=b"});
  CHECK(shown(read_csv("\"key\",\"value\"\n\"a\",\"b,\"\"c\"\"\r\nd\"\ne,f\n", "")) ==
        Lines{"2:a=b,\"c\"\r\nd", "4:e=f"});
  CHECK(shown(read_csv("key,value\n\na,\n\n\"b\",\"\"\n", "")) == Lines{"3:a=", "5:b="});
  CHECK(shown(read_csv("key,value\n a , b \n", "")) == Lines{"2: a = b "});
  CHECK(shown(read_csv("\xef\xbb\xbfkey,value\na,b\r", "")) == Lines{"2:a=b"});
  CHECK(shown(read_csv("key,value\n", "")).empty());
  CHECK(read_csv(std::string("key,value\na,\0b\n", 15), "")->front().value ==
        Bytes(std::string("\0b", 2)));
}

TEST_CASE("csv: what is wrong is named with its line") {
  const auto refused = [](const std::string& file, const std::string& line, const char* says) {
    const auto records = read_csv(file, "");
    INFO(file);
    REQUIRE_FALSE(records);
    CHECK(records.error().code == ErrorCode::bad_parameter);
    CHECK_THAT(records.error().message,
               Catch::StartsWith("line " + line + ": ") && Catch::Contains(says));
  };
  refused("", "1", "header key,value");
  refused("value,key\n", "1", "header key,value");
  refused("key,value,more\n", "1", "header key,value");
  refused("a,b\n", "1", "header key,value");
  refused("key,value\na,b\nc\n", "3", "1 field;");
  refused("key,value\na,b,c\n", "2", "3 fields;");
  refused("key,value\n,b\n", "2", "0 bytes");
  refused("key,value\n\"a\nb\",c\nd,e\"f\n", "4", "a quote inside a field");
  refused("key,value\na,\"b\" \n", "2", "behind a closing quote");
  // Where the quote was opened, not where the file ends.
  refused("key,value\na,b\nc,\"d\ne,f\ng,h\n", "3", "never closed");
  refused("key,value\na,b\rc\n", "2", "carriage return");
}

std::string random_bytes(Random& random, std::uint64_t most, bool text) {
  std::string bytes;
  for (auto left = random.below(most); left > 0; --left) {
    bytes += static_cast<char>(text ? ' ' + random.below(95) : random.below(256));
  }
  return bytes;
}

TEST_CASE("jsonl: what export writes import reads, byte for byte") {
  Random random(11);
  for (int round = 0; round < 3'000; ++round) {
    const Item item{.key = "k" + random_bytes(random, 40, random.chance(0.5)),
                    .stamp = {},
                    .value = Bytes(random_bytes(random, 60, random.chance(0.5))),
                    .content_type = random.chance(0.5) ? "text/x; charset=\"y\"" : ""};
    const std::string line = jsonl_line(item);
    REQUIRE(std::count(line.begin(), line.end(), '\n') == 1);
    const auto records = read_jsonl(line, "");
    REQUIRE(records);
    REQUIRE(
        *records ==
        std::vector<ImportRecord>{
            {.key = item.key, .value = item.value, .content_type = item.content_type, .line = 1}});
  }
}

TEST_CASE("csv: whatever is quoted comes back, over random tables") {
  Random random(12);
  const auto quoted = [](const std::string& text) {
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
    return out + '"';
  };
  for (int round = 0; round < 500; ++round) {
    std::string file = "key,value\n";
    Lines expected;
    std::size_t line = 2;
    for (auto left = random.below(8); left > 0; --left) {
      const std::string key = "k" + random_bytes(random, 6, false);
      const std::string value = random_bytes(random, 20, false);
      expected.push_back(std::to_string(line) + ":" + key + "=" + value);
      const std::string row = quoted(key) + "," + quoted(value) + (random.chance(0.5) ? "\r" : "");
      line += 1 + static_cast<std::size_t>(std::count(row.begin(), row.end(), '\n'));
      file += row + "\n";
    }
    REQUIRE(shown(read_csv(file, "")) == expected);
  }
}

TEST_CASE("records: of several with one key the last one counts") {
  const auto records = read_csv("key,value\na,1\nb,2\na,3\nc,4\na,5\n", "");
  REQUIRE(records);
  CHECK(superseded(*records) == std::vector<bool>{true, false, true, false, false});
  CHECK(superseded({}).empty());
}

TEST_CASE("batch: every member of every operation") {
  const auto batch = parse_batch(R"({"operations":[
      {"op":"put","key":"a","value":"x","content_type":"t/x","ttl_ms":5,"if_none_match":"*",
       "idempotency_key":"i","consistency":"linearizable"},
      {"op":"put","key_base64":"/w==","value_base64":"AA=="},
      {"op":"get","key":"a","consistency":"prefix","siblings":true},
      {"op":"delete","key":"a","if_match":"\"100-1\", 200-2"},
      {"op":"increment","key":"n","by":-9223372036854775808},
      {"op":"increment","key":"n"}]})");
  REQUIRE(batch);
  REQUIRE(batch->size() == 6);
  const auto& first = (*batch)[0];
  CHECK(std::get<Put>(first.operation) ==
        Put{.key = "a", .value = "x", .content_type = "t/x", .ttl = 5ms});
  CHECK(first.conditions.if_none_match == any_version());
  CHECK(first.idempotency_key == "i");
  CHECK(first.consistency == Consistency{.level = Level::linearizable});
  CHECK(std::get<Put>((*batch)[1].operation) ==
        Put{.key = "\xff", .value = Bytes(std::string(1, '\0'))});
  CHECK(std::get<Get>((*batch)[2].operation) == Get{.key = "a", .siblings = true});
  CHECK((*batch)[3].conditions.if_match ==
        EtagSet{.stamps = {*Stamp::parse("100-1"), *Stamp::parse("200-2")}});
  CHECK(std::get<Increment>((*batch)[4].operation) ==
        Increment{.key = "n", .by = std::numeric_limits<std::int64_t>::min()});
  CHECK(std::get<Increment>((*batch)[5].operation).by == 1);
  CHECK(parse_batch(R"([{"op":"get","key":"a"}])")->size() == 1);
  const auto level = [](const std::string& members) {
    const auto one = parse_batch(R"([{"op":"delete","key":"a",)" + members + "}]");
    REQUIRE(one);
    return one->front().consistency;
  };
  CHECK(level(R"("consistency":"quorum","r":1,"w":"all","sloppy":true,"repair":"blocking")") ==
        Consistency{Level::quorum, 1, Consistency::kAll, true, true});
  CHECK(level(R"("consistency":"two")") == Consistency{Level::quorum, 2, 2});
}

TEST_CASE("batch: what is wrong is named") {
  struct Row {
    const char* text;
    const char* says;
  };
  for (const Row& row : std::vector<Row>{
           {"{", "no JSON"},
           {"1", "no array"},
           {R"({"ops":[]})", "\"operations\" alone"},
           {"[]", "0 operations; expected 1 to 1000"},
           {"[1]", "operations[0]: is no object"},
           {R"([{"op":"get","key":"a"},{"key":"a"}])", "operations[1].op: missing"},
           {R"([{"op":"fetch","key":"a"}])", "'fetch' is none of put, get, delete, increment"},
           {R"([{"op":"get"}])", "found neither"},
           {R"([{"op":"get","key":"a","value":"x"}])", "get takes no member 'value'"},
           {R"([{"op":"put","key":"a"}])", "\"value\" and \"value_base64\", found neither"},
           {R"([{"op":"put","key":"a","value":"x","ttl_ms":0}])", "operations[0].ttl_ms"},
           {R"([{"op":"increment","key":"a","by":"1"}])", "operations[0].by"},
           {R"([{"op":"increment","key":"a","by":9223372036854775808}])", "operations[0].by"},
           {R"([{"op":"delete","key":"a","if_match":"W/x"}])", "operations[0].if_match"},
           {R"([{"op":"get","key":"a","consistency":"wish"}])", "operations[0].consistency"},
           {R"([{"op":"get","key":"a","r":1}])", "operations[0].consistency: missing"},
           {R"([{"op":"get","key":"a","consistency":"quorum","r":1.5}])", "operations[0].r"},
           {R"([{"op":"get","key":"a","consistency":"quorum","w":0}])", "w='0' must be"},
           {R"([{"op":"get","key":"a","consistency":"weak","w":1}])", "parameter of weak"},
           {R"([{"op":"increment","key":"a","consistency":"strong","w":1}])", "'w'"},
       }) {
    const auto batch = parse_batch(row.text);
    INFO(row.text);
    REQUIRE_FALSE(batch);
    CHECK(batch.error().code == ErrorCode::bad_parameter);
    CHECK_THAT(batch.error().message, Catch::Contains(row.says));
  }
}

TEST_CASE("command line: durations and versions as text") {
  CHECK(*parse_duration("250ms") == 250ms);
  CHECK(*parse_duration("60s") == 60s);
  CHECK(*parse_duration("5m") == 5min);
  CHECK(*parse_duration("2h") == 2h);
  CHECK(*parse_duration("7d") == 168h);
  for (const char* bad : {"", "5", "s", "-5s", "5 s", "5S", "1.5s", "5000000000s"}) {
    INFO(bad);
    CHECK_FALSE(parse_duration(bad));
  }
  CHECK(*parse_versions("*") == any_version());
  CHECK(*parse_versions("100-1") == this_version(*Stamp::parse("100-1")));
  CHECK(parse_versions("\"100-1\" , 200-2")->stamps.size() == 2);
  for (const char* bad : {"", "100", "\"100-1", "100-1,", "W/\"100-1\"", "**"}) {
    INFO(bad);
    CHECK_FALSE(parse_versions(bad));
  }
}

}  // namespace
}  // namespace parallax::cli

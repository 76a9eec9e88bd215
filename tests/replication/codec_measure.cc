// Costs of the wire, printed and not judged: replication_tests "[.measure]".
#include <chrono>
#include <cstdio>

#include <catch2/catch.hpp>

#include "replication/codec.h"
#include "replication/command.h"
#include "replication/frame.h"

namespace parallax::test {
namespace {

template <class Body>
double nanoseconds_each(int times, Body body) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) body();
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
  return spent.count() / times;
}

WriteKey write_of_100_bytes() {
  Version version;
  version.stamp = {Hlc{std::uint64_t{1'700'000'000'000} << 16}, NodeId{1}};
  version.context.advance(kLogActor, Hlc{version.stamp.hlc.value - 1});
  version.value = std::string(100, 'v');
  KeyState state;
  state.add(std::move(version));
  return {"user/1234", std::move(state)};
}

}  // namespace

TEST_CASE("measure: the wire", "[.measure]") {
  constexpr int kTimes = 300'000;
  Envelope envelope;
  envelope.from = NodeId{1};
  envelope.to = NodeId{2};
  envelope.incarnation = Incarnation{1};
  envelope.clock = Hlc{std::uint64_t{1'700'000'000'000} << 16};
  envelope.physical = {UnixMillis{1'700'000'000'000}, UnixMillis{1'700'000'000'000},
                       UnixMillis{1'700'000'000'000}};
  AppendEntries append{.term = Term{3}, .prev_index = LogIndex{100'000}, .prev_term = Term{3}};
  for (std::uint64_t i = 1; i <= 13; ++i) {
    append.entries.push_back(
        {.term = Term{3}, .index = append.prev_index + i, .payload = std::string(130, 'p')});
  }
  envelope.message = std::move(append);

  std::size_t sum = 0;
  std::string out;
  encode_envelope(envelope, out);
  const Bytes frame{out};
  std::printf("append-entries with 13 entries of 130 bytes: %zu bytes\n", frame.size());
  std::printf("  encode      %7.0f ns\n", nanoseconds_each(kTimes, [&] {
                out.clear();
                encode_envelope(envelope, out);
                sum += out.size();
              }));
  std::printf("  decode      %7.0f ns\n",
              nanoseconds_each(kTimes, [&] { sum += decode_envelope(frame)->message.index(); }));
  std::printf("  frame       %7.0f ns\n", nanoseconds_each(kTimes, [&] {
                out.clear();
                append_frame(out, frame.view());
                sum += out.size();
              }));
  FrameReader reader;
  std::printf("  unframe     %7.0f ns\n", nanoseconds_each(kTimes, [&] {
                std::string_view received = out;
                sum += (*reader.next(received))->size();
              }));

  const Command command = write_of_100_bytes();
  const Bytes payload = encode_command(command);
  std::printf("write of 100 bytes: %zu bytes\n", payload.size());
  std::printf("  encode      %7.0f ns\n",
              nanoseconds_each(kTimes, [&] { sum += encode_command(command).size(); }));
  std::printf("  decode      %7.0f ns\n",
              nanoseconds_each(kTimes, [&] { sum += decode_command(payload)->index(); }));
  CHECK(sum > 0);
}

}  // namespace parallax::test

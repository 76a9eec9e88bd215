#include "replication/frame.h"

#include <catch2/catch.hpp>

#include "base/limits.h"
#include "tests/replication/random_message.h"

namespace parallax::test {
namespace {

std::string framed(std::string_view payload) {
  std::string out;
  append_frame(out, payload);
  return out;
}

/// What a reader makes of a stream that comes in pieces of 1 to `piece` bytes.
struct Reading {
  std::vector<std::string> frames;
  std::optional<Error> error;
  bool between_frames = false;
};

Reading read_all(std::string_view stream, Random& random, std::size_t piece) {
  Reading reading;
  FrameReader reader;
  while (!stream.empty() && !reading.error) {
    const std::size_t size =
        std::min<std::size_t>(stream.size(), static_cast<std::size_t>(random.between(1, piece)));
    std::string_view received = stream.substr(0, size);
    stream.remove_prefix(size);
    while (true) {
      auto frame = reader.next(received);
      if (!frame) {
        reading.error = frame.error();
        break;
      }
      if (!*frame) break;
      reading.frames.push_back((*frame)->to_string());
    }
    if (!reading.error && !received.empty()) FAIL(received.size() << " bytes left over");
  }
  reading.between_frames = reader.between_frames();
  return reading;
}

}  // namespace

TEST_CASE("frame: a stream in any pieces gives the payloads in order", "[random]") {
  Random random(1);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<std::string> payloads;
    std::string stream;
    for (std::uint64_t left = random.below(8); left > 0; --left) {
      payloads.push_back("p" + random_bytes(random, 300));
      append_frame(stream, payloads.back());
    }
    const Reading reading = read_all(stream, random, 1 + random.below(700));
    REQUIRE_FALSE(reading.error);
    REQUIRE(reading.frames == payloads);
    REQUIRE(reading.between_frames);
  }
}

TEST_CASE("frame: a payload of any size up to the bound passes") {
  Random random(2);
  for (const std::size_t size : {std::size_t{1}, std::size_t{65'536}, std::size_t{65'537},
                                 std::size_t{1} << 20, limits::kMaxFrameBytes}) {
    const std::string payload(size, 'x');
    const Reading reading = read_all(framed(payload), random, 1 << 20);
    REQUIRE_FALSE(reading.error);
    REQUIRE(reading.frames.size() == 1);
    CHECK(reading.frames[0] == payload);
  }
}

TEST_CASE("frame: written around a payload it is the same") {
  std::string out = "before";
  const std::size_t begun = begin_frame(out);
  out += "payload";
  end_frame(out, begun);
  CHECK(out == "before" + framed("payload"));
}

TEST_CASE("frame: a length out of bounds ends the stream") {
  FrameReader reader;
  SECTION("too long, found before any payload arrives") {
    std::string_view header("\x01\x00\x00\x04zzzz", 8);
    const auto frame = reader.next(header);
    REQUIRE_FALSE(frame.has_value());
    CHECK(frame.error().code == ErrorCode::corrupt);
    CHECK(frame.error().message == "a frame of 67108865 bytes, 1 to 67108864 expected");
  }
  SECTION("zeros are no frames") {
    std::string_view zeros("\0\0\0\0\0\0\0\0", 8);
    const auto frame = reader.next(zeros);
    REQUIRE_FALSE(frame.has_value());
    CHECK(frame.error().message == "a frame of 0 bytes, 1 to 67108864 expected");
  }
}

TEST_CASE("frame: after damage a reader yields nothing more") {
  std::string damaged = framed("payload");
  SECTION("in the payload") {
    damaged.back() ^= 1;
  }
  SECTION("in the length") {
    damaged[3] = '\x7f';
  }
  FrameReader reader;
  std::string_view received = damaged;
  const auto first = reader.next(received);
  REQUIRE_FALSE(first.has_value());
  const std::string good = framed("good");
  received = good;
  const auto second = reader.next(received);
  REQUIRE_FALSE(second.has_value());
  CHECK((second.error() == first.error()));
}

TEST_CASE("frame: every single bit flip is found") {
  Random random(3);
  for (const std::size_t size : {std::size_t{1}, std::size_t{13}, std::size_t{700}}) {
    std::string payload(size, '\0');
    for (char& c : payload) c = static_cast<char>(random.next());
    const std::string frame = framed(payload);
    // What follows is long enough that a payload grown by a flip of the low 22 bits is whole.
    const std::string stream = frame + framed(std::string((2 << 20), 'y'));
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
      std::string damaged = stream;
      damaged[bit / 8] ^= static_cast<char>(1 << (bit % 8));
      FrameReader reader;
      std::string_view received = damaged;
      const auto got = reader.next(received);
      // A length that has become larger than all that came is still waited for; others are found.
      const bool still_waited_for = bit >= 22 && bit < 26;
      INFO("bit " << bit << " of a payload of " << size);
      if (still_waited_for) {
        REQUIRE(got.has_value());
        REQUIRE_FALSE(got->has_value());
      } else {
        REQUIRE_FALSE(got.has_value());
        REQUIRE(got.error().code == ErrorCode::corrupt);
      }
    }
  }
}

TEST_CASE("frame: a length alone takes no memory") {
  // Ten thousand connections that each announce 64 MiB: the room follows what arrives.
  std::vector<FrameReader> readers(10'000);
  for (FrameReader& reader : readers) {
    std::string_view header("\x00\x00\x00\x04zzzzx", 9);
    const auto frame = reader.next(header);
    REQUIRE(frame.has_value());
    REQUIRE_FALSE(frame->has_value());
    REQUIRE_FALSE(reader.between_frames());
  }
}

// When this fails, nodes of the last release do not understand this one.
TEST_CASE("frame: its bytes stay what they are") {
  // zlib.crc32(b"\x05\0\0\0hello") in Python.
  CHECK(framed("hello") ==
        std::string("\x05\x00\x00\x00", 4) + std::string("\x7a\x00\xac\x5c", 4) + "hello");
}

}  // namespace parallax::test

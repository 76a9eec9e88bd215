// instruction_kernels KERNEL: does one of the hot paths some hundred times, so that valgrind can
// count its instructions (instructions_test.cc). Without an argument it lists the kernels.
//
// Only what is between the brackets of `Counted` is counted. Nothing in here may depend on the
// time, on addresses, on threads or on chance: the same program counts the same on every run.
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <valgrind/callgrind.h>

#include "base/assert.h"
#include "consistency/checker/linearizability.h"
#include "node/http_render.h"
#include "node/http_routes.h"
#include "node/io/http_head.h"
#include "replication/codec.h"
#include "tests/checker/random_history.h"
#include "tests/instructions/counted_memory.h"
#include "tests/instructions/plain_cluster.h"

namespace parallax::instructions {
namespace {

using namespace std::chrono_literals;

/// Operations that one turn takes in: about what a batch holds at 64 clients.
constexpr std::size_t kPerTurn = 16;
constexpr std::size_t kKeys = 256;

struct Totals {
  std::uint64_t operations = 0;
  std::uint64_t allocations = 0;
};

/// While it lives, and only if `on`, instructions and allocations are counted.
class Counted {
 public:
  Counted(Totals& totals, bool on) : totals_(totals), on_(on), before_(allocations()) {
    if (on_) CALLGRIND_TOGGLE_COLLECT;
  }
  ~Counted() {
    if (!on_) return;
    CALLGRIND_TOGGLE_COLLECT;
    totals_.allocations += allocations() - before_;
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  Totals& totals_;
  bool on_;
  std::uint64_t before_;
};

// --- A node, from the bytes of a request to the bytes of its answer
// -------------------------------

std::string key_of(std::size_t i) {
  return fmt::format("bench/{:04}", i);
}
std::string put_text(std::size_t i, Level level) {
  return fmt::format(
      "PUT /v1/kv/{}?consistency={} HTTP/1.1\r\nHost: 127.0.0.1:7101\r\nContent-Length: "
      "100\r\n\r\n{:0100}",
      key_of(i), Consistency{.level = level}.to_string(), i);
}
std::string get_text(std::size_t i, Level level) {
  return fmt::format("GET /v1/kv/{}?consistency={} HTTP/1.1\r\nHost: 127.0.0.1:7101\r\n\r\n",
                     key_of(i), Consistency{.level = level}.to_string());
}

/// What a connection does with requests, without the connection.
class Front {
 public:
  explicit Front(PlainNode& node) : node_(node) {}

  void take(std::string_view text) {
    const auto size = find_head_end(text, 0);
    PARALLAX_ASSERT(size && head_.parse(text.substr(0, *size)), "the request is good");
    std::string body(text.substr(*size));
    Routed routed = route({.method = head_.method,
                           .target = head_.target,
                           .headers = head_.headers,
                           .body = body.empty() ? Bytes() : Bytes(std::move(body))},
                          {});
    auto& call = std::get<KvCall>(routed);
    forms_.push_back(std::move(call.form));
    node_.request(RequestId{first_ + forms_.size() - 1}, std::move(call.request));
  }
  /// Renders the answers that have come.
  void answer() {
    for (const auto& [id, reply] : node_.replies) {
      PARALLAX_ASSERT(reply, "{}", reply.error().message);
      out_.clear();
      append_kv_reply(forms_[id.value - first_], reply, {.date = "Tue, 14 Nov 2023 22:13:20 GMT"},
                      "", out_);
      ++answered_;
    }
    node_.replies.clear();
  }
  /// All that was taken has been answered.
  void finish() {
    PARALLAX_ASSERT(answered_ == forms_.size(), "{} answers", answered_);
    first_ += forms_.size();
    forms_.clear();
    answered_ = 0;
  }

 private:
  PlainNode& node_;
  HttpHead head_;
  std::uint64_t first_ = 1;
  std::vector<KvForm> forms_;  ///< of requests first_ and on
  std::size_t answered_ = 0;
  std::string out_;
};

/// The parts of one turn's work that can be counted.
enum class Part { propose, follow, commit, apply };

class NodeKernel {
 public:
  NodeKernel() : front_(cluster_.leader()) {
    for (std::size_t i = 0; i < kKeys; i += kPerTurn) {
      put(i, Part::propose, false);
      put_causal(i, Part::propose, false);
    }
  }

  void put(std::size_t first, Part part, bool counted) {
    PlainNode& leader = cluster_.leader();
    const auto texts =
        texts_of(first, [](std::size_t i) { return put_text(i % kKeys, Level::linearizable); });
    tick();
    {
      const Counted c(totals, counted && part == Part::propose);
      leader.take_inputs();
      for (const std::string& text : texts) front_.take(text);
      leader.turn();
    }
    sent = cluster_.follower().inbox.front();
    {
      const Counted c(totals, counted && part == Part::follow);
      cluster_.follower().take_inputs();
      cluster_.follower().turn();
    }
    leader.write_batches();
    cluster_.settle_all_but(leader);
    {
      const Counted c(totals, counted && part == Part::commit);
      leader.take_inputs();
      leader.turn();
      front_.answer();
    }
    {
      const Counted c(totals, counted && part == Part::apply);
      cluster_.follower().take_inputs();
      cluster_.follower().turn();
    }
    finish(counted);
  }

  /// At the node that the leader is, which is one like any other here.
  void put_causal(std::size_t first, Part part, bool counted) {
    PlainNode& origin = cluster_.leader();
    const auto texts =
        texts_of(first, [](std::size_t i) { return put_text(kKeys + i % kKeys, Level::causal); });
    tick();
    {
      const Counted c(totals, counted && part == Part::propose);
      origin.take_inputs();
      for (const std::string& text : texts) front_.take(text);
      origin.turn();
    }
    origin.write_batches();
    {
      const Counted c(totals, counted && part == Part::commit);
      origin.take_inputs();
      origin.turn();
      front_.answer();
    }
    {
      const Counted c(totals, counted && part == Part::apply);
      cluster_.follower().take_inputs();
      cluster_.follower().turn();
    }
    finish(counted);
  }

  void get(std::size_t first, Level level, bool counted) {
    PlainNode& leader = cluster_.leader();
    const auto texts = texts_of(first, [&](std::size_t i) { return get_text(i % kKeys, level); });
    tick();
    {
      const Counted c(totals, counted);
      leader.take_inputs();
      for (const std::string& text : texts) front_.take(text);
      leader.turn();
      front_.answer();
    }
    cluster_.settle_all_but(leader);
    {
      const Counted c(totals, counted && level == Level::linearizable);
      leader.take_inputs();
      leader.turn();
      front_.answer();
    }
    finish(counted);
  }

  Totals totals;
  Envelope sent;  ///< what the follower was sent last

 private:
  template <class Text>
  static std::vector<std::string> texts_of(std::size_t first, Text text) {
    std::vector<std::string> texts;
    for (std::size_t i = first; i < first + kPerTurn; ++i) texts.push_back(text(i));
    return texts;
  }
  /// Time goes on, and what is due by it is done: the turns below have nothing beside their
  /// requests to do.
  void tick() {
    cluster_.pass_time(200us);
    cluster_.settle();
  }
  void finish(bool counted) {
    if (!counted) {  // the first write waits until the clock may issue stamps
      cluster_.settle();
      front_.answer();
    }
    front_.finish();
    cluster_.settle();
    if (counted) totals.operations += kPerTurn;
  }

  PlainCluster cluster_;
  Front front_;
};

constexpr std::size_t kWarm = 16;  ///< turns before those that are counted
constexpr std::size_t kTurns = 32;

Totals puts(Part part) {
  NodeKernel kernel;
  for (std::size_t turn = 0; turn < kWarm + kTurns; ++turn) {
    kernel.put(turn * kPerTurn, part, turn >= kWarm);
  }
  return kernel.totals;
}

Totals causal_puts(Part part) {
  NodeKernel kernel;
  for (std::size_t turn = 0; turn < kWarm + kTurns; ++turn) {
    kernel.put_causal(turn * kPerTurn, part, turn >= kWarm);
  }
  return kernel.totals;
}

Totals gets(Level level) {
  NodeKernel kernel;
  for (std::size_t turn = 0; turn < kWarm + kTurns; ++turn) {
    kernel.get(turn * kPerTurn, level, turn >= kWarm);
  }
  return kernel.totals;
}

// --- The wire
// -------------------------------------------------------------------------------------

Totals wire(bool encode) {
  NodeKernel kernel;
  kernel.put(0, Part::propose, false);
  PARALLAX_ASSERT(std::get<AppendEntries>(kernel.sent.message).entries.size() == kPerTurn,
                  "a batch of puts");
  std::string bytes;
  encode_envelope(kernel.sent, bytes);
  const Bytes frame{bytes};
  Totals totals;
  for (std::size_t i = 0; i < 2 * kTurns; ++i) {
    const bool counted = i >= kTurns;
    const Counted c(totals, counted);
    if (encode) {
      bytes.clear();
      encode_envelope(kernel.sent, bytes);
    } else {
      PARALLAX_ASSERT(decode_envelope(frame), "what was encoded decodes");
    }
    totals.operations += counted ? 1 : 0;
  }
  return totals;
}

// --- The checkers
// ---------------------------------------------------------------------------------

Totals check(checker::Shape shape, checker::Method method) {
  Random random(1);
  const checker::History history = checker::random_history(shape, random);
  Totals totals;
  for (const bool counted : {false, true}) {
    const Counted c(totals, counted);
    const auto result = checker::check_linearizability(history, {.method = method});
    PARALLAX_ASSERT(result.verdict == checker::Verdict::yes, "the history is good");
  }
  totals.operations = shape.operations;
  return totals;
}

Totals check_by_zones() {
  return check({.operations = 10'000, .clients = 20, .keys = 10, .longest = 1000},
               checker::Method::automatic);
}
Totals check_by_search() {
  using enum checker::OperationKind;
  return check({.operations = 2'000,
                .clients = 10,
                .keys = 10,
                .kinds = {read, write, cas},
                .values = 5,
                .longest = 100,
                .unknown = 0.01},
               checker::Method::search);
}

struct Kernel {
  const char* name;
  Totals (*run)();
};

constexpr Kernel kKernels[] = {
    {"put-propose", [] { return puts(Part::propose); }},
    {"put-follow", [] { return puts(Part::follow); }},
    {"put-commit", [] { return puts(Part::commit); }},
    {"put-apply", [] { return puts(Part::apply); }},
    {"causal-write", [] { return causal_puts(Part::propose); }},
    {"causal-answer", [] { return causal_puts(Part::commit); }},
    {"causal-deliver", [] { return causal_puts(Part::apply); }},
    {"get-linearizable", [] { return gets(Level::linearizable); }},
    {"get-prefix", [] { return gets(Level::prefix); }},
    {"append-encode", [] { return wire(true); }},
    {"append-decode", [] { return wire(false); }},
    {"check-zones", check_by_zones},
    {"check-search", check_by_search},
};

}  // namespace
}  // namespace parallax::instructions

int main(int argc, char** argv) {
  using namespace parallax::instructions;
  if (argc == 1) {
    for (const Kernel& kernel : kKernels) std::puts(kernel.name);
    return 0;
  }
  for (const Kernel& kernel : kKernels) {
    if (argc != 2 || std::strcmp(kernel.name, argv[1]) != 0) continue;
    const Totals totals = kernel.run();
    std::printf("%llu %llu\n", static_cast<unsigned long long>(totals.operations),
                static_cast<unsigned long long>(totals.allocations));
    return 0;
  }
  std::fputs("usage: instruction_kernels KERNEL; without an argument it lists them\n", stderr);
  return 2;
}

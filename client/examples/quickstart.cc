// The client library in one page: a session, a write that happens only over the version that was
// read, and a range.
//
//   scripts/cluster up && build/release/bin/parallax_quickstart 127.0.0.1:7101
#include <cstdio>

#include <fmt/format.h>

#include "client/range_reader.h"

namespace {

/// Every error says whether the operation may have happened.
int fail(const parallax::Error& error) {
  fmt::print(stderr, "{} ({})\n", error.message,
             error.definite() ? "it did not happen" : "it may have happened");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace parallax;
  auto opened = Client::open({.endpoints = {argc > 1 ? argv[1] : "127.0.0.1:7101"}});
  if (!opened) return fail(opened.error());
  Client& client = **opened;

  // Whatever uses this session sees at least what it has seen and written, at any node. A write
  // that has an idempotency key is sent again when its answer is lost, and still happens once.
  const Session session;
  const auto written = client.put("quickstart/greeting", "hello",
                                  {.session = session, .idempotency_key = draw_idempotency_key()});
  if (!written) return fail(written.error());

  // Only over what we stored: somebody else's write in between is not lost.
  const auto replaced = client.put("quickstart/greeting", "hello, world",
                                   {.session = session,
                                    .if_match = this_version(*written->stamp),
                                    .idempotency_key = draw_idempotency_key()});
  if (!replaced) return fail(replaced.error());
  const auto late = client.put(
      "quickstart/greeting", "too late",
      {.if_match = this_version(*written->stamp), .idempotency_key = draw_idempotency_key()});
  if (late) return 1;
  if (late.error().code != ErrorCode::precondition_failed) return fail(late.error());
  fmt::print("refused: version {} is there now\n", late.error().etag);

  // A range; the answer names the level that it got, and what it rests on.
  RangeReader range(client, prefix_range("quickstart/"), {.session = session});
  auto item = range.next();
  for (; item && *item; item = range.next()) {
    fmt::print("{} = {}\n", (*item)->key, (*item)->value.view());
  }
  if (!item) return fail(item.error());
  fmt::print("read at {}, served by node {}\n", range.page().consistency.to_string(),
             range.page().evidence.node);
  return 0;
}

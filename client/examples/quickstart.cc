// The client library in one page: store a value, read it at two levels, see how an answer came to
// be.
//
//   scripts/cluster up && build/release/bin/parallax_quickstart 127.0.0.1:7101
#include <cstdio>

#include <fmt/format.h>

#include "client/client.h"

using parallax::Answer;
using parallax::Client;
using parallax::Consistency;
using parallax::Level;
using parallax::Result;

namespace {

/// Every error says whether the operation may have happened.
int fail(const parallax::Error& error) {
  fmt::print(stderr, "{} ({})\n", error.message,
             error.definite() ? "it did not happen" : "it may have happened");
  return 1;
}

void show(const char* what, const Answer& answer) {
  fmt::print("{:<18} \"{}\"  level {}, served by node {}\n", what, answer.value.view(),
             answer.consistency.to_string(), answer.evidence.node);
}

}  // namespace

int main(int argc, char** argv) {
  auto client = Client::open({.endpoints = {argc > 1 ? argv[1] : "127.0.0.1:7101"}});
  if (!client) return fail(client.error());
  const std::string key = "quickstart/greeting";

  const Result<Answer> written = (*client)->put(key, "hello");
  if (!written) return fail(written.error());
  fmt::print("stored version {}\n", written->stamp->to_string());

  // The newest value, as if there were one copy.
  const Result<Answer> newest = (*client)->get(key);
  if (!newest) return fail(newest.error());
  show("linearizable read", *newest);

  // What one replica has by now: faster, perhaps older.
  const Result<Answer> local = (*client)->get(key, {.consistency = Consistency{Level::prefix}});
  if (!local) return fail(local.error());
  if (local->found) show("prefix read", *local);

  // Many operations under way at once need no threads.
  (*client)->async_remove(key, {}, [](Result<Answer> removed) {
    fmt::print("{}\n", removed ? "removed" : removed.error().message);
  });
  return (*client)->head(key) ? 0 : 1;
}

// Answers as the bytes of HTTP/1.1 messages. Pure; the fast path of every request goes through
// here, so it appends to one buffer and formats nothing that it can copy.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/http_protocol.h"
#include "node/http_routes.h"

namespace parallax {

/// What the connection adds to an answer.
struct HttpFraming {
  bool keep_alive = true;
  bool http10 = false;    ///< keep-alive has to be said
  bool head = false;      ///< headers as for GET, no body
  std::string_view date;  ///< IMF-fixdate; empty: no Date header
};

/// A problem as an answer; Retry-After where it helps. Codes that never leave a process (io,
/// corrupt, refused) go out as `internal`.
HttpReply problem_reply(const Problem& problem);
HttpReply problem_reply(Error error);
HttpReply json_reply(int status, std::string body);

/// Appends the whole message to `out`.
void append_reply(const HttpReply& reply, const HttpFraming& framing, std::string& out);

/// What an answer is called in HTTP: one of its route's successes, 404, or the status of the error
/// or refusal.
int kv_status(const KvForm& form, const Reply& reply);

/// The problem of a key (or prefix) that has nothing.
const std::string& absent_body(const KvForm& form);

/// Appends the answer to a key request. A value is copied once, into `out`. `leader_address` goes
/// beside a not_leader error.
void append_kv_reply(const KvForm& form, const Reply& reply, const HttpFraming& framing,
                     std::string_view leader_address, std::string& out);

/// The answer to a batch: its session, and what batch_body() made.
HttpReply batch_reply(const SessionToken& session, std::string body);

}  // namespace parallax

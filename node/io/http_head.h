// Parses request heads and chunked bodies: the one place that uses Beast.
//
// A head is parsed when all of it has arrived, in one go, and its parts are views into the caller's
// buffer. What HTTP lets pass and a server had better not is refused here: folded lines, several
// Hosts, transfer codings other than chunked (they make two parties disagree on where a request
// ends).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/http_routes.h"

namespace parallax {

class HttpHead {
 public:
  HttpHead();
  ~HttpHead();
  HttpHead(const HttpHead&) = delete;
  HttpHead& operator=(const HttpHead&) = delete;

  std::string_view method;
  std::string_view target;
  std::vector<HttpHeaderView> headers;
  bool http10 = false;
  bool keep_alive = true;
  bool expects_continue = false;
  bool chunked = false;
  std::uint64_t content_length = 0;  ///< 0 when chunked

  /// `text` is a head with its empty line. Errors: bad_request. The views point into `text`.
  Result<void> parse(std::string_view text);
  /// The buffer was moved from `from` to `to`.
  void rebase(const char* from, const char* to);

  struct Chunks {
    std::size_t used = 0;  ///< of the input
    bool done = false;     ///< the body has ended; else more input is needed
  };
  /// Takes chunks off `input` and appends what they carry to `body`; after the head of a chunked
  /// request only. `body` grows by at most the input's size. Errors: bad_request.
  Result<Chunks> take_chunks(std::string_view input, std::string& body);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

/// Where in `text` the first head ends, its empty line included; nothing when it does not. What is
/// before `from` was looked at before.
std::optional<std::size_t> find_head_end(std::string_view text, std::size_t from);

}  // namespace parallax

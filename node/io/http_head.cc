#include "node/io/http_head.h"

#include <algorithm>
#include <limits>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "client/http_protocol.h"

namespace parallax {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using ErrorCodeOf = beast::error_code;

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

Error malformed(std::string_view what) {
  return definite(ErrorCode::bad_request, fmt::format("the request is malformed: {}", what));
}

}  // namespace

/// Beast's parser, with its findings as views. Used for one message, then built anew in place.
struct HttpHead::Parser final : http::basic_parser<true> {
  HttpHead* head = nullptr;
  std::string* body = nullptr;
  std::string_view text;  ///< the head; fields of a trailer lie elsewhere
  bool folded = false;
  bool in_head = true;
  std::size_t hosts = 0;
  bool other_coding = false;
  bool other_expectation = false;

  void on_request_impl(http::verb, beast::string_view method, beast::string_view target,
                       int version, ErrorCodeOf&) override {
    head->method = view(method);
    head->target = view(target);
    head->http10 = version == 10;
  }
  void on_response_impl(int, beast::string_view, int, ErrorCodeOf&) override {}
  void on_field_impl(http::field field, beast::string_view name, beast::string_view value,
                     ErrorCodeOf&) override {
    if (!in_head) return;  // a trailer says nothing that we take
    // Beast joins folded lines in a buffer of its own.
    const bool inside = value.empty() || (value.data() >= text.data() &&
                                          value.data() + value.size() <= text.data() + text.size());
    if (!inside) {
      folded = true;
      return;
    }
    if (field == http::field::host) ++hosts;
    if (field == http::field::transfer_encoding && !same_header_name(view(value), "chunked")) {
      other_coding = true;
    }
    if (field == http::field::expect) {
      head->expects_continue = same_header_name(view(value), "100-continue");
      other_expectation = !head->expects_continue;
    }
    head->headers.push_back({view(name), view(value)});
  }
  void on_header_impl(ErrorCodeOf&) override { in_head = false; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCodeOf&) override {}
  std::size_t on_body_impl(beast::string_view bytes, ErrorCodeOf&) override { return bytes.size(); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, ErrorCodeOf&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes, ErrorCodeOf&) override {
    body->append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(ErrorCodeOf&) override {}
};

HttpHead::HttpHead() : parser_(std::make_unique<Parser>()) {}
HttpHead::~HttpHead() = default;

Result<void> HttpHead::parse(std::string_view text) {
  headers.clear();
  expects_continue = false;
  // A parser serves one message. Built in place, it needs no allocation.
  std::destroy_at(parser_.get());
  std::construct_at(parser_.get());
  Parser& parser = *parser_;
  parser.head = this;
  parser.text = text;
  // Sizes are bounded by whoever reads from the socket.
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());
  parser.body_limit(boost::none);

  ErrorCodeOf failed;
  parser.put(boost::asio::buffer(text.data(), text.size()), failed);
  if (failed) return malformed(failed.message());
  if (!parser.is_header_done()) return malformed("no empty line behind the header");
  if (parser.folded) return malformed("a header goes on in the next line; write it in one");
  if (parser.hosts > 1) return malformed("more than one Host header");
  if (parser.hosts == 0 && !http10) return malformed("HTTP/1.1 needs a Host header");
  if (parser.other_coding || (parser.chunked() && http10)) {
    return malformed("the only transfer coding is chunked, and not with HTTP/1.0");
  }
  if (parser.other_expectation) return malformed("the only expectation is 100-continue");
  keep_alive = parser.keep_alive();
  chunked = parser.chunked();
  content_length = chunked ? 0 : parser.content_length().value_or(0);
  return {};
}

void HttpHead::rebase(const char* from, const char* to) {
  const auto move = [&](std::string_view& part) {
    if (part.data() != nullptr) part = {to + (part.data() - from), part.size()};
  };
  move(method);
  move(target);
  for (HttpHeaderView& header : headers) {
    move(header.name);
    move(header.value);
  }
}

Result<HttpHead::Chunks> HttpHead::take_chunks(std::string_view input, std::string& body) {
  // "0\r\n\r\n" is the least that can end a body. Beast asserts that it sees at least as much when
  // it comes back to a last chunk whose end was missing, so nothing shorter is given to it.
  constexpr std::size_t kLeastEnd = 5;
  Parser& parser = *parser_;
  parser.body = &body;
  Chunks chunks;
  while (!parser.is_done()) {
    const std::string_view rest = input.substr(chunks.used);
    if (rest.size() < kLeastEnd) return chunks;
    ErrorCodeOf failed;
    chunks.used += parser.put(boost::asio::buffer(rest.data(), rest.size()), failed);
    if (failed == http::error::need_more) return chunks;
    if (failed) return malformed(failed.message());
  }
  chunks.done = true;
  return chunks;
}

std::optional<std::size_t> find_head_end(std::string_view text, std::size_t from) {
  constexpr std::string_view kEmptyLine = "\r\n\r\n";
  // The empty line may have begun before `from`.
  const std::size_t start = from < kEmptyLine.size() ? 0 : from - (kEmptyLine.size() - 1);
  const std::size_t found = text.find(kEmptyLine, start);
  if (found == std::string_view::npos) return std::nullopt;
  return found + kEmptyLine.size();
}

}  // namespace parallax

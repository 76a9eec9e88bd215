// The server's side of HTTP. Input: a request as it arrives. Its lines are also taken for each of
// the small texts that requests carry.
#include "client/http_protocol.h"
#include "node/http_routes.h"
#include "node/io/http_head.h"
#include "node/operation_codec.h"
#include "node/page_token.h"
#include "tests/fuzz/fuzz.h"

namespace parallax::fuzz {
namespace {

void check_texts(std::string_view text) {
  FUZZ_HOLDS(percent_decode(percent_encode(text)) == std::string(text));
  (void)percent_decode(text, PlusMeans::space);
  (void)quoted_for_message(text);
  if (const auto decoded = percent_decode(text)) {
    FUZZ_HOLDS(percent_decode(percent_encode(*decoded)) == *decoded);
  }
  if (const auto query = parse_query(text)) {
    for (const QueryParameter& parameter : *query) FUZZ_HOLDS(!parameter.name.empty());
  }
  if (const auto stamp = parse_etag(text)) FUZZ_HOLDS(render_etag(*stamp) == text);
  for (const EtagComparison comparison : {EtagComparison::weak, EtagComparison::strong}) {
    if (const auto etags = parse_etag_set("If-Match", text, comparison)) {
      FUZZ_HOLDS(!etags->any || etags->stamps.empty());
      for (const Stamp& stamp : etags->stamps) FUZZ_HOLDS(!stamp.empty());
    }
  }
  if (const auto page = decode_page_token(text)) FUZZ_HOLDS(encode_page_token(*page) == text);
  if (const auto consistency = parse_consistency(text)) {
    FUZZ_HOLDS(parse_consistency(consistency->to_string()) == *consistency);
  }
}

/// Whatever is let in may have to be forwarded.
void check_call(const KvCall& call) {
  const auto forwarded = decode_request(encode_request(call.request));
  FUZZ_HOLDS(forwarded.has_value());
  FUZZ_HOLDS(*forwarded == call.request);
}

void check_routed(const Routed& routed) {
  if (const auto* call = std::get_if<KvCall>(&routed)) {
    check_call(*call);
  } else if (const auto* batch = std::get_if<BatchCall>(&routed)) {
    for (const auto& operation : batch->operations) {
      if (const auto* one = std::get_if<KvCall>(&operation)) check_call(*one);
    }
  } else if (const auto* reply = std::get_if<HttpReply>(&routed)) {
    FUZZ_HOLDS(reply->status >= 200 && reply->status < 600);
    for (const auto& [name, value] : reply->headers) {
      FUZZ_HOLDS((name + value).find_first_of("\r\n") == std::string::npos);
    }
  }
}

void check_request(std::string_view text) {
  const auto head_size = find_head_end(text, 0);
  if (!head_size) return;
  const std::string_view behind = text.substr(*head_size);
  HttpHead head;
  if (!head.parse(text.substr(0, *head_size))) return;
  std::string body;
  if (head.chunked) {
    const auto chunks = head.take_chunks(behind, body);
    if (!chunks) return;
    FUZZ_HOLDS(chunks->used <= behind.size());
    FUZZ_HOLDS(body.size() <= behind.size());
  } else {
    body = behind.substr(0, head.content_length);
  }
  const HttpRequestView view{head.method, head.target, head.headers, Bytes{std::move(body)}};
  check_routed(route(view, {}));
  check_routed(route(view, {.max_value_bytes = 16, .enable_faults = true}));
}

}  // namespace
}  // namespace parallax::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  parallax::fuzz::Input input(data, size);
  parallax::fuzz::check_request(input.rest());
  while (!input.empty()) parallax::fuzz::check_texts(input.line());
  return 0;
}

#include "client/cli/output.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/base64.h"
#include "client/cli/table.h"
#include "client/http_protocol.h"
#include "consistency/key_context.h"

namespace parallax::cli {
namespace {

namespace json = boost::json;

json::string text(std::string_view view) {
  return json::string(view.data(), view.size());
}

bool environment_is(const char* name, std::string_view value) {
  const char* found = std::getenv(name);
  return found != nullptr && found == value;
}

bool environment_has(const char* name) {
  const char* found = std::getenv(name);
  return found != nullptr && *found != '\0';
}

void put_key(json::object& object, std::string_view key) {
  if (is_utf8(key)) {
    object["key"] = text(key);
  } else {
    object["key_base64"] = text(base64(key));
  }
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

ExitCode exit_code(const Error& error) {
  if (!error.definite()) return kUnknown;
  return error_info(error.code).http_status == 400 ? kUsage : kFailed;
}

bool is_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto first = static_cast<unsigned char>(bytes[at]);
    const std::size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || at + length > bytes.size()) return false;
    std::uint32_t point = length == 1 ? first : first & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(bytes[at + i]);
      if ((next & 0xc0) != 0x80) return false;
      point = point << 6 | (next & 0x3fu);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    if (overlong || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    at += length;
  }
  return true;
}

std::string escaped(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte >= 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return out;
}

std::string preview(std::string_view bytes) {
  constexpr std::size_t kMost = 48;
  const bool cut = bytes.size() > kMost;
  if (cut) {
    bytes = bytes.substr(0, kMost);
    // Not in the middle of a character: continuation bytes and the lead they belong to go.
    const auto byte_at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    std::size_t end = bytes.size();
    while (end > 0 && (byte_at(end - 1) & 0xc0) == 0x80) --end;
    if (end > 0 && byte_at(end - 1) >= 0xc0) bytes = bytes.substr(0, end - 1);
  }
  const std::string out = is_utf8(bytes) ? printable(bytes) : escaped(bytes);
  return out + (cut ? "..." : "");
}

std::string item_json(const Item& item, bool with_value) {
  json::object object;
  put_key(object, item.key);
  if (with_value) {
    object["value_base64"] = text(base64(item.value.view()));
    if (!item.content_type.empty()) object["content_type"] = text(item.content_type);
  }
  object["etag"] = text(render_etag(item.stamp));
  return json::serialize(object) + '\n';
}

namespace {

json::object answer_object(std::string_view key, const Answer& answer, bool with_value) {
  json::object object;
  put_key(object, key);
  if (answer.number) object["value"] = *answer.number;
  if (answer.crdt) {
    object["type"] = text(crdt_type_name(answer.crdt->type));
    object["value"] = json::parse(answer.crdt->json);
  }
  if (with_value && !answer.items.empty()) {
    json::array siblings;
    for (const Item& item : answer.items) {
      siblings.emplace_back(json::object{{"etag", text(render_etag(item.stamp))},
                                         {"value_base64", text(base64(item.value.view()))},
                                         {"content_type", text(item.content_type)}});
    }
    object["found"] = true;
    object["siblings"] = std::move(siblings);
  } else if (with_value) {
    object["found"] = answer.found;
    if (answer.found) {
      object["value_base64"] = text(base64(answer.value.view()));
      object["content_type"] = text(answer.content_type);
    }
  }
  object["etag"] = answer.stamp ? json::value(text(render_etag(*answer.stamp))) : nullptr;
  object["consistency"] = text(answer.consistency.to_string());
  if (answer.staleness_ms) object["staleness_ms"] = *answer.staleness_ms;
  if (answer.replayed) object["replayed"] = true;
  if (!answer.context.empty()) {
    object["context"] = text(encode_key_context(key, answer.context));
  }
  if (answer.session != SessionToken{}) object["session"] = text(answer.session.encode());
  const Evidence& evidence = answer.evidence;
  json::array replicas;
  for (const NodeId node : evidence.replicas) replicas.emplace_back(node.value);
  object["evidence"] = json::object{
      {"node", evidence.node.value},     {"term", evidence.term.value},
      {"index", evidence.index.value},   {"path", text(path_name(evidence.path))},
      {"replicas", std::move(replicas)}, {"sequenced", evidence.sequenced},
      {"degraded", evidence.degraded},
  };
  return object;
}

double whole_us_in_ms(Duration duration) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(duration);
  return static_cast<double>(us.count()) / 1'000;
}

json::object entry_object(const SlaEntry& entry) {
  return json::object{{"level", text(entry.consistency.to_string())},
                      {"latency_ms", entry.latency.count()},
                      {"utility", entry.utility}};
}

}  // namespace

std::string answer_json(std::string_view key, const Answer& answer, bool with_value) {
  return json::serialize(answer_object(key, answer, with_value)) + '\n';
}

std::string sla_answer_json(std::string_view key, const Sla& sla, const SlaAnswer& answer,
                            bool with_value) {
  json::object object = answer_object(key, answer.answer, with_value);
  const SlaEntry* met = answer.met ? &sla.entries[*answer.met] : nullptr;
  object["sla"] = json::object{
      {"chosen", entry_object(sla.entries[answer.chosen])},
      {"endpoint", text(answer.endpoint)},
      {"expected_utility", answer.expected},
      {"met", met == nullptr ? json::value(nullptr) : json::value(entry_object(*met))},
      {"utility", met == nullptr ? 0 : met->utility},
      {"took_ms", whole_us_in_ms(answer.took)},
  };
  return json::serialize(object) + '\n';
}

std::string sla_text(const Sla& sla, const SlaAnswer& answer) {
  return fmt::format("asked {} for {}; met {} after {:.1f} ms", answer.endpoint,
                     sla.entries[answer.chosen].to_string(),
                     answer.met ? sla.entries[*answer.met].to_string() : std::string("no entry"),
                     whole_us_in_ms(answer.took));
}

std::string error_json(const Error& error) {
  json::object inner{
      {"code", text(error_info(error.code).name)},
      {"message", text(is_utf8(error.message) ? error.message : escaped(error.message))},
      {"outcome", error.definite() ? "not_applied" : "unknown"},
  };
  if (error.required > 0) {
    inner["required"] = error.required;
    inner["received"] = error.received;
  }
  if (!error.etag.empty()) inner["etag"] = text(fmt::format("\"{}\"", error.etag));
  return json::serialize(json::object{{"error", std::move(inner)}}) + '\n';
}

Result<void> write_out(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
      std::fflush(stdout) == 0) {
    return {};
  }
  return definite(ErrorCode::io,
                  fmt::format("cannot write to standard output: {}", std::strerror(errno)));
}

ExitCode report(const Error& error, bool json_wanted) {
  const std::string_view outcome =
      error.definite() ? "" : "; the outcome is unknown: it may have been applied";
  const std::string present =
      error.etag.empty() ? "" : fmt::format("; the present version is {}", error.etag);
  fmt::print(stderr, "parallax: {}{}{}\n", printable(error.message), printable(present), outcome);
  if (json_wanted) (void)write_out(error_json(error));
  return exit_code(error);
}

bool stdout_is_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}

bool colour_on_stdout() {
  return stdout_is_terminal() && !environment_has("NO_COLOR") && !environment_is("TERM", "dumb");
}

MonoTime monotonic_now() {
  return MonoTime{
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

ProgressDisplay::ProgressDisplay(bool quiet)
    : quiet_(quiet),
      terminal_(::isatty(STDERR_FILENO) == 1 && !environment_is("TERM", "dumb")),
      next_(monotonic_now() + (terminal_ ? Duration{} : std::chrono::seconds{1})) {}

void ProgressDisplay::show(const Progress& progress) {
  const MonoTime now = monotonic_now();
  if (quiet_ || now < next_) return;
  next_ = now + (terminal_ ? Duration{std::chrono::milliseconds{100}} : std::chrono::seconds{1});
  draw(progress);
}

void ProgressDisplay::draw(const Progress& progress) {
  if (terminal_) {
    // The last column stays free: some terminals wrap when it is written.
    fmt::print(stderr, "\r\x1b[K{}", progress.bar(terminal_width() - 1));
    bar_shown_ = true;
  } else {
    fmt::print(stderr, "{}\n", progress.line());
  }
}

void ProgressDisplay::finish(const Progress& progress) {
  if (quiet_) return;
  draw(progress);
  if (bar_shown_) fmt::print(stderr, "\n");
  bar_shown_ = false;
}

void ProgressDisplay::say(std::string_view line) {
  if (quiet_) return;
  if (bar_shown_) fmt::print(stderr, "\r\x1b[K");
  bar_shown_ = false;
  fmt::print(stderr, "parallax: {}\n", printable(line));
}

}  // namespace parallax::cli

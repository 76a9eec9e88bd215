#include "harness/io/resp.h"

#include <charconv>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace parallax::harness {
namespace {

using Clock = std::chrono::steady_clock;

/// Replies within replies, and of one list: more than Redis has for what is asked here.
constexpr int kDeepest = 8;
constexpr std::int64_t kLongest = 512 << 20;

/// Reads on in `bytes`.
class Reading {
 public:
  explicit Reading(std::string_view bytes) : bytes_(bytes) {}

  std::optional<RespReply> reply(int depth = 0) {
    const auto line = next_line();
    if (!line) return std::nullopt;
    if (line->empty() || depth > kDeepest) return refuse();
    const std::string_view rest = line->substr(1);
    switch (line->front()) {
      case '+':
        return RespReply{.kind = RespReply::Kind::text, .text = std::string(rest)};
      case '-':
        return RespReply{.kind = RespReply::Kind::error, .text = std::string(rest)};
      case ':':
      case '$':
      case '*':
        break;
      default:
        return refuse();
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc{} || end != rest.data() + rest.size()) return refuse();
    if (line->front() == ':') return RespReply{.kind = RespReply::Kind::number, .number = number};
    if (number < -1 || number > kLongest) return refuse();
    if (number == -1) return RespReply{};
    return line->front() == '$' ? bulk(static_cast<std::size_t>(number)) : list(number, depth);
  }

  bool broken = false;
  std::size_t at = 0;

 private:
  std::optional<RespReply> refuse() {
    broken = true;
    return std::nullopt;
  }
  std::optional<std::string_view> next_line() {
    const std::size_t end = bytes_.find("\r\n", at);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = bytes_.substr(at, end - at);
    at = end + 2;
    return line;
  }
  std::optional<RespReply> bulk(std::size_t size) {
    if (bytes_.size() - at < size + 2) return std::nullopt;
    RespReply reply{.kind = RespReply::Kind::text, .text = std::string(bytes_.substr(at, size))};
    if (bytes_.substr(at + size, 2) != "\r\n") return refuse();
    at += size + 2;
    return reply;
  }
  std::optional<RespReply> list(std::int64_t count, int depth) {
    RespReply all{.kind = RespReply::Kind::list};
    for (std::int64_t i = 0; i < count; ++i) {
      auto one = reply(depth + 1);
      if (!one) return std::nullopt;
      all.list.push_back(std::move(*one));
    }
    return all;
  }

  std::string_view bytes_;
};

}  // namespace

std::string resp_command(const std::vector<std::string>& words) {
  std::string bytes = fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) bytes += fmt::format("${}\r\n{}\r\n", word.size(), word);
  return bytes;
}

std::optional<RespReply> parse_resp(std::string& bytes, bool& broken) {
  Reading reading(bytes);
  auto reply = reading.reply();
  broken = reading.broken;
  if (reply) bytes.erase(0, reading.at);
  return reply;
}

RespConnection::Outcome RespConnection::call(const std::vector<std::vector<std::string>>& commands,
                                             std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  const auto left = [&] {
    return std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  };
  Outcome outcome;
  // One whose other side has closed while nothing was under way is of no use, and took nothing.
  if (connection_ && connection_->closed()) connection_.reset();
  if (!connection_) {
    received_.clear();
    try {
      connection_ = std::make_unique<Connection>(endpoint_, left());
    } catch (const std::runtime_error&) {
      return outcome;
    }
  }
  std::string bytes;
  for (const auto& command : commands) bytes += resp_command(command);
  outcome.sent = true;
  if (connection_->send(bytes, left())) {
    while (outcome.replies.size() < commands.size()) {
      bool broken = false;
      if (auto reply = parse_resp(received_, broken)) {
        outcome.replies.push_back(std::move(*reply));
        continue;
      }
      const auto more = broken ? std::nullopt : connection_->receive_some(left());
      if (!more || more->empty()) break;
      received_ += *more;
    }
  }
  if (outcome.replies.size() < commands.size()) connection_.reset();
  return outcome;
}

}  // namespace parallax::harness

#include "harness/io/redis_store.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "consistency/checker/sets.h"
#include "harness/io/value_session.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;
using checker::OperationKind;
using checker::Outcome;
using Command = std::vector<std::string>;

constexpr auto kOperationTimeout = 2'000ms;
constexpr auto kDigestTimeout = 5'000ms;

/// Sets KEYS[1] to ARGV[3] if it has the value ARGV[2], or none when ARGV[1] is "0". Answers 1, or
/// else 0 and the value that there is, if there is one.
constexpr std::string_view kCompareAndSet = R"(
local now = redis.call('GET', KEYS[1])
if (now and ARGV[1] == '1' and now == ARGV[2]) or (not now and ARGV[1] == '0') then
  redis.call('SET', KEYS[1], ARGV[3])
  return {1}
end
if now then return {0, now} end
return {0})";

Command command_of(const Step& step, const std::optional<std::string>& expected) {
  switch (step.kind) {
    case OperationKind::write:
      return {"SET", step.key, step.value};
    case OperationKind::cas:
      return {"EVAL",    std::string(kCompareAndSet), "1",
              step.key,  expected ? "1" : "0",        expected.value_or(""),
              step.value};
    case OperationKind::increment:
      return {"INCRBY", step.key, step.value};
    case OperationKind::append:
      return {"APPEND", step.key, step.value};
    case OperationKind::add:
      return {"SADD", step.key, step.value};
    default:
      return {step.shape == Shape::set ? "SMEMBERS" : "GET", step.key};
  }
}

std::optional<std::string> text_of(const RespReply& reply) {
  if (reply.kind != RespReply::Kind::text) return std::nullopt;
  return reply.text;
}

Performed performed_of(const Step& step, const RespReply& reply) {
  using Kind = RespReply::Kind;
  if (reply.kind == Kind::error) return failed(step, true);
  switch (step.kind) {
    case OperationKind::write:
    case OperationKind::append:
    case OperationKind::add:
      return answered(step);
    case OperationKind::increment:
      return showing(step, std::to_string(reply.number));
    case OperationKind::cas: {
      if (reply.list.empty()) return failed(step, false);
      if (reply.list[0].number == 1) return answered(step);
      return showing(step, reply.list.size() > 1 ? text_of(reply.list[1]) : std::nullopt,
                     Outcome::mismatch);
    }
    default:
      break;
  }
  if (step.shape != Shape::set) return showing(step, text_of(reply));
  std::vector<std::string> members;
  for (const RespReply& member : reply.list) members.push_back(member.text);
  if (members.empty()) return showing(step, std::nullopt);
  return showing(step, checker::members_text(members));
}

class RedisSession final : public ValueSession {
 public:
  RedisSession(const std::vector<std::string>& endpoints, const std::vector<std::uint16_t>& links,
               const RunOptions& options)
      : ValueSession(options.read_level), links_(links) {
    for (const std::string& endpoint : endpoints) connections_.emplace_back(endpoint);
  }

 private:
  Performed carry_out(const Step& step, const std::optional<std::string>& expected) override {
    const Command command = command_of(step, expected);
    if (step.level.level == Level::prefix) {  // of whoever is asked
      const auto outcome = connections_.at(step.node - 1).call({command}, kOperationTimeout);
      return outcome.replies.empty() ? failed(step, !outcome.sent)
                                     : performed_of(step, outcome.replies[0]);
    }
    // The one that is asked may name another one; should that one name a third, the client gives
    // up.
    Step asked = step;
    for (int hop = 0; hop < 2; ++hop) {
      const auto outcome =
          connections_.at(asked.node - 1).call({{"ROLE"}, command}, kOperationTimeout);
      if (outcome.replies.size() < 2) return failed(asked, !outcome.sent);
      const auto role = parse_role(outcome.replies[0]);
      if (!role) return failed(asked, outcome.replies[1].kind == RespReply::Kind::error);
      Performed performed = performed_of(asked, outcome.replies[1]);
      // A write that it took although it said that it is none: it has become primary since.
      const bool took = performed.outcome == Outcome::ok && step.kind != OperationKind::read;
      if (role->primary || took) return performed;
      const auto next = std::find(links_.begin(), links_.end(), role->follows);
      if (next == links_.end()) break;
      asked.node = 1 + static_cast<std::uint32_t>(next - links_.begin());
    }
    return failed(asked, true);
  }

  std::vector<RespConnection> connections_;  ///< by node - 1
  std::vector<std::uint16_t> links_;
};

}  // namespace

std::optional<RedisRole> parse_role(const RespReply& reply) {
  const auto& fields = reply.list;
  if (fields.size() < 2) return std::nullopt;
  if (fields[0].text == "master") return RedisRole{.primary = true};
  if (fields[0].text != "slave" || fields.size() < 5) return std::nullopt;
  return RedisRole{.follows = static_cast<std::uint16_t>(fields[2].number),
                   .connected = fields[3].text == "connected"};
}

std::unique_ptr<StoreSession> RedisStore::session(const RunOptions& options) {
  return std::make_unique<RedisSession>(endpoints_, links_, options);
}

Result<std::string> RedisStore::digest(std::uint32_t node, const std::string& /*prefix*/) {
  RespConnection connection(endpoints_.at(node - 1));
  // Of all that it holds: nobody else uses it.
  const auto outcome = connection.call({{"DBSIZE"}, {"DEBUG", "DIGEST"}}, kDigestTimeout);
  if (outcome.replies.size() < 2 || outcome.replies[1].kind != RespReply::Kind::text) {
    return indefinite(ErrorCode::io, fmt::format("node {} does not tell what it holds", node));
  }
  return fmt::format("{} keys {}", outcome.replies[0].number, outcome.replies[1].text);
}

}  // namespace parallax::harness

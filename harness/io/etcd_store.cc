#include "harness/io/etcd_store.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/checksum.h"
#include "client/json_members.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;
using checker::OperationKind;
using checker::Outcome;
namespace json = boost::json;
using json_members::find;

/// Long enough for an election, short enough that a client does not stand still for a whole fault.
constexpr auto kOperationTimeout = 2'000ms;
constexpr auto kDigestTimeout = 5'000ms;
constexpr std::size_t kLargestAnswer = 256 << 20;
/// Codes of gRPC with which etcd refuses what it has not proposed yet: invalid argument, not found,
/// resource exhausted, failed precondition, out of range, unimplemented.
constexpr std::array kRefusals{3, 5, 8, 9, 11, 12};

/// A key as etcd knows it: its value, and the revision that wrote it.
struct Version {
  std::optional<std::string> value;
  std::string revision = "0";  ///< "0": there is no such key
};

std::string decoded(const json::object& object, std::string_view name) {
  const json::value* value = find(object, name);
  if (value == nullptr || !value->is_string()) return {};  // an empty one is left out
  return decode_base64(value->get_string()).value_or("");
}

/// Of an answer to a range of one key.
Version version_in(const json::object& range) {
  const json::value* kvs = find(range, "kvs");
  if (kvs == nullptr || !kvs->is_array() || kvs->get_array().empty()) return {};
  const json::object& kv = kvs->get_array().front().as_object();
  return {.value = decoded(kv, "value"), .revision = etcd_number(kv, "mod_revision")};
}

std::string stamp_of(const std::string& revision) {
  return revision == "0" ? std::string() : revision + "-1";
}

/// The revision that a write made.
std::string written_revision(const json::object& answer) {
  return etcd_header_number(answer, "revision");
}

json::object put_request(const std::string& key, const std::string& value) {
  return {{"key", base64(key)}, {"value", base64(value)}};
}

/// A put if `condition` holds; else what there is.
json::object conditional(json::object condition, const std::string& key, const std::string& value) {
  condition["key"] = base64(key);
  condition["result"] = "EQUAL";
  return {
      {"compare", json::array{std::move(condition)}},
      {"success", json::array{json::object{{"requestPut", put_request(key, value)}}}},
      {"failure", json::array{json::object{{"requestRange", json::object{{"key", base64(key)}}}}}}};
}

class EtcdSession final : public ValueSession {
 public:
  EtcdSession(const std::vector<Endpoint>& endpoints, const RunOptions& options)
      : ValueSession(options.read_level) {
    for (const Endpoint& endpoint : endpoints) {
      connections_.push_back(std::make_unique<EtcdConnection>(endpoint));
    }
  }

 private:
  Performed carry_out(const Step& step, const std::optional<std::string>& expected) override {
    switch (step.kind) {
      case OperationKind::read:
        return read(step);
      case OperationKind::write:
        return put(step);
      case OperationKind::cas: {
        json::object condition{{"target", "CREATE"}, {"createRevision", "0"}};
        if (expected) condition = {{"target", "VALUE"}, {"value", base64(*expected)}};
        return put_if(step, std::move(condition), step.value);
      }
      default:
        return grow(step);
    }
  }

  EtcdAnswer call(const Step& step, std::string_view method, const json::object& body) {
    return connections_.at(step.node - 1)->call(method, body, kOperationTimeout);
  }

  Performed read(const Step& step) {
    json::object body{{"key", base64(step.key)}};
    if (step.level.level == Level::prefix) body["serializable"] = true;
    const EtcdAnswer answer = call(step, "kv/range", body);
    if (!answer.body) return failed(step, answer.certain);
    const Version version = version_in(*answer.body);
    Performed performed = showing(step, version.value);
    performed.stamp = stamp_of(version.revision);
    return performed;
  }

  Performed put(const Step& step) {
    const EtcdAnswer answer = call(step, "kv/put", put_request(step.key, step.value));
    if (!answer.body) return failed(step, answer.certain);
    Performed performed = answered(step);
    performed.stamp = stamp_of(written_revision(*answer.body));
    return performed;
  }

  Performed put_if(const Step& step, json::object condition, const std::string& value) {
    const EtcdAnswer answer =
        call(step, "kv/txn", conditional(std::move(condition), step.key, value));
    if (!answer.body) return failed(step, answer.certain);
    const json::value* succeeded = find(*answer.body, "succeeded");
    if (succeeded != nullptr && succeeded->is_bool() && succeeded->get_bool()) {
      Performed performed = answered(step);
      performed.stamp = stamp_of(written_revision(*answer.body));
      return performed;
    }
    const json::value* ranges = find(*answer.body, "responses");
    if (ranges == nullptr || !ranges->is_array() || ranges->get_array().empty()) {
      return failed(step, false);
    }
    const json::value* range = find(ranges->get_array().front().as_object(), "response_range");
    if (range == nullptr || !range->is_object()) return failed(step, false);
    const Version version = version_in(range->get_object());
    Performed performed = showing(step, version.value, Outcome::mismatch);
    performed.stamp = stamp_of(version.revision);
    return performed;
  }

  Performed grow(const Step& step) {
    const EtcdAnswer before = call(step, "kv/range", {{"key", base64(step.key)}});
    if (!before.body) return failed(step, true);
    const Version version = version_in(*before.body);
    const auto value = grown(step, version.value);
    if (!value) return failed(step, true);
    Performed performed =
        put_if(step, {{"target", "MOD"}, {"modRevision", version.revision}}, *value);
    if (performed.outcome == Outcome::mismatch) return failed(step, true);
    if (performed.outcome != Outcome::ok || step.kind != OperationKind::increment) return performed;
    performed.shows = true;
    performed.shown = value;
    return performed;
  }

  std::vector<std::unique_ptr<EtcdConnection>> connections_;  ///< by node - 1
};

}  // namespace

std::string etcd_number(const json::object& object, std::string_view name) {
  const json::value* value = find(object, name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "0";
}

std::string etcd_header_number(const json::object& answer, std::string_view name) {
  const json::value* header = find(answer, "header");
  return header != nullptr && header->is_object() ? etcd_number(header->get_object(), name) : "0";
}

EtcdConnection::~EtcdConnection() {
  if (!connection_) return;
  connection_->abandon();
  context_.restart();
  context_.poll();  // what it had under way learns that it is given up
}

EtcdAnswer EtcdConnection::call(std::string_view method, const json::object& body,
                                std::chrono::milliseconds limit) {
  if (!connection_ || !connection_->reusable()) {
    connection_ =
        ClientConnection::create(context_, endpoint_, {.max_response_bytes = kLargestAnswer});
  }
  std::optional<ExchangeResult> result;
  connection_->exchange({.method = "POST",
                         .target = fmt::format("/v3/{}", method),
                         .headers = {{"Content-Type", "application/json"}},
                         .body = Bytes(json::serialize(body))},
                        [&result](ExchangeResult got) { result = std::move(got); });
  context_.restart();
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!result && context_.run_one_until(deadline) > 0) {
  }
  EtcdAnswer answer;
  if (!result) {
    answer.certain = connection_->stage() != AttemptStage::awaiting;
    connection_->abandon();
    context_.restart();
    context_.poll();
    connection_.reset();
    return answer;
  }
  if (const auto* failure = std::get_if<ExchangeFailure>(&*result)) {
    answer.certain = failure->stage != AttemptStage::awaiting;
    return answer;
  }
  const auto& response = std::get<HttpResponse>(*result);
  auto object = json_members::parse_object(response.body);
  if (!object) return answer;
  if (response.status == 200) {
    answer.body = std::move(*object);
    return answer;
  }
  const auto code = json_members::read<int>(*object, "code");
  answer.certain =
      code && *code && std::find(kRefusals.begin(), kRefusals.end(), **code) != kRefusals.end();
  return answer;
}

Result<std::unique_ptr<EtcdStore>> EtcdStore::open(const std::vector<std::string>& endpoints) {
  auto store = std::make_unique<EtcdStore>();
  for (const std::string& endpoint : endpoints) {
    PARALLAX_ASSIGN(auto parsed, parse_endpoint(endpoint));
    store->endpoints_.push_back(std::move(parsed));
  }
  return store;
}

std::unique_ptr<StoreSession> EtcdStore::session(const RunOptions& options) {
  return std::make_unique<EtcdSession>(endpoints_, options);
}

Result<std::string> EtcdStore::digest(std::uint32_t node, const std::string& prefix) {
  EtcdConnection connection(endpoints_.at(node - 1));
  // "\0" to "\0" is every key.
  const std::string all(1, '\0');
  const EtcdAnswer answer = connection.call("kv/range",
                                            {{"key", base64(prefix.empty() ? all : prefix)},
                                             {"range_end", base64(all)},
                                             {"serializable", true}},
                                            kDigestTimeout);
  if (!answer.body) {
    return indefinite(ErrorCode::io, fmt::format("node {} does not tell what it holds", node));
  }
  const json::value* kvs = find(*answer.body, "kvs");
  const std::string text = kvs != nullptr ? json::serialize(*kvs) : std::string("[]");
  return fmt::format("{} keys {:016x}", kvs != nullptr ? kvs->as_array().size() : 0, hash64(text));
}

}  // namespace parallax::harness

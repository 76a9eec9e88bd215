#include "harness/io/exec_target.h"

#include <array>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/assert.h"
#include "client/json_members.h"
#include "consistency/checker/sets.h"
#include "harness/io/plain_http.h"
#include "harness/io/value_session.h"
#include "harness/target.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;
using checker::OperationKind;
using checker::Outcome;
namespace json = boost::json;
using json_members::find;
using Clock = std::chrono::steady_clock;

constexpr auto kOperationTimeout = 5'000ms;
/// The longest line of a command.
constexpr std::size_t kLongestLine = 64 << 20;

/// What the clients have to say to the thread that looks after the run.
class Complaint {
 public:
  /// The first one counts.
  void make(std::uint32_t client, std::string_view what) {
    const std::lock_guard lock(mutex_);
    if (client_ != 0) return;
    client_ = client;
    what_ = what.substr(0, 500);
  }
  /// The client, 0: none, and what it has to say of its command.
  std::pair<std::uint32_t, std::string> made() const {
    const std::lock_guard lock(mutex_);
    return {client_, what_};
  }

 private:
  mutable std::mutex mutex_;
  std::uint32_t client_ = 0;
  std::string what_;
};

/// What a client and its command say to each other.
class ExecSession final : public ValueSession {
 public:
  ExecSession(std::shared_ptr<Connection> connection, std::uint32_t client, Complaint& complaint,
              const RunOptions& options)
      : ValueSession(options.read_level),
        connection_(std::move(connection)),
        client_(client),
        complaint_(complaint) {}

 private:
  Performed carry_out(const Step& step, const std::optional<std::string>& expected) override {
    const auto deadline = Clock::now() + kOperationTimeout;
    const auto left = [&] {
      return std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    };
    const std::uint64_t id = ++last_id_;
    if (!connection_->send(exec_request(step, expected, id) + "\n", left())) {
      return complain(step, "takes no more operations");
    }
    for (;;) {
      const std::size_t end = received_.find('\n');
      if (end != std::string::npos) {
        const std::string line = received_.substr(0, end);
        received_.erase(0, end + 1);
        const auto answers = exec_answer_id(line);
        if (!answers) return complain(step, "has said what has no \"id\": " + line);
        if (*answers != id) continue;
        auto performed = parse_exec_answer(step, line);
        if (!performed) return complain(step, performed.error().message + ": " + line);
        return std::move(*performed);
      }
      const auto more = connection_->receive_some(left());
      if (!more) return failed(step, false);
      if (more->empty()) return complain(step, "has ended");
      received_ += *more;
      if (received_.size() > kLongestLine) return complain(step, "ends no line");
    }
  }

  Performed complain(const Step& step, const std::string& what) {
    complaint_.make(client_, what);
    return failed(step, false);
  }

  std::shared_ptr<Connection> connection_;
  std::uint32_t client_;
  Complaint& complaint_;
  std::uint64_t last_id_ = 0;
  std::string received_;
};

/// Hands each client the next command.
class ExecStore final : public Store {
 public:
  ExecStore(std::vector<std::shared_ptr<Connection>> connections, Complaint& complaint)
      : connections_(std::move(connections)), complaint_(complaint) {}

  std::unique_ptr<StoreSession> session(const RunOptions& options) override {
    const std::uint32_t place = taken_++;
    PARALLAX_ASSERT(place < connections_.size(), "{} clients", place + 1);
    return std::make_unique<ExecSession>(connections_[place], place + 1, complaint_, options);
  }
  Result<std::string> digest(std::uint32_t /*node*/, const std::string& /*prefix*/) override {
    return definite(ErrorCode::io, "a command does not tell what its nodes hold");
  }

 private:
  std::vector<std::shared_ptr<Connection>> connections_;
  Complaint& complaint_;
  std::atomic<std::uint32_t> taken_{0};
};

class ExecSystem final : public System {
 public:
  static Result<std::unique_ptr<System>> open(const RunOptions& options,
                                              const std::string& directory) {
    auto system = std::make_unique<ExecSystem>();
    system->directory_ = directory;
    // Nodes by name alone.
    for (std::uint32_t node = 1; node <= options.nodes; ++node) {
      system->nodes_.push_back(
          {.endpoint = fmt::format("node {} of the command", node), .peer = {}, .ours = false});
    }
    std::error_code error;
    const std::string own = directory + "/command";
    std::filesystem::create_directories(own, error);
    for (std::uint32_t client = 1; client <= options.clients; ++client) {
      int channel = -1;
      PARALLAX_ASSIGN(auto process, ChildProcess::start(
                                        {"/usr/bin/env", "PARALLAX_DIRECTORY=" + own,
                                         fmt::format("PARALLAX_CLIENT={}", client),
                                         fmt::format("PARALLAX_NODES={}", options.nodes), "/bin/sh",
                                         "-c", "exec " + exec_command(options.target).value_or("")},
                                        system->data_dir(client) + ".log", &channel));
      system->connections_.emplace_back(new Connection(Connection::over(channel)));
      system->commands_.push_back(std::move(process));
      system->greetings_.emplace_back();
    }
    return std::unique_ptr<System>(std::move(system));
  }

  Result<void> start(std::uint32_t node, bool /*recover*/) override {
    return definite(ErrorCode::io, fmt::format("{} cannot be started here", endpoint(node)));
  }
  /// Once every command has answered the first line, or cannot any more, which breaks the run.
  bool ready(std::uint32_t /*node*/) override {
    bool all = true;
    for (std::uint32_t client = 1; client <= commands_.size(); ++client) {
      all = greeted(client) && all;
    }
    return all;
  }
  Result<void> set_faults(std::uint32_t /*node*/, const std::vector<ActiveFault>&) override {
    return {};
  }
  Result<void> look_after() override {
    // One that ends is done speaking a little before it has ended.
    if (complaint_.made().first != 0) std::this_thread::sleep_for(100ms);
    for (std::uint32_t client = 1; client <= commands_.size(); ++client) {
      if (commands_[client - 1].running()) continue;
      return broken(client, fmt::format("has ended with code {}", commands_[client - 1].code()));
    }
    const auto [client, what] = complaint_.made();
    if (client == 0) return {};
    return broken(client, what);
  }
  Result<std::unique_ptr<Store>> open_store(const RunOptions& /*options*/) override {
    return std::unique_ptr<Store>(std::make_unique<ExecStore>(connections_, complaint_));
  }

 private:
  bool greeted(std::uint32_t client) {
    Greeting& greeting = greetings_.at(client - 1);
    Connection& connection = *connections_.at(client - 1);
    if (!greeting.sent) greeting.sent = connection.send("{\"id\":0,\"op\":\"hello\"}\n", 100ms);
    if (!greeting.sent || greeting.over) return true;
    const auto more = connection.receive_some(1ms);
    if (!more) return false;
    greeting.answer += *more;
    const std::size_t end = greeting.answer.find('\n');
    if (!more->empty() && end == std::string::npos) return false;
    greeting.over = true;
    const std::string_view line = std::string_view(greeting.answer).substr(0, end);
    const bool good = exec_answer_id(line) == 0 && parse_exec_answer({}, line).has_value() &&
                      end + 1 == greeting.answer.size();
    if (!good && !more->empty()) {
      complaint_.make(client, fmt::format("does not answer hello: {}", greeting.answer));
    }
    return true;
  }

  /// Logs are by client, as those of other systems are by node.
  Error broken(std::uint32_t client, std::string_view what) const {
    return definite(ErrorCode::io, fmt::format("the command of client {} {}; its errors end:\n{}",
                                               client, what, last_words(client)));
  }

  struct Greeting {
    bool sent = false;
    bool over = false;
    std::string answer = {};
  };

  Complaint complaint_;
  std::vector<ChildProcess> commands_;  ///< by client - 1
  std::vector<Greeting> greetings_;     ///< by client - 1
  std::vector<std::shared_ptr<Connection>> connections_;
};

/// A value as JSON tells it; `set`: the members of a set.
std::optional<std::string> value_text(const json::value& value, bool set) {
  if (set) {
    const std::string text = json::serialize(value);
    const auto members = checker::parse_members(text);
    if (!value.is_array() || !members) return std::nullopt;
    return checker::members_text(*members);
  }
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_int64() || value.is_uint64()) return json::serialize(value);
  return std::nullopt;
}

}  // namespace

std::string exec_request(const Step& step, const std::optional<std::string>& expected,
                         std::uint64_t id) {
  constexpr std::array<std::string_view, 3> kShapes{"text", "counter", "set"};
  json::object line{{"id", id},          {"op", checker::to_string(step.kind)},
                    {"key", step.key},   {"shape", kShapes[static_cast<std::size_t>(step.shape)]},
                    {"node", step.node}, {"level", step.level.to_string()}};
  if (step.kind != OperationKind::read) line["value"] = step.value;
  if (step.kind == OperationKind::cas) {
    line["expected"] = expected ? json::value(*expected) : json::value(nullptr);
  }
  return json::serialize(line);
}

std::optional<std::uint64_t> exec_answer_id(std::string_view line) {
  const auto object = json_members::parse_object(line);
  if (!object) return std::nullopt;
  const auto id = json_members::read<std::uint64_t>(*object, "id");
  return id ? *id : std::nullopt;
}

Result<Performed> parse_exec_answer(const Step& step, std::string_view line) {
  const auto wrong = [](std::string_view what) {
    return definite(ErrorCode::corrupt, fmt::format("has said what is not understood ({})", what));
  };
  const auto object = json_members::parse_object(line);
  if (!object) return wrong("no JSON object");
  const json::value* ok = find(*object, "ok");
  const bool unknown = ok != nullptr && ok->is_string() && ok->get_string() == "unknown";
  if (ok == nullptr || !(ok->is_bool() || unknown)) {
    return wrong("\"ok\" is not true, false or \"unknown\"");
  }
  if (unknown) return failed(step, false);
  // A value of null says that there is none; no value says nothing.
  const json::value* value = object->if_contains("value");
  const bool reads = step.kind == OperationKind::read;
  const bool shows = reads || (value != nullptr && (step.kind == OperationKind::increment ||
                                                    step.kind == OperationKind::cas));
  std::optional<std::string> shown;
  if (value != nullptr && !value->is_null() && shows) {
    shown = value_text(*value, reads && step.shape == Shape::set);
    if (!shown) return wrong("\"value\" is no text, whole number or, of a set, list");
  }
  if (ok->get_bool()) {
    const bool shown_with = reads || (shows && step.kind == OperationKind::increment);
    return shown_with ? showing(step, std::move(shown)) : answered(step);
  }
  const bool mismatch = step.kind == OperationKind::cas && shows;
  return mismatch ? showing(step, std::move(shown), Outcome::mismatch) : failed(step, true);
}

Result<std::unique_ptr<System>> open_exec(const RunOptions& options, const std::string& directory) {
  return ExecSystem::open(options, directory);
}

}  // namespace parallax::harness

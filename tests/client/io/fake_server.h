// A scripted HTTP server on loopback, made of plain sockets, so that a test can be as rude to the
// client as a network is: break off anywhere, answer nonsense, never answer.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace parallax::testing {

struct SeenRequest {
  std::string method;
  std::string path;                            ///< still percent-encoded, without the query
  std::string query;                           ///< without '?'
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  int connection = 0;  ///< from 1, in the order of accepting
};

/// What the server does with one request.
struct Action {
  std::string bytes;                   ///< sent as they are
  bool close = false;                  ///< then the connection is closed
  bool hang = false;                   ///< nothing more happens on this connection
  std::chrono::milliseconds delay{0};  ///< before anything
  /// Decided on the header alone: the body is not read.
  bool before_body = false;
};

class FakeServer {
 public:
  using Script = std::function<Action(const SeenRequest&)>;
  /// Listens on a free port of 127.0.0.1. `script` is called on one thread per connection. With
  /// `on_header`, that is asked first, without the body; where it says before_body, it decides.
  explicit FakeServer(Script script, Script on_header = nullptr);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;

  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port_); }
  std::uint16_t port() const { return port_; }
  /// Requests so far, without those for /v1/cluster that the client sends to learn addresses.
  std::vector<SeenRequest> seen() const;
  int connections() const { return connections_; }
  /// The most requests that were under way at once.
  int peak() const { return peak_; }
  /// Closes every connection that is open now.
  void drop_connections();

 private:
  void accept_loop();
  void serve(int fd, int number);

  Script script_;
  Script on_header_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<int> under_way_{0};
  std::atomic<int> peak_{0};
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::vector<SeenRequest> seen_;
  std::thread accepting_;
};

/// A whole response; Content-Length is added.
Action respond(int status, const std::vector<std::pair<std::string, std::string>>& headers,
               const std::string& body);
/// 200 with a value, as node `node` answers at `level`.
Action value_answer(const std::string& value, int node = 1,
                    const std::string& level = "linearizable");
/// 204, as node `node` answers a write.
Action stored_answer(int node = 1);
/// 404 not-found, an answer about an absent key.
Action absent_answer(int node = 1);
/// `extra`: more JSON members, beginning with a comma.
Action problem_answer(int status, const std::string& code, const std::string& outcome,
                      bool retryable, const std::string& extra = "",
                      const std::vector<std::pair<std::string, std::string>>& headers = {});
/// /v1/cluster with these members (id -> client address).
Action cluster_answer(int leader, const std::map<int, std::string>& members);
/// The request is read, the connection closed.
Action hang_up();
Action never_answer();

/// A node that stores: what a test of a whole command talks to.
class FakeStore {
 public:
  explicit FakeStore(std::string cluster_id = "c1") : cluster_id_(std::move(cluster_id)) {}
  Action operator()(const SeenRequest& request);

  std::map<std::string, std::string> values() const;
  std::map<std::string, int> puts() const;  ///< how often each key was stored
  void set(const std::string& key, const std::string& value);
  /// Asked before each put; a returned action takes the put's place.
  using BeforePut = std::function<std::unique_ptr<Action>(const std::string& key, int puts_so_far)>;
  void before_put(BeforePut asked);

 private:
  const std::string cluster_id_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> values_;
  std::map<std::string, int> puts_;
  int total_puts_ = 0;
  BeforePut before_put_;
};

/// A port of 127.0.0.1 that refuses connections (it was free a moment ago).
std::string refusing_endpoint();

}  // namespace parallax::testing

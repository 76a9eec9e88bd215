// Real parallaxd processes on this machine, for tests: each with a directory, a log and ports of
// its own. Whatever a test leaves running is killed when its Cluster goes, or when the test dies.
//
// Only processes started here are ever signalled. Everything waits with a bound and fails the test
// when it is over. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "harness/io/child_process.h"

namespace parallax::system_tests {

/// A directory below the system's temporary one, removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A program that has ended.
struct Ended {
  int code = 0;        ///< exit code; 128 + signal when a signal ended it
  std::string output;  ///< stdout and stderr
};
/// Runs a program to its end. One that takes longer than `limit` is killed, which fails the test.
Ended run(const std::vector<std::string>& argv, std::chrono::seconds limit);

/// The directory with the programs under test.
std::string programs();

/// The first port of `count` consecutive ones on which nothing listens, below the range from which
/// the system takes ports for outgoing connections.
std::uint16_t free_ports(int count);

/// Writes, for a test that needs the value there: asks again under one idempotency key where a
/// leader that has just changed leaves the outcome open.
Result<Answer> put_surely(Client& client, std::string key, std::string value);

class Cluster {
 public:
  /// Starts nothing yet. `arguments` go to every node.
  explicit Cluster(int nodes = 3, std::vector<std::string> arguments = {});
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  int size() const { return static_cast<int>(nodes_.size()); }
  std::string client_address(int id) const;
  std::string peer_address(int id) const;
  std::uint16_t client_port(int id) const;
  std::uint16_t peer_port(int id) const;
  std::string data_dir(int id) const;
  std::string log(int id) const;
  /// The command line of a node, `extra` at its end.
  std::vector<std::string> argv(int id, const std::vector<std::string>& extra = {}) const;

  void start(int id, const std::vector<std::string>& extra = {});
  void start_all();
  /// SIGKILL, and waits for the end.
  void kill(int id);
  void signal(int id, int number);
  /// SIGTERM; the exit code.
  int stop(int id);
  void pause(int id);
  void resume(int id);
  /// Waits for a node to end by itself; the exit code.
  int await_end(int id, std::chrono::seconds limit = std::chrono::seconds{20});
  bool running(int id);
  /// Memory that the node has now (VmRSS).
  std::uint64_t resident_bytes(int id);

  void await_ready(int id);
  void await_all_ready();
  /// The leader that `asked` (0: any running node) names, once it names one other than `not_this`.
  int await_leader(int asked = 0, int not_this = 0);

  /// A client that knows all nodes.
  std::unique_ptr<Client> client(std::chrono::milliseconds timeout = std::chrono::seconds{5}) const;
  /// A client that asks this node alone.
  std::unique_ptr<Client> client_of(int id) const;

 private:
  struct Node {
    harness::ChildProcess process;
    bool paused = false;
  };
  Node& node(int id);

  TemporaryDirectory directory_;
  std::uint16_t base_port_;
  std::vector<std::string> arguments_;
  std::vector<Node> nodes_;  ///< killed when this goes
};

}  // namespace parallax::system_tests

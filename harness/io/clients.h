// The clients of a run: a thread each, and what they share.
//
// What it does not do: start nodes, inject faults, or judge.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "harness/io/store.h"
#include "harness/judgement.h"

namespace parallax::harness {

class Clients {
 public:
  /// `options`: how many, how fast. `parts`: what each Step::part is at. All that is given must
  /// outlive this.
  Clients(Store& store, const RunOptions& options, const std::vector<RunOptions>& parts,
          std::unique_ptr<Generator> generator, Recorder& recorder);
  ~Clients() { stop(); }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  void start();
  /// Each ends the operation that it is at.
  void stop();
  /// What answers were worth by their own evidence. Nothing may be under way.
  void tell(Evidences& evidences) const;
  /// Begins to read what the workload wants read at the end. stop() must have been called.
  void start_last_reads();
  /// Whether last reads wait: a node is missing that will be back.
  void hold(bool held) { held_ = held; }
  /// How many of them have not been tried to the end.
  std::size_t unread() const { return unread_; }
  std::size_t last_reads() const { return last_reads_.size(); }

 private:
  StoreSession& session(std::uint32_t client, std::uint32_t part);
  Performed perform(std::uint32_t client, const Step& step);
  void work(std::uint32_t client);
  void read_surely(std::uint32_t client, const Step& step);

  Store& store_;
  const RunOptions& options_;
  const std::vector<RunOptions>& parts_;
  Recorder& recorder_;
  std::unique_ptr<Generator> generator_;
  std::mutex mutex_;  ///< of the generator
  /// By client, then by part; only the client's own thread touches its own.
  std::vector<std::map<std::uint32_t, std::unique_ptr<StoreSession>>> sessions_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> held_{false};
  std::vector<Step> last_reads_;
  std::atomic<std::size_t> next_{0};  ///< of them
  std::atomic<std::size_t> unread_{0};
  std::atomic<std::size_t> verified_{0};
  std::size_t refused_ = 0;
  std::string first_refused_;
};

}  // namespace parallax::harness

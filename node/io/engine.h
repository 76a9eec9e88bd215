// A running node: one thread that owns the replica, with HTTP and peers, and one for the disk.
//
// Batching is by arrival: the first input of a burst posts one turn, which runs when everything
// that was ready has been read. There are no timers but one coarse tick.
#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include "node/config.h"
#include "node/driver.h"
#include "node/io/http_threads.h"
#include "node/io/peer_transport.h"
#include "node/io/sockets.h"
#include "node/io/storage_thread.h"
#include "node/io/store_directory.h"
#include "node/io/system_clock.h"
#include "node/service.h"

namespace parallax {

/// What a process ends with.
enum class ExitCode : int {
  ok = 0,
  io = 1,       ///< the disk or the network failed
  refused = 2,  ///< a setting, an address or the data directory is wrong
  damaged = 3,  ///< the store is damaged
};

class Engine final : public NodeService {
 public:
  /// Opens the data, and listens. A store that was found damaged is set aside, and the node starts
  /// as recovering. Errors: refused, corrupt, io; one line each.
  static Result<std::unique_ptr<Engine>> open(const NodeConfig& config);
  ~Engine() override;

  /// Runs until SIGTERM or SIGINT, or until the store turns out to be damaged. Waits for the disk
  /// to write what it was given; a second signal ends the process at once (exit code 1), for a disk
  /// may hang.
  ExitCode run();

  // NodeService.
  void submit(Request request, std::function<void(Reply)> done) override;
  Result<Plan> explain(Request request) const override;
  ReplicaStatus replica_status() const override { return replica_->status(); }
  const ReplicaCounters& replica_counters() const override { return replica_->counters(); }
  ProcessStatus process_status() const override;
  Result<void> transfer_leadership(NodeId to) override;
  Result<void> set_faults(FaultSettings faults) override;

 private:
  struct Data {
    std::unique_ptr<LevelDbStore> store;
    std::unique_ptr<Replica> replica;
  };
  /// The ports that a driver needs beside clock and network.
  class Ports;

  Engine(const NodeConfig& config, StoreDirectory directory);
  Result<void> open_data();
  Result<Data> open_replica(bool lost_disk) const;
  Result<void> set_store_aside(const std::string& reason);
  Result<void> listen();

  void need_turn();
  void turn();
  void answer();
  void on_written(Written written);
  void on_envelope(const Envelope& envelope);
  void arm_tick();
  void tick();
  void note_changes();
  void check_damage();
  void begin_stop(int signal);
  void heed_second_signal();
  void finish(ExitCode code);

  // Destroyed in the opposite order: the context outlives everything that hands it handlers.
  // Its sockets and timers are the engine's thread's alone, and not locked; others may only post.
  asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  const NodeConfig config_;
  StoreDirectory directory_;
  SystemClock clock_;
  const std::shared_ptr<DiskFaults> disk_faults_ = std::make_shared<DiskFaults>();
  const MonoTime started_;
  Data data_;
  Replica* replica_ = nullptr;
  std::unique_ptr<PeerTransport> transport_;
  std::unique_ptr<Ports> ports_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<HttpThreads> http_;
  std::unique_ptr<StorageThread> storage_;
  asio::signal_set signals_;
  SteadyTimer tick_timer_;

  bool turn_due_ = false;
  std::uint64_t next_request_ = 1;
  std::unordered_map<RequestId, std::function<void(Reply)>> waiting_;
  std::vector<std::pair<RequestId, Reply>> replies_;  ///< not given to the clients yet

  bool lost_disk_ = false;  ///< DIR/damaged is there until the store knows that it is recovering
  bool disk_failed_ = false;
  ProcessStatus figures_;  ///< the counting part
  mutable std::uint64_t store_bytes_ = 0;
  mutable MonoTime store_bytes_at_{};
  Role role_ = Role::follower;
  Term term_;
  NodeId leader_;
  bool cluster_known_ = false;
  std::optional<MonoTime> stop_by_;  ///< stopping; no longer than this
  std::optional<MonoTime> quiet_since_;
  ExitCode exit_code_ = ExitCode::ok;
};

}  // namespace parallax

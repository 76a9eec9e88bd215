// The one driver: carries out what a replica asks for, in the order that it asks, over the ports.
// The process and the simulator use this same code.
//
// A turn: every input since the last turn has been given to the replica. What became durable leaves
// first, for nobody is to wait for the turn's work who has waited for the disk; then take_ready();
// what may leave at once leaves; the batch goes to the disk; answers go out. What waits for a batch
// leaves when the disk says that it is durable. At most DriverPorts::most_batches batches are in
// flight; while they are, inputs gather for the next one.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/limits.h"
#include "node/ports.h"
#include "node/replica.h"

namespace parallax {

struct DriverPorts {
  PhysicalClock& clock;
  DiskPort& disk;
  NetworkPort& network;
  ClientPort& clients;
  FailPointPort* fail_points = nullptr;
  /// Batches that the disk is given before the first of them is durable.
  std::size_t most_batches = limits::kMaxBatchesInFlight;
};

/// Not thread-safe: every call on one thread.
class Driver {
 public:
  Driver(Replica& replica, DriverPorts ports) : replica_(replica), ports_(ports) {}

  // Inputs: cheap, no work leaves before turn(). Call begin_inputs() before the first of a turn.
  void begin_inputs();
  void request(RequestId id, Request&& request);
  void receive(const Envelope& envelope);
  void on_written(std::uint64_t sequence, const Result<void>& result);

  /// Only the first part of a turn: what has become durable leaves.
  void release();
  /// Carries out one turn.
  void turn();

  std::size_t batches_in_flight() const { return in_flight_.size(); }

 private:
  void send_all(std::vector<Envelope>& envelopes);
  void answer(ReplicaReady& ready);
  void fail_point(std::string_view name);

  struct InFlight {
    std::uint64_t sequence;
    std::vector<Envelope> send_after;
  };
  Replica& replica_;
  DriverPorts ports_;
  std::deque<InFlight> in_flight_;
  std::vector<Envelope> released_;  ///< their batches are durable; they leave with the next turn
  bool failed_ = false;
};

}  // namespace parallax

// The ports of a node: everything through which a driver touches the world. node/io has the real
// ones, the simulator and the tests have fake ones.
#pragma once

#include <cstdint>
#include <string_view>

#include "client/protocol.h"
#include "clock/physical_clock.h"
#include "replication/message.h"
#include "storage/store.h"

namespace parallax {

/// Writes batches in the order of submission. Every batch is answered by Driver::on_written(), on
/// the driver's thread and never from inside submit().
class DiskPort {
 public:
  virtual ~DiskPort() = default;
  virtual void submit(std::uint64_t sequence, WriteBatch batch) = 0;
};

/// Sends to peers. May lose, double, delay and reorder; never waits.
class NetworkPort {
 public:
  virtual ~NetworkPort() = default;
  virtual void send(Envelope envelope) = 0;
};

/// Takes the answers to requests given to Driver::request(), each exactly once.
class ClientPort {
 public:
  virtual ~ClientPort() = default;
  virtual void reply(RequestId id, Reply&& reply) = 0;
};

/// Named places between persist, send, apply and acknowledge at which a test can make a node die.
/// The names are listed in kFailPoints.
class FailPointPort {
 public:
  virtual ~FailPointPort() = default;
  virtual void reached(std::string_view name) = 0;
};

inline constexpr std::string_view kFailPoints[] = {
    "before-send",          ///< a turn's work is done in memory; nothing has left
    "between-send-submit",  ///< what leaves at once has left; the batch has not been handed over
    "after-submit",         ///< the batch is with the disk
    "before-send-after",    ///< a batch is durable; what waited for it has not left
    "before-reply",         ///< clients have not been answered
};

}  // namespace parallax

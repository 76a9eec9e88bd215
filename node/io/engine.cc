#include "node/io/engine.h"

#include <fstream>
#include <random>

#include <boost/asio/post.hpp>
#include <unistd.h>

#include "node/io/logging.h"
#include "node/plan.h"

namespace parallax {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 20ms;
constexpr auto kLongestStop = 5s;
/// Answers of the last turn leave before the connections are closed.
constexpr auto kQuietBeforeStop = 50ms;
constexpr auto kStoreBytesKept = 1s;

/// Nothing here may take a lock. What was acknowledged is durable already.
extern "C" void end_at_once(int) {
  constexpr std::string_view kLine =
      "parallaxd: a second signal ends it at once; what the disk has not written is not waited "
      "for\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kLine.data(), kLine.size());
  ::_exit(static_cast<int>(ExitCode::io));
}

std::uint64_t random_seed() {
  std::random_device device;
  const std::uint64_t high = device();
  return (high << 32) | device();
}

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

// --- Ports ---------------------------------------------------------------------------------------

class Engine::Ports : public DiskPort, public ClientPort, public FailPointPort {
 public:
  explicit Ports(Engine& engine) : engine_(engine) {}

  void submit(std::uint64_t sequence, WriteBatch batch) override {
    // What leaves at once leaves first: the peers write while we do.
    engine_.transport_->flush();
    engine_.storage_->submit(sequence, std::move(batch));
  }
  void reply(RequestId id, Reply&& reply) override {
    // Handed over after the turn, for a client may ask for more from inside its answer.
    engine_.replies_.emplace_back(id, std::move(reply));
  }
  void reached(std::string_view name) override {
    if (!armed_ || armed_->name != name) return;
    engine_.transport_->flush();
    const bool crash = armed_->action == "crash";
    spdlog::warn("event=fail-point name={} action={}", name, armed_->action);
    armed_.reset();
    if (crash && on_crash_ != FaultSettings::OnCrash::keep) {
      engine_.data_.store->lose_power(on_crash_ == FaultSettings::OnCrash::drop_unsynced
                                          ? UnsyncedTail::drop
                                          : UnsyncedTail::tear);
    }
    ::kill(::getpid(), crash ? SIGKILL : SIGSTOP);
  }
  void arm(const FaultSettings& faults) {
    armed_ = faults.fail_point;
    on_crash_ = faults.on_crash;
  }

 private:
  Engine& engine_;
  std::optional<FaultSettings::FailPoint> armed_;
  FaultSettings::OnCrash on_crash_ = FaultSettings::OnCrash::keep;
};

// --- Opening -------------------------------------------------------------------------------------

Engine::Engine(const NodeConfig& config, StoreDirectory directory)
    : config_(config),
      directory_(std::move(directory)),
      started_(clock_.monotonic_now()),
      signals_(context_, SIGTERM, SIGINT),
      tick_timer_(context_) {}

Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::open(const NodeConfig& config) {
  Result<StoreDirectory> directory = StoreDirectory::lock(config.data_dir);
  if (!directory) {
    return definite(directory.error().code, "--data-dir: " + directory.error().message);
  }
  std::unique_ptr<Engine> engine(new Engine(config, std::move(*directory)));
  if (const Result<void> opened = engine->open_data(); !opened) {
    Error error = opened.error();
    error.message = fmt::format("--data-dir: {}: {}", config.data_dir, error.message);
    return error;
  }
  const ClusterId cluster = engine->replica_->status().cluster;
  engine->cluster_known_ = !cluster.empty();
  Engine* const self = engine.get();
  engine->transport_ = std::make_unique<PeerTransport>(
      engine->context_,
      PeerTransportOptions{.self = config.node_id,
                           .peers = config.peers,
                           .client_address = config.client_address.to_string(),
                           .cluster = cluster,
                           .max_backoff = config.max_reconnect_backoff,
                           .seed = random_seed()},
      [self](const Envelope& envelope) { self->on_envelope(envelope); });
  engine->ports_ = std::make_unique<Ports>(*self);
  engine->driver_ = std::make_unique<Driver>(
      *engine->replica_,
      DriverPorts{.clock = self->clock_,
                  .disk = *self->ports_,
                  .network = *self->transport_,
                  .clients = *self->ports_,
                  .fail_points = config.enable_fault_injection ? self->ports_.get() : nullptr,
                  .most_batches = StorageThread::kMostBatches});
  engine->storage_ = std::make_unique<StorageThread>(
      *engine->data_.store, engine->context_,
      [self](Written written) { self->on_written(std::move(written)); });
  PARALLAX_TRY(engine->listen());
  return engine;
}

Result<Engine::Data> Engine::open_replica(bool lost_disk) const {
  Data data;
  LevelDbOptions options;
  options.faults = disk_faults_;
  PARALLAX_ASSIGN(data.store, directory_.open_store(options));
  ReplicaConfig replica;
  replica.id = config_.node_id;
  replica.members = config_.members();
  replica.seed = random_seed();
  replica.life = random_seed() | 1;
  replica.election_timeout_min = config_.election_timeout_min;
  replica.election_timeout_max = config_.election_timeout_max;
  replica.heartbeat_interval = config_.heartbeat_interval();
  replica.semi_sync_timeout = config_.semi_sync_timeout;
  replica.max_clock_skew = config_.max_clock_skew;
  replica.lease_reads = config_.lease_reads;
  replica.clock_drift_ppm = config_.clock_drift_ppm;
  replica.history_retention = config_.history_retention;
  replica.anti_entropy_interval = config_.anti_entropy_interval;
  replica.tombstone_grace = config_.tombstone_grace;
  PARALLAX_ASSIGN(data.replica,
                  Replica::open(std::move(replica), *data.store,
                                TurnTime{clock_.monotonic_now(), clock_.now()}, lost_disk));
  return data;
}

Result<void> Engine::open_data() {
  PARALLAX_ASSIGN(const std::optional<std::string> damage, directory_.damage());
  if (damage) PARALLAX_TRY(set_store_aside(*damage));
  Result<Data> opened = open_replica(lost_disk_);
  if (!opened && opened.error().code == ErrorCode::corrupt) {
    if (!config_.recover) {
      return definite(
          ErrorCode::corrupt,
          opened.error().message +
              "; start with --recover to set it aside and fetch the data from the peers");
    }
    PARALLAX_TRY(directory_.mark_damaged(opened.error().message));
    PARALLAX_TRY(set_store_aside(opened.error().message));
    opened = open_replica(lost_disk_);
  }
  if (!opened) return opened.error();
  data_ = std::move(*opened);
  replica_ = data_.replica.get();
  return {};
}

Result<void> Engine::set_store_aside(const std::string& reason) {
  lost_disk_ = true;
  PARALLAX_ASSIGN(const auto aside, directory_.set_aside(clock_.now()));
  spdlog::warn("event=store-set-aside to={} reason={}",
               quote(aside ? aside->string() : "nothing was there"), quote(reason));
  return {};
}

Result<void> Engine::listen() {
  const auto named = [](std::string_view setting, const Error& error) {
    return definite(error.code, fmt::format("--{}: {}", setting, error.message));
  };
  if (const Result<void> peers = transport_->listen(config_.peer_address); !peers) {
    return named("peer-address", peers.error());
  }
  HttpServerOptions options;
  options.max_value_bytes = config_.max_value_bytes;
  options.enable_faults = config_.enable_fault_injection;
  http_ = std::make_unique<HttpThreads>(context_, *this, options, config_.io_threads);
  if (const Result<std::string> clients = http_->listen(config_.client_address); !clients) {
    return named("client-address", clients.error());
  }
  return {};
}

// --- Turns ---------------------------------------------------------------------------------------

void Engine::need_turn() {
  if (turn_due_) return;
  turn_due_ = true;
  driver_->begin_inputs();
  // Behind every handler that is ready now.
  asio::post(context_, [this] {
    if (turn_due_) turn();
  });
}

void Engine::turn() {
  turn_due_ = false;
  driver_->release();
  answer();
  driver_->turn();
  transport_->flush();
  if (const std::optional<Error>& fatal = replica_->fatal()) {
    spdlog::critical("event=store-damaged reason={}", quote(fatal->message));
    if (const Result<void> marked = directory_.mark_damaged(fatal->message); !marked) {
      spdlog::critical("event=damage-not-marked reason={}", quote(marked.error().message));
    }
    return finish(ExitCode::damaged);
  }
  answer();
  if (lost_disk_) check_damage();
}

/// What is given to a client may come back with its next request at once: so the answers of a turn
/// leave when no turn is under way.
void Engine::answer() {
  std::vector<std::pair<RequestId, Reply>> replies;
  replies.swap(replies_);
  for (auto& [id, reply] : replies) {
    auto waiting = waiting_.extract(id);
    PARALLAX_ASSERT(!waiting.empty(), "a second answer to request {}", id);
    waiting.mapped()(std::move(reply));
  }
  if (replies_.empty()) {
    replies.clear();
    replies_.swap(replies);  // for its room
  }
}

void Engine::on_written(Written written) {
  figures_.batches_written += written.syncs;
  figures_.batch_write_time += written.took;
  figures_.batch_bytes += written.bytes;
  if (!written.result && !disk_failed_) {
    disk_failed_ = true;
    spdlog::error("event=disk-failed reason={}", quote(written.result.error().message));
  }
  need_turn();
  driver_->on_written(written.sequence, written.result);
}

void Engine::on_envelope(const Envelope& envelope) {
  need_turn();
  driver_->receive(envelope);
}

/// After a turn with nothing in flight everything that the replica has decided is durable.
void Engine::check_damage() {
  if (driver_->batches_in_flight() > 0 || disk_failed_) return;
  if (replica_->status().membership == Membership::none) return;
  if (const Result<void> cleared = directory_.clear_damage(); !cleared) {
    spdlog::error("event=damage-not-cleared reason={}", quote(cleared.error().message));
    return;
  }
  lost_disk_ = false;
}

// --- Time ----------------------------------------------------------------------------------------

void Engine::arm_tick() {
  tick_timer_.expires_after(kTick);
  tick_timer_.async_wait([this](const boost::system::error_code& failed) {
    if (!failed) tick();
  });
}

void Engine::tick() {
  const MonoTime now = clock_.monotonic_now();
  transport_->tick(now);
  if (!turn_due_) driver_->begin_inputs();
  turn();
  note_changes();
  if (stop_by_) {
    const bool quiet = replica_->quiet() && driver_->batches_in_flight() == 0 && waiting_.empty();
    if (!quiet) {
      quiet_since_.reset();
    } else if (!quiet_since_) {
      quiet_since_ = now;
    }
    if (now >= *stop_by_ || (quiet_since_ && now - *quiet_since_ >= kQuietBeforeStop)) {
      return finish(ExitCode::ok);
    }
  }
  arm_tick();
}

void Engine::note_changes() {
  if (!cluster_known_) {
    const ClusterId cluster = replica_->status().cluster;
    if (!cluster.empty()) {
      cluster_known_ = true;
      spdlog::info("event=cluster-known cluster={}", cluster.to_string());
      transport_->set_cluster(cluster);
    }
  }
  const Raft* const raft = replica_->raft();
  if (raft == nullptr) return;
  if (raft->role() == role_ && raft->term() == term_ && raft->leader() == leader_) return;
  role_ = raft->role();
  term_ = raft->term();
  leader_ = raft->leader();
  spdlog::info("event=role role={} term={} leader={}", role_name(role_), term_, leader_);
}

// --- Start and end -------------------------------------------------------------------------------

ExitCode Engine::run() {
  signals_.async_wait([this](const boost::system::error_code& failed, int signal) {
    if (!failed) begin_stop(signal);
  });
  spdlog::info("event=started version={} client={} peer={} data={} membership={}", PARALLAX_VERSION,
               config_.client_address.to_string(), config_.peer_address.to_string(),
               quote(config_.data_dir), static_cast<int>(replica_->status().membership));
  tick();
  http_->start();
  context_.run();
  heed_second_signal();  // a damaged store ends this without a first one
  http_->stop();
  storage_->stop();
  http_.reset();
  transport_->close();
  spdlog::info("event=stopped exit={}", static_cast<int>(exit_code_));
  return exit_code_;
}

/// From now on without the loop, which ends before the disk does.
void Engine::heed_second_signal() {
  boost::system::error_code ignored;
  signals_.clear(ignored);
  std::signal(SIGTERM, end_at_once);
  std::signal(SIGINT, end_at_once);
}

void Engine::begin_stop(int signal) {
  spdlog::info("event=stopping signal={}", signal);
  heed_second_signal();
  stop_by_ = clock_.monotonic_now() + kLongestStop;
  http_->stop_accepting();
  replica_->begin_shutdown();
  need_turn();
}

/// A turn that finds the store damaged may be the last one of a stop, too.
void Engine::finish(ExitCode code) {
  if (exit_code_ == ExitCode::ok) exit_code_ = code;
  context_.stop();
}

// --- NodeService ---------------------------------------------------------------------------------

void Engine::submit(Request request, std::function<void(Reply)> done) {
  const RequestId id{next_request_++};
  waiting_.emplace(id, std::move(done));
  need_turn();
  driver_->request(id, std::move(request));
}

ProcessStatus Engine::process_status() const {
  ProcessStatus status = figures_;
  const MonoTime now = clock_.monotonic_now();
  if (store_bytes_at_ == MonoTime{} || now - store_bytes_at_ >= kStoreBytesKept) {
    store_bytes_ = data_.store->approximate_bytes();
    store_bytes_at_ = now;
  }
  status.store_bytes = store_bytes_;
  status.resident_bytes = resident_bytes();
  status.uptime = now - started_;
  status.addresses = transport_->addresses();
  const PeerCounters& peers = transport_->counters();
  status.frames_sent = peers.frames_sent;
  status.frames_received = peers.frames_received;
  status.peer_bytes_sent = peers.bytes_sent;
  status.frames_dropped = peers.frames_dropped;
  return status;
}

Result<Plan> Engine::explain(Request request) const {
  return replica_->plan(std::move(request));
}

Result<void> Engine::transfer_leadership(NodeId to) {
  need_turn();
  return replica_->transfer_leadership(to);
}

Result<void> Engine::set_faults(FaultSettings faults) {
  if (!config_.enable_fault_injection) {
    return definite(ErrorCode::not_found, "fault injection is not enabled on this node");
  }
  PARALLAX_TRY(check_faults(faults));
  transport_->set_faults(faults);
  clock_.set_offset_ms(faults.clock_offset_ms);
  disk_faults_->fsync_delay_ms.store(static_cast<std::uint32_t>(faults.fsync_delay.count()));
  disk_faults_->disk_full.store(faults.disk_full);
  ports_->arm(faults);
  return {};
}

}  // namespace parallax

#include "harness/io/nemesis.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

#include <fmt/format.h>

#include "base/random.h"

namespace parallax::harness {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
/// What parallaxd exits with when its store is damaged (docs/OPERATIONS.md).
constexpr int kDamaged = 3;
constexpr int kKilled = 128 + 9;

std::string name_of(std::uint32_t node) {
  return fmt::format("n{}", node);
}

bool takes_down(Fault fault) {
  return fault == Fault::kill || fault == Fault::restart || fault == Fault::crash ||
         fault == Fault::bit_flip || fault == Fault::disk_full;
}

}  // namespace

Result<void> Nemesis::tick() {
  PARALLAX_TRY(look_after_processes());
  end_over(now_());
  start_due();
  move_clocks();
  tell();
  if (failure_) return *failure_;
  return {};
}

Result<bool> Nemesis::heal() {
  next_ = plan_.size();
  end_over(std::numeric_limits<std::int64_t>::max());
  PARALLAX_TRY(look_after_processes());
  tell();
  if (failure_) return *failure_;
  bool all = untold_.empty();
  for (std::uint32_t node = 1; all && node <= cluster_.size(); ++node) all = cluster_.ready(node);
  return all;
}

std::vector<FaultWindow> Nemesis::windows() const {
  std::vector<FaultWindow> all = over_;
  for (const Running& running : running_) {
    if (auto window = window_of(running, now_())) all.push_back(std::move(*window));
  }
  std::stable_sort(all.begin(), all.end(), [](const FaultWindow& a, const FaultWindow& b) {
    return a.begin_ns < b.begin_ns;
  });
  return all;
}

std::optional<FaultWindow> Nemesis::window_of(const Running& running, std::int64_t end_ns) {
  if (!running.asked) return std::nullopt;
  FaultWindow window = running.window;
  window.end_ns = end_ns;
  if (!running.confirmed) {
    window.detail += fmt::format("{}not confirmed", window.detail.empty() ? "" : ", ");
  }
  return window;
}

std::string Nemesis::under_way() const {
  std::string text;
  for (const Running& running : running_) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", running.window.kind,
                        running.window.target);
  }
  return text;
}

std::vector<ActiveFault> Nemesis::active() const {
  std::vector<ActiveFault> all;
  for (const Running& running : running_) all.push_back(running.fault);
  return all;
}

void Nemesis::change_all() {
  for (std::uint32_t node = 1; node <= cluster_.size(); ++node) change(node);
}

// --- Beginning -----------------------------------------------------------------------------------

void Nemesis::start_due() {
  while (next_ < plan_.size() && began_ns_ + plan_[next_].at.count() <= now_()) {
    const PlannedFault planned = plan_[next_++];
    auto running = inject(planned);
    const bool flips = planned.fault == Fault::bit_flip;
    if (flips && (!running || running->fault.planned.amount == 0)) put_off(planned);
    if (running) {
      if (running->until_ns <= running->window.begin_ns) {
        running->window.end_ns = now_();
        over_.push_back(std::move(running->window));
      } else {
        running_.push_back(std::move(*running));
      }
    }
  }
}

void Nemesis::put_off(PlannedFault planned) {
  planned.at = Duration(now_() - began_ns_) + std::chrono::milliseconds(500);
  const auto later =
      std::upper_bound(plan_.begin() + static_cast<std::ptrdiff_t>(next_), plan_.end(), planned,
                       [](const PlannedFault& a, const PlannedFault& b) { return a.at < b.at; });
  plan_.insert(later, planned);
}

std::uint32_t Nemesis::target(const PlannedFault& planned) {
  if (planned.node != 0) return planned.node;
  const std::uint32_t leader = cluster_.leader();
  return leader != 0 ? leader : static_cast<std::uint32_t>(1 + planned.draw % cluster_.size());
}

std::optional<Nemesis::Running> Nemesis::inject(PlannedFault planned) {
  planned.node = std::min(target(planned), cluster_.size());
  FaultWindow window{.kind = std::string(to_string(planned.fault)),
                     .target = name_of(planned.node),
                     .detail = describe(planned),
                     .begin_ns = now_(),
                     .end_ns = 0};
  ActiveFault fault{.planned = planned, .links = {}, .offset = 0};
  switch (planned.fault) {
    case Fault::kill:
    case Fault::restart:
    case Fault::bit_flip:
      if (!take_down(fault.planned, window)) return std::nullopt;
      break;
    case Fault::pause:
      if (!cluster_.awake(planned.node)) return std::nullopt;
      cluster_.pause(planned.node);
      break;
    case Fault::partition: {
      const auto form = static_cast<Partition>(planned.form);
      const std::uint32_t leader = form == Partition::leader ? cluster_.leader() : 0;
      fault.links = cut_links(form, cluster_.size(), planned.node, leader, planned.draw);
      if (fault.links.empty()) return std::nullopt;
      window.target = describe_cut(fault.links, cluster_.size());
      change_all();
      break;
    }
    case Fault::transfer: {
      const std::uint32_t from = cluster_.leader();
      if (from == 0 || cluster_.size() < 2 || !cluster_.awake(from)) return std::nullopt;
      const std::uint32_t step =
          1 + static_cast<std::uint32_t>(planned.draw % (cluster_.size() - 1));
      const std::uint32_t to = (from - 1 + step) % cluster_.size() + 1;
      if (!cluster_.transfer_leadership(from, to)) return std::nullopt;
      window.target = name_of(from);
      window.detail = "to " + name_of(to);
      break;
    }
    case Fault::clock:
      fault.offset = clock_offset(planned, Duration{});
      change(planned.node);
      break;
    case Fault::crash:
    case Fault::disk_full:
      if (!cluster_.awake(planned.node)) return std::nullopt;
      change(planned.node);
      break;
    default:
      change(planned.node);
      break;
  }
  const std::int64_t until = window.begin_ns + planned.lasts.count();
  const bool told = is_told(planned.node, fault) || !fault.links.empty();
  return Running{std::move(fault), std::move(window), until, !told, !told};
}

bool Nemesis::take_down(PlannedFault& planned, FaultWindow& window) {
  if (planned.fault == Fault::restart) {
    window.target = "all";
    for (std::uint32_t node = 1; node <= cluster_.size(); ++node) cluster_.kill(node);
    return true;
  }
  if (planned.fault == Fault::bit_flip && flipped_ != 0) {
    planned.node = flipped_;
    window.target = name_of(flipped_);
  }
  if (!cluster_.running(planned.node)) return false;
  if (planned.fault == Fault::kill) {
    cluster_.kill(planned.node);
    return true;
  }
  // What another node's disk has lost must not be needed while this one recovers.
  for (std::uint32_t node = 1; node <= cluster_.size(); ++node) {
    if (!cluster_.ready(node)) return false;
  }
  flip_bit(planned, window.detail);
  return true;
}

void Nemesis::flip_bit(PlannedFault& planned, std::string& detail) {
  namespace fs = std::filesystem;
  cluster_.kill(planned.node);
  flipped_ = planned.node;
  std::vector<fs::path> tables;
  std::error_code error;
  const std::string store = cluster_.data_dir(planned.node) + "/store";
  for (const auto& entry : fs::directory_iterator(store, error)) {
    if (entry.path().extension() == ".ldb" && entry.file_size(error) > 0) {
      tables.push_back(entry.path());
    }
  }
  planned.amount = 0;
  if (tables.empty()) {
    detail = "no table yet; a start makes one";
    return;
  }
  std::sort(tables.begin(), tables.end());
  Random random(planned.draw);
  const fs::path& table = tables[random.below(tables.size())];
  const std::uint64_t at = random.below(fs::file_size(table, error));
  const auto bit = static_cast<unsigned>(random.below(8));
  std::fstream file(table, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  char byte = 0;
  file.get(byte);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << bit)));
  file.flush();
  planned.amount = file ? 1 : 0;
  detail = fmt::format("bit {} of byte {} of {}{}", bit, at, table.filename().string(),
                       file ? "" : " could not be flipped");
}

// --- Ending --------------------------------------------------------------------------------------

void Nemesis::end_over(std::int64_t now) {
  for (std::size_t i = 0; i < running_.size();) {
    if (running_[i].until_ns > now) {
      ++i;
      continue;
    }
    Running running = std::move(running_[i]);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    end(std::move(running));
  }
}

void Nemesis::end(Running running) {
  const std::uint32_t node = running.fault.planned.node;
  switch (running.fault.planned.fault) {
    case Fault::kill:
    case Fault::bit_flip:
      start_if_free(node);
      break;
    case Fault::crash:
      if (running.asked && cluster_.running(node)) {
        // It may reach the point any moment.
        running.window.detail += ", not reached";
        cluster_.kill(node);
      }
      start_if_free(node);
      break;
    case Fault::restart:
      for (std::uint32_t each = 1; each <= cluster_.size(); ++each) start_if_free(each);
      break;
    case Fault::disk_full:
      // A node whose disk was full needs a start.
      if (running.asked) cluster_.kill(node);
      start_if_free(node);
      break;
    case Fault::pause:
      if (cluster_.paused(node)) cluster_.resume(node);
      break;
    case Fault::partition:
      change_all();
      break;
    default:
      change(node);
      break;
  }
  if (auto window = window_of(running, now_())) over_.push_back(std::move(*window));
}

bool Nemesis::is_held_down(std::uint32_t node) const {
  return std::any_of(running_.begin(), running_.end(), [&](const Running& running) {
    const PlannedFault& planned = running.fault.planned;
    return takes_down(planned.fault) && planned.fault != Fault::disk_full &&
           (planned.fault == Fault::restart || planned.node == node);
  });
}

void Nemesis::start_if_free(std::uint32_t node) {
  if (cluster_.running(node) || is_held_down(node)) return;
  if (const auto started = cluster_.start(node); !started) failure_ = started.error();
  change(node);
}

void Nemesis::move_clocks() {
  for (Running& running : running_) {
    if (running.fault.planned.fault != Fault::clock) continue;
    const Duration since(now_() - running.window.begin_ns);
    const std::int64_t offset = clock_offset(running.fault.planned, since);
    if (offset == running.fault.offset) continue;
    running.fault.offset = offset;
    change(running.fault.planned.node);
  }
}

// --- Looking after nodes
// ---------------------------------------------------------------------------

Result<void> Nemesis::look_after_processes() {
  for (std::uint32_t node = 1; node <= cluster_.size(); ++node) {
    if (cluster_.running(node)) continue;
    const int code = cluster_.code(node);
    if (is_held_down(node) && code == kKilled) continue;
    if (node == flipped_ && code == kDamaged) {
      over_.push_back({.kind = std::string(to_string(Fault::bit_flip)),
                       .target = name_of(node),
                       .detail = "found; recovers",
                       .begin_ns = now_(),
                       .end_ns = 0});
      PARALLAX_TRY(cluster_.start(node, true));
      over_.back().end_ns = now_();
      change(node);
      continue;
    }
    return definite(ErrorCode::io,
                    fmt::format("node {} ended by itself with code {}; its log ends:\n{}", node,
                                code, cluster_.last_words(node)));
  }
  return {};
}

void Nemesis::tell() {
  if (untold_.empty() || now_() < tell_again_ns_) return;
  const auto all = active();
  for (auto it = untold_.begin(); it != untold_.end();) {
    if (!cluster_.awake(*it)) {
      ++it;
      continue;
    }
    const std::int64_t at = now_();
    const auto told = cluster_.set_faults(*it, all);
    if (!told && told.error().definite()) {
      failure_ = told.error();
      return;
    }
    note_told(*it, at, told.has_value());
    // A node that starts listens soon.
    it = told ? untold_.erase(it) : std::next(it);
  }
  if (!untold_.empty()) tell_again_ns_ = now_() + 50 * kMillisecond;
}

void Nemesis::note_told(std::uint32_t node, std::int64_t at_ns, bool confirmed) {
  for (Running& running : running_) {
    if (!is_told(node, running.fault)) continue;
    if (!running.asked) running.window.begin_ns = at_ns;
    running.asked = true;
    running.confirmed = running.confirmed || confirmed;
  }
}

}  // namespace parallax::harness

#include "simulation/crdt_clients.h"

#include <algorithm>

#include <boost/json.hpp>

#include "base/assert.h"
#include "consistency/merge/crdt.h"
#include "replication/quorum/sizes.h"
#include "simulation/recorder.h"
#include "storage/key_space.h"

namespace parallax::simulation {
namespace {

namespace json = boost::json;

/// In the names of clients in the timeline.
constexpr std::size_t kFirstClient = 200;
constexpr std::uint64_t kFields = 3;

std::string key_of(CrdtType type) {
  return fmt::format("crdt-{}", crdt_type_name(type));
}

std::string quoted(std::string_view text) {
  return json::serialize(json::string(text));
}

}  // namespace

CrdtClients::CrdtClients(World& world, const Checks& checks, Trace* trace, CrdtOptions options)
    : world_(world),
      checks_(checks),
      trace_(trace),
      options_(options),
      random_(options.seed ^ 0xc4d7) {}

void CrdtClients::start() {
  for (std::size_t client = 0; client < options_.clients; ++client) next(client);
}

void CrdtClients::next(std::size_t client) {
  if (stopped_) return;
  const auto mean = static_cast<std::uint64_t>(options_.think.count());
  world_.after(Duration{static_cast<std::int64_t>(random_.below(2 * mean + 1))}, [this, client] {
    if (!stopped_) issue(client);
  });
}

UpdateCrdt CrdtClients::draw_update() {
  const auto type = static_cast<CrdtType>(random_.below(3));
  UpdateCrdt what{.key = key_of(type), .type = type};
  switch (type) {
    case CrdtType::counter:
      what.update = {.op = CrdtOp::increment,
                     .by = static_cast<std::int64_t>(random_.between(1, 9)) - 3};
      break;
    case CrdtType::set: {
      // A remove is of something that somebody has asked to add.
      std::vector<std::string> added;
      for (const Update& update : updates_) {
        if (update.what.update.op == CrdtOp::add) added.push_back(update.what.update.name);
      }
      const bool remove = !added.empty() && random_.chance(0.3);
      what.update = {
          .op = remove ? CrdtOp::remove : CrdtOp::add,
          .name =
              remove
                  ? added[added.size() - 1 - random_.below(std::min<std::size_t>(added.size(), 5))]
                  : quoted(fmt::format("e{}", issued_))};
      break;
    }
    case CrdtType::map:
      what.update = {.op = CrdtOp::put,
                     .name = fmt::format("f{}", random_.below(kFields)),
                     .value = quoted(fmt::format("m{}", issued_))};
      break;
  }
  return what;
}

void CrdtClients::issue(std::size_t client) {
  ++issued_;
  const std::vector<NodeId> nodes = world_.ids();
  const NodeId at = nodes[random_.below(nodes.size())];
  Consistency level{.level = kCrdtLevels[random_.below(kCrdtLevels.size())]};
  if (level.level == Level::quorum) {
    level.w = static_cast<std::uint32_t>(random_.between(1, nodes.size()));
  }
  Request request;
  request.timeout = std::chrono::milliseconds(random_.between(200, 1'500));
  request.consistency = level;
  if (random_.chance(0.2)) {
    request.operation = GetCrdt{key_of(static_cast<CrdtType>(random_.below(3)))};
    ++under_way_;
    world_.submit(at, std::move(request), [this, client](const Reply& reply) {
      --under_way_;
      if (reply) ++answered_;
      next(client);
    });
    return;
  }
  Update update{.what = draw_update(), .level = level, .at = at, .losses = checks_.losses(at)};
  request.operation = update.what;
  updates_.push_back(std::move(update));
  ++under_way_;
  world_.submit(at, std::move(request),
                [this, client, index = updates_.size() - 1](const Reply& reply) {
                  finish(client, index, reply);
                });
}

void CrdtClients::finish(std::size_t client, std::size_t index, const Reply& reply) {
  Update& update = updates_[index];
  Request asked;
  asked.operation = update.what;
  asked.consistency = update.level;
  tell_answer(trace_, {kFirstClient + client, update.at, world_.now()}, asked, reply);
  --under_way_;
  if (reply) {
    ++answered_;
    PARALLAX_ASSERT(!reply->refusal, "'{}' holds nothing that an update could be refused for: {}",
                    update.what.key, reply->refusal->message);
    update.fate = Fate::acknowledged;
    update.stamp = *reply->stamp;
    update.on_majority = reply->evidence.replicas.size() >= majority_of(world_.ids().size());
  } else if (reply.error().definite()) {
    update.fate = Fate::refused;
  }
  next(client);
}

bool CrdtClients::counts(const Update& update) const {
  if (update.fate != Fate::acknowledged || update.level.level == Level::weak) return false;
  const bool there =
      checks_.losses(update.at) == update.losses && !world_.damage_pending(update.at);
  return there || update.on_majority;
}

/// By somebody who had seen the add at the same node. The causal levels do not see there what
/// others have written ahead of their causal past.
bool CrdtClients::removed_for_sure(const Update& add) const {
  const auto causal = [](const Update& update) {
    return level_info(update.level.level).protocol == Protocol::causal;
  };
  return std::any_of(updates_.begin(), updates_.end(), [&](const Update& other) {
    return other.what.update.op == CrdtOp::remove &&
           other.what.update.name == add.what.update.name && other.at == add.at &&
           add.fate == Fate::acknowledged && counts(other) && add.losses == other.losses &&
           (causal(add) || !causal(other)) && add.stamp < other.stamp;
  });
}

void CrdtClients::check_counter(std::string_view shown) const {
  const std::int64_t sum = json::parse(shown).to_number<std::int64_t>();
  std::int64_t least = 0;
  std::int64_t most = 0;
  for (const Update& update : updates_) {
    if (update.what.type != CrdtType::counter || update.fate == Fate::refused) continue;
    const std::int64_t by = update.what.update.by;
    if (counts(update) || by < 0) least += by;
    if (counts(update) || by > 0) most += by;
  }
  PARALLAX_ASSERT(least <= sum && sum <= most,
                  "convergent values: the counter is {}; what was acknowledged makes {} to {}", sum,
                  least, most);
}

void CrdtClients::check_set(std::string_view shown) const {
  const json::array elements = json::parse(shown).as_array();
  for (const Update& update : updates_) {
    if (update.what.update.op != CrdtOp::add) continue;
    const std::string& name = update.what.update.name;
    const bool in = std::any_of(elements.begin(), elements.end(), [&](const json::value& element) {
      return json::serialize(element) == name;
    });
    const bool remove_asked =
        std::any_of(updates_.begin(), updates_.end(), [&](const Update& other) {
          return other.what.update.op == CrdtOp::remove && other.what.update.name == name &&
                 other.fate != Fate::refused;
        });
    PARALLAX_ASSERT(in || remove_asked || !counts(update),
                    "convergent values: {} was added, nobody has removed it, and it is gone", name);
    PARALLAX_ASSERT(!in || update.fate != Fate::refused,
                    "convergent values: adding {} was refused, and it is there", name);
    PARALLAX_ASSERT(!in || !removed_for_sure(update),
                    "convergent values: {} was removed where it had been added, and is there",
                    name);
  }
}

void CrdtClients::check_map(std::string_view shown) const {
  const json::object fields = json::parse(shown).as_object();
  for (std::uint64_t i = 0; i < kFields; ++i) {
    const std::string field = fmt::format("f{}", i);
    const Update* last = nullptr;
    const Update* held = nullptr;
    const auto value = fields.find(field);
    for (const Update& update : updates_) {
      if (update.what.update.op != CrdtOp::put || update.what.update.name != field) continue;
      if (counts(update) && (last == nullptr || last->stamp < update.stamp)) last = &update;
      if (value != fields.end() && json::serialize(value->value()) == update.what.update.value) {
        held = &update;
      }
    }
    PARALLAX_ASSERT((value == fields.end()) == (held == nullptr),
                    "convergent values: nobody has put what '{}' holds", field);
    if (last == nullptr) continue;
    PARALLAX_ASSERT(held != nullptr && held->fate != Fate::refused,
                    "convergent values: {} was put into '{}', which holds {}",
                    last->what.update.value, field,
                    held == nullptr ? "nothing" : "what was refused");
    PARALLAX_ASSERT(held->fate == Fate::unknown || held->stamp >= last->stamp,
                    "convergent values: '{}' holds {} of {}; {} of {} was put later", field,
                    held->what.update.value, held->stamp, last->what.update.value, last->stamp);
  }
}

void CrdtClients::check_end() const {
  const KeySpace keys(world_.replica(world_.ids().front()).state(), kOnlyGroup);
  for (const auto& [type, name] : kCrdtTypes) {
    const Result<KeyState> state = keys.load(key_of(type));
    PARALLAX_ASSERT(state, "{}", state.error().message);
    const bool any = std::any_of(updates_.begin(), updates_.end(), [&, t = type](const Update& u) {
      return u.what.type == t && counts(u);
    });
    PARALLAX_ASSERT(!any || !state->versions().empty(),
                    "convergent values: nothing is left of the {}", name);
    if (state->versions().empty()) continue;
    const std::string shown = shown_crdt(merged_crdt(*state, UnixMillis{})).json;
    if (type == CrdtType::counter) check_counter(shown);
    if (type == CrdtType::set) check_set(shown);
    if (type == CrdtType::map) check_map(shown);
  }
}

}  // namespace parallax::simulation

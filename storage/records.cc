#include "storage/records.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "base/canary.h"
#include "base/checksum.h"
#include "base/limits.h"
#include "storage/causal_codec.h"
#include "storage/history_log.h"
#include "storage/key_state_codec.h"
#include "storage/log_segment.h"
#include "storage/packing.h"
#include "storage/records.pb.h"
#include "storage/store_keys.h"
#include "storage/version_wire.h"

namespace parallax {

namespace records {
namespace {

// --- Frame: format byte, message, checksum ------------------------------------------------------

constexpr std::size_t kFormatBytes = 1;
constexpr std::size_t kChecksumBytes = 4;
static_assert(kStoreFormat <= 0xff, "the format has one byte");

std::uint32_t checksum(std::string_view store_key, std::string_view bytes) {
  return crc32(bytes, crc32(store_key));
}

/// Completes a record whose message is in place between the room for format and checksum.
Bytes seal(std::string_view store_key, std::string record) {
  record.front() = static_cast<char>(kStoreFormat);
  const std::size_t end = record.size() - kChecksumBytes;
  const std::uint32_t sum = checksum(store_key, std::string_view(record).substr(0, end));
  for (std::size_t i = 0; i < kChecksumBytes; ++i) {
    record[end + i] = static_cast<char>(sum >> (8 * i));
  }
  return Bytes{std::move(record)};
}

Bytes seal_message(std::string_view store_key, const google::protobuf::MessageLite& message) {
  std::string record(kFormatBytes + message.ByteSizeLong() + kChecksumBytes, '\0');
  message.SerializeWithCachedSizesToArray(
      reinterpret_cast<std::uint8_t*>(record.data() + kFormatBytes));
  return seal(store_key, std::move(record));
}

Error corrupt(std::string_view store_key, std::string_view what) {
  return definite(ErrorCode::corrupt, fmt::format("{} is corrupt: {}", describe(store_key), what));
}

/// The message inside a record whose checksum and format are right.
Result<std::string_view> unseal(std::string_view store_key, std::string_view bytes) {
  if (bytes.size() < kFormatBytes + kChecksumBytes) {
    return corrupt(store_key, fmt::format("{} bytes, at least {} expected", bytes.size(),
                                          kFormatBytes + kChecksumBytes));
  }
  const std::size_t end = bytes.size() - kChecksumBytes;
  std::uint32_t stored = 0;
  for (std::size_t i = 0; i < kChecksumBytes; ++i) {
    stored |= std::uint32_t{static_cast<std::uint8_t>(bytes[end + i])} << (8 * i);
  }
  const std::uint32_t computed = checksum(store_key, bytes.substr(0, end));
  if (stored != computed && !canary(Canary::checksum_ignored)) {
    return corrupt(store_key, fmt::format("checksum {:08x}, computed {:08x}", stored, computed));
  }
  const auto format = static_cast<std::uint8_t>(bytes.front());
  if (format > kStoreFormat) {
    return definite(ErrorCode::refused, fmt::format("{} has format {}, this program reads up to {}",
                                                    describe(store_key), format, kStoreFormat));
  }
  if (format == 0) return corrupt(store_key, "format 0");
  return bytes.substr(kFormatBytes, end - kFormatBytes);
}

// --- Messages -----------------------------------------------------------------------------------

/// Why a message that parses is no record; nullptr: it is one.
using Fault = const char*;

template <class Path>
bool known_path(Path path) {
  return path <= static_cast<std::uint32_t>(ActorPath::causal);
}

void fill_context(google::protobuf::RepeatedPtrField<stored::ContextEntry>& out,
                  const VersionVector& context) {
  out.Reserve(static_cast<int>(context.entries().size()));
  for (const auto& [actor, hlc] : context.entries()) {
    stored::ContextEntry& entry = *out.Add();
    entry.set_path(static_cast<std::uint32_t>(actor.path));
    entry.set_node(actor.node.value);
    entry.set_incarnation(actor.incarnation.value);
    entry.set_hlc(hlc.value);
  }
}

Fault read_context(const google::protobuf::RepeatedPtrField<stored::ContextEntry>& in,
                   VersionVector& context) {
  if (in.empty()) return nullptr;
  std::vector<VersionVector::Entry> entries;
  entries.reserve(static_cast<std::size_t>(in.size()));
  for (const stored::ContextEntry& entry : in) {
    if (!known_path(entry.path())) return "unknown actor path in a context";
    entries.emplace_back(Actor{static_cast<ActorPath>(entry.path()), NodeId{entry.node()},
                               Incarnation{entry.incarnation()}},
                         Hlc{entry.hlc()});
  }
  context = VersionVector{std::move(entries)};
  if (context.entries().size() != static_cast<std::size_t>(in.size())) {
    return "a context with a repeated actor or an empty reading";
  }
  return nullptr;
}

/// Records of format 1 have entries, later ones are packed.
Fault read_context(const google::protobuf::RepeatedPtrField<stored::ContextEntry>& entries,
                   std::string_view packed, Hlc base, VersionVector& context) {
  if (packed.empty()) return read_context(entries, context);
  const bool right = entries.empty() && parallax::read_context(packed, base, context);
  return right ? nullptr : "a packed context that is none";
}

/// Takes the value out of the message.
Fault read_version(stored::Version& in, Version& version) {
  if (!known_path(in.actor_path())) return "unknown actor path";
  if (in.tombstone() && !in.value().empty()) return "a tombstone with a value";
  version.stamp = Stamp{Hlc{in.hlc()}, NodeId{in.node()}};
  version.actor = Actor{static_cast<ActorPath>(in.actor_path()), NodeId{in.actor_node()},
                        Incarnation{in.actor_incarnation()}};
  if (Fault fault =
          read_context(in.context(), in.packed_context(), version.stamp.hlc, version.context)) {
    return fault;
  }
  version.tombstone = in.tombstone();
  if (!in.value().empty()) version.value = Bytes{std::move(*in.mutable_value())};
  version.content_type = in.content_type();
  version.expires_at = UnixMillis{in.expires_at_ms()};
  version.log_index = LogIndex{in.log_index()};
  return nullptr;
}

Fault read_versions(google::protobuf::RepeatedPtrField<stored::Version>& in,
                    std::vector<Version>& versions) {
  versions.resize(static_cast<std::size_t>(in.size()));
  for (int i = 0; i < in.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (Fault fault = read_version(*in.Mutable(i), versions[at])) return fault;
    if (i > 0 && versions[at - 1].stamp <= versions[at].stamp) return "versions out of order";
  }
  return nullptr;
}

void fill(stored::NodeRecord& out, const NodeRecord& record) {
  out.set_format(record.format);
  out.set_node(record.node.value);
  out.set_cluster_high(record.cluster.high);
  out.set_cluster_low(record.cluster.low);
  out.set_incarnation(record.incarnation.value);
  out.set_membership(static_cast<std::uint32_t>(record.membership));
}

Fault read(stored::NodeRecord& in, NodeRecord& record) {
  if (in.membership() > static_cast<std::uint32_t>(Membership::recovering)) {
    return "unknown membership";
  }
  record.format = in.format();
  record.node = NodeId{in.node()};
  record.cluster = ClusterId{in.cluster_high(), in.cluster_low()};
  record.incarnation = Incarnation{in.incarnation()};
  record.membership = static_cast<Membership>(in.membership());
  return nullptr;
}

void fill(stored::ClockBound& out, Hlc bound) {
  out.set_hlc(bound.value);
}

Fault read(stored::ClockBound& in, Hlc& bound) {
  bound = Hlc{in.hlc()};
  return nullptr;
}

void fill(stored::HardState& out, const HardState& record) {
  out.set_term(record.term.value);
  out.set_voted_for(record.voted_for.value);
}

Fault read(stored::HardState& in, HardState& record) {
  record = {Term{in.term()}, NodeId{in.voted_for()}};
  return nullptr;
}

void fill(stored::LogStart& out, const LogStart& record) {
  out.set_index(record.index.value);
  out.set_term(record.term.value);
}

Fault read(stored::LogStart& in, LogStart& record) {
  record = {LogIndex{in.index()}, Term{in.term()}};
  return nullptr;
}

using NodeIncarnations = google::protobuf::RepeatedPtrField<stored::NodeIncarnation>;

void fill_incarnations(NodeIncarnations& out, const std::map<NodeId, Incarnation>& incarnations) {
  for (const auto& [node, incarnation] : incarnations) {
    stored::NodeIncarnation& entry = *out.Add();
    entry.set_node(node.value);
    entry.set_incarnation(incarnation.value);
  }
}

Fault read_incarnations(const NodeIncarnations& in, std::map<NodeId, Incarnation>& incarnations) {
  for (const stored::NodeIncarnation& entry : in) {
    const bool fresh =
        incarnations.emplace(NodeId{entry.node()}, Incarnation{entry.incarnation()}).second;
    if (!fresh) return "two incarnations of one node";
  }
  return nullptr;
}

void fill(stored::AppliedRecord& out, const AppliedRecord& record) {
  out.set_index(record.index.value);
  out.set_term(record.term.value);
  out.set_history_floor(record.history_floor.value);
  out.set_idempotency_floor(record.idempotency_floor.value);
  fill_incarnations(*out.mutable_incarnations(), record.incarnations);
}

Fault read(stored::AppliedRecord& in, AppliedRecord& record) {
  record.index = LogIndex{in.index()};
  record.term = Term{in.term()};
  record.history_floor = Hlc{in.history_floor()};
  record.idempotency_floor = Hlc{in.idempotency_floor()};
  return read_incarnations(in.incarnations(), record.incarnations);
}

void fill(stored::LogSegment& out, const LogSegment& record) {
  out.set_entries(pack_segment(record));
}

/// Format 1 had a record for each entry.
Fault read(stored::LogSegment& in, LogSegment& record) {
  if (in.entries().empty()) {
    // The highest number has no next one, as in segments.
    if (in.index() == 0 || ~in.index() == 0) return "its index is none of a log's";
    record.first = LogIndex{in.index()};
    Bytes payload = in.payload().empty() ? Bytes{} : Bytes{std::move(*in.mutable_payload())};
    record.entries.push_back({Term{in.term()}, record.first, std::move(payload)});
    return nullptr;
  }
  const bool right = unpack_segment(Bytes{std::move(*in.mutable_entries())}, record);
  return right ? nullptr : "its entries are no list";
}

Hlc newest(const std::vector<Version>& versions) {
  return versions.empty() ? Hlc{} : versions.front().stamp.hlc;
}

Fault read(stored::KeyState& in, KeyState& record) {
  std::vector<Version> versions;
  VersionVector context;
  if (Fault fault = read_versions(*in.mutable_versions(), versions)) return fault;
  if (Fault fault = read_context(in.context(), in.packed_context(), newest(versions), context)) {
    return fault;
  }
  if (context.empty()) context = KeyState::covered_by(versions);
  record = KeyState::from_parts(std::move(versions), std::move(context));
  return well_formed(record) ? nullptr : "the versions contradict the context";
}

Fault read(stored::HistoryRecord& in, HistoryRecord& record) {
  return read_versions(*in.mutable_replaced(), record.replaced);
}

Fault read(stored::HistorySegment& in, HistorySegment& record) {
  record.entries.reserve(static_cast<std::size_t>(in.entries_size()));
  for (stored::Replacement& entry : *in.mutable_entries()) {
    Replacement& replacement = record.entries.emplace_back();
    replacement.by = Stamp{Hlc{entry.hlc()}, NodeId{entry.node()}};
    replacement.key = std::move(*entry.mutable_key());
    if (Fault fault = read_versions(*entry.mutable_replaced(), replacement.replaced)) return fault;
  }
  return nullptr;
}

void fill(stored::IdempotencyRecord& out, const IdempotencyRecord& record) {
  out.set_at(record.at.value);
  out.set_index(record.index.value);
  out.set_fingerprint(record.fingerprint);
  out.set_refusal(record.refusal);
  out.set_message(record.message);
  if (record.stamp) {
    out.set_stamp_hlc(record.stamp->hlc.value);
    out.set_stamp_node(record.stamp->node.value);
  }
  out.set_has_number(record.number.has_value());
  out.set_number(record.number.value_or(0));
}

Fault read(stored::IdempotencyRecord& in, IdempotencyRecord& record) {
  if (in.at() == 0) return "no time";
  record.at = Hlc{in.at()};
  record.index = LogIndex{in.index()};
  record.fingerprint = in.fingerprint();
  record.refusal = std::move(*in.mutable_refusal());
  record.message = std::move(*in.mutable_message());
  if (in.stamp_hlc() != 0) record.stamp = Stamp{Hlc{in.stamp_hlc()}, NodeId{in.stamp_node()}};
  if (in.has_number()) record.number = in.number();
  return nullptr;
}

void fill(stored::PolicyRecord& out, const PolicyRecord& record) {
  out.set_log_index(record.log_index.value);
  out.set_removed(record.removed);
  out.set_default_consistency(record.default_consistency);
  out.set_mixing(record.mixing);
  out.set_conflict(record.conflict);
}

Fault read(stored::PolicyRecord& in, PolicyRecord& record) {
  record.log_index = LogIndex{in.log_index()};
  record.removed = in.removed();
  record.default_consistency = std::move(*in.mutable_default_consistency());
  record.mixing = std::move(*in.mutable_mixing());
  record.conflict = std::move(*in.mutable_conflict());
  return nullptr;
}

void fill(stored::HintRecord& out, const HintRecord& record) {
  out.set_since_ms(record.since.value);
}

Fault read(stored::HintRecord& in, HintRecord& record) {
  record.since = UnixMillis{in.since_ms()};
  return nullptr;
}

using OriginCounts = google::protobuf::RepeatedPtrField<stored::OriginCount>;

void fill_vector(OriginCounts& out, const OriginVector& vector) {
  for (const auto& [origin, count] : vector.entries()) {
    stored::OriginCount& entry = *out.Add();
    entry.set_node(origin.node.value);
    entry.set_incarnation(origin.incarnation.value);
    entry.set_count(count);
  }
}

Fault read_vector(const OriginCounts& in, OriginVector& vector) {
  std::vector<OriginVector::Entry> entries;
  entries.reserve(static_cast<std::size_t>(in.size()));
  for (const stored::OriginCount& entry : in) {
    entries.emplace_back(Origin{NodeId{entry.node()}, Incarnation{entry.incarnation()}},
                         entry.count());
  }
  vector = OriginVector{std::move(entries)};
  if (vector.entries().size() == static_cast<std::size_t>(in.size())) return nullptr;
  return "a vector with a repeated origin or an empty count";
}

void fill(stored::CausalSegment& out, const CausalSegment& record) {
  PARALLAX_ASSERT(!record.operations.empty(), "a segment without operations");
  for (const CausalOperation& operation : record.operations) {
    PARALLAX_ASSERT(fault(operation).empty(), "{}", fault(operation));
  }
  out.set_operations(pack_operations(record.operations));
}

Fault read(stored::CausalSegment& in, CausalSegment& record) {
  auto operations = unpack_operations(Bytes{std::move(*in.mutable_operations())});
  if (!operations) return "its operations are no list";
  if (operations->empty()) return "it has no operations";
  for (const CausalOperation& operation : *operations) {
    if (const std::string_view wrong = fault(operation); !wrong.empty()) return wrong.data();
  }
  record.operations = *std::move(operations);
  return nullptr;
}

void fill(stored::StatesRecord& out, const StatesRecord& record) {
  out.set_index(record.index.value);
  fill_vector(*out.mutable_operations(), record.operations);
}

Fault read(stored::StatesRecord& in, StatesRecord& record) {
  record.index = LogIndex{in.index()};
  return read_vector(in.operations(), record.operations);
}

void fill(stored::CausalRecord& out, const CausalRecord& record) {
  fill_vector(*out.mutable_applied(), record.applied);
  fill_vector(*out.mutable_log_starts(), record.log_starts);
  fill_vector(*out.mutable_ceiling(), record.ceiling);
  fill_incarnations(*out.mutable_heard(), record.heard);
  fill_context(*out.mutable_stamps(), record.stamps);
}

Fault read(stored::CausalRecord& in, CausalRecord& record) {
  if (Fault wrong = read_vector(in.applied(), record.applied)) return wrong;
  if (Fault wrong = read_vector(in.log_starts(), record.log_starts)) return wrong;
  if (Fault wrong = read_vector(in.ceiling(), record.ceiling)) return wrong;
  if (Fault wrong = read_context(in.stamps(), record.stamps)) return wrong;
  if (!record.applied.dominates(record.log_starts)) return "a log that starts above its end";
  return read_incarnations(in.heard(), record.heard);
}

void fill(stored::LeafRecord&, const LeafRecord&) {}

Fault read(stored::LeafRecord&, LeafRecord&) {
  return nullptr;
}

template <class T>
struct MessageOf;
template <>
struct MessageOf<NodeRecord> : std::type_identity<stored::NodeRecord> {};
template <>
struct MessageOf<Hlc> : std::type_identity<stored::ClockBound> {};
template <>
struct MessageOf<HardState> : std::type_identity<stored::HardState> {};
template <>
struct MessageOf<LogStart> : std::type_identity<stored::LogStart> {};
template <>
struct MessageOf<AppliedRecord> : std::type_identity<stored::AppliedRecord> {};
template <>
struct MessageOf<LogSegment> : std::type_identity<stored::LogSegment> {};
template <>
struct MessageOf<KeyState> : std::type_identity<stored::KeyState> {};
template <>
struct MessageOf<HistoryRecord> : std::type_identity<stored::HistoryRecord> {};
template <>
struct MessageOf<HistorySegment> : std::type_identity<stored::HistorySegment> {};
template <>
struct MessageOf<IdempotencyRecord> : std::type_identity<stored::IdempotencyRecord> {};
template <>
struct MessageOf<PolicyRecord> : std::type_identity<stored::PolicyRecord> {};
template <>
struct MessageOf<HintRecord> : std::type_identity<stored::HintRecord> {};
template <>
struct MessageOf<CausalSegment> : std::type_identity<stored::CausalSegment> {};
template <>
struct MessageOf<StatesRecord> : std::type_identity<stored::StatesRecord> {};
template <>
struct MessageOf<CausalRecord> : std::type_identity<stored::CausalRecord> {};
template <>
struct MessageOf<LeafRecord> : std::type_identity<stored::LeafRecord> {};

/// One message of each type per thread, used again and again: its vectors and strings keep their
/// room, which halves the cost of the small records that every write encodes and decodes.
template <class Message>
class Scratch {
 public:
  explicit Scratch(std::size_t bytes) : bytes_(bytes) { message().Clear(); }
  /// A large record must not leave its room behind for good.
  ~Scratch() {
    if (bytes_ > kKeptBytes) message() = Message{};
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  Message& message() {
    thread_local Message instance;
    return instance;
  }
  void saw(std::size_t bytes) { bytes_ = bytes; }

 private:
  static constexpr std::size_t kKeptBytes = 64 << 10;
  std::size_t bytes_;
};

template <class T>
Bytes encode_record(std::string_view store_key, const T& record) {
  Scratch<typename MessageOf<T>::type> scratch(0);
  fill(scratch.message(), record);
  Bytes bytes = seal_message(store_key, scratch.message());
  scratch.saw(bytes.size());
  return bytes;
}

template <class T>
Bytes encode_by_hand(std::string_view store_key, const T& record) {
  std::string bytes;
  bytes.reserve(256);
  bytes.append(kFormatBytes, '\0');
  append_message(bytes, record);
  bytes.append(kChecksumBytes, '\0');
  return seal(store_key, std::move(bytes));
}

}  // namespace

// --- Records ----------------------------------------------------------------------------------

#define PARALLAX_ENCODE(T)                                    \
  Bytes encode(std::string_view store_key, const T& record) { \
    return encode_record(store_key, record);                  \
  }

PARALLAX_ENCODE(NodeRecord)
PARALLAX_ENCODE(HardState)
PARALLAX_ENCODE(LogStart)
PARALLAX_ENCODE(AppliedRecord)
PARALLAX_ENCODE(LogSegment)
PARALLAX_ENCODE(IdempotencyRecord)
PARALLAX_ENCODE(PolicyRecord)
PARALLAX_ENCODE(HintRecord)
PARALLAX_ENCODE(CausalSegment)
PARALLAX_ENCODE(LeafRecord)
PARALLAX_ENCODE(StatesRecord)
PARALLAX_ENCODE(CausalRecord)
#undef PARALLAX_ENCODE

Bytes encode(std::string_view store_key, const KeyState& record) {
  return encode_by_hand(store_key, record);
}
Bytes encode(std::string_view store_key, const HistoryRecord& record) {
  return encode_by_hand(store_key, record);
}
Bytes encode(std::string_view store_key, const HistorySegment& record) {
  return encode_by_hand(store_key, record);
}

Bytes encode(std::string_view store_key, Hlc clock_bound) {
  return encode_record(store_key, clock_bound);
}

template <class T>
Result<T> decode(std::string_view store_key, std::string_view bytes) {
  PARALLAX_ASSIGN(const std::string_view body, unseal(store_key, bytes));
  Scratch<typename MessageOf<T>::type> scratch(bytes.size());
  if (!scratch.message().ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return corrupt(store_key, "it does not follow its schema");
  }
  T record{};
  if (Fault fault = read(scratch.message(), record)) return corrupt(store_key, fault);
  return record;
}

template <class T>
Result<std::optional<T>> load(const ReadView& view, std::string_view store_key) {
  PARALLAX_ASSIGN(const std::optional<std::string> bytes, view.get(store_key));
  if (!bytes) return std::optional<T>{};
  PARALLAX_ASSIGN(T record, decode<T>(store_key, *bytes));
  return std::optional<T>{std::move(record)};
}

#define PARALLAX_RECORD(T)                                          \
  template Result<T> decode<T>(std::string_view, std::string_view); \
  template Result<std::optional<T>> load<T>(const ReadView&, std::string_view)

PARALLAX_RECORD(NodeRecord);
PARALLAX_RECORD(Hlc);
PARALLAX_RECORD(HardState);
PARALLAX_RECORD(LogStart);
PARALLAX_RECORD(AppliedRecord);
PARALLAX_RECORD(LogSegment);
PARALLAX_RECORD(KeyState);
PARALLAX_RECORD(HistoryRecord);
PARALLAX_RECORD(HistorySegment);
PARALLAX_RECORD(IdempotencyRecord);
PARALLAX_RECORD(PolicyRecord);
PARALLAX_RECORD(HintRecord);
PARALLAX_RECORD(CausalSegment);
PARALLAX_RECORD(StatesRecord);
PARALLAX_RECORD(CausalRecord);
PARALLAX_RECORD(LeafRecord);
#undef PARALLAX_RECORD

}  // namespace records

void encode_key_state(const KeyState& state, std::string& out) {
  append_message(out, state);
}

Result<KeyState> decode_key_state(const Bytes& bytes) {
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<int>::max());
  records::Scratch<stored::KeyState> scratch(bytes.size());
  if (bytes.size() > kMost ||
      !scratch.message().ParseFromArray(bytes.view().data(), static_cast<int>(bytes.size()))) {
    return definite(ErrorCode::corrupt, "the key state does not follow its schema");
  }
  KeyState state;
  if (records::Fault fault = records::read(scratch.message(), state)) {
    return definite(ErrorCode::corrupt, fmt::format("the key state is corrupt: {}", fault));
  }
  return state;
}

}  // namespace parallax

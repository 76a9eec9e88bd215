// Evidence as an RFC 8941 dictionary, out and in. Of what a dictionary can hold, Evidence uses
// integers, tokens, booleans and one list of integers; members of a newer node may be anything, and
// are skipped by its grammar.
#include <algorithm>
#include <charconv>
#include <limits>

#include "client/protocol.h"

namespace parallax {
namespace {

Error corrupt(std::string_view what) {
  return definite(ErrorCode::corrupt, fmt::format("evidence is corrupt: {}", what));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_alpha(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}
bool is_key_char(char c) {
  return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}
bool is_token_char(char c) {
  return is_alpha(c) || is_digit(c) ||
         std::string_view("!#$%&'*+-.^_`|~:/").find(c) != std::string_view::npos;
}

/// Takes text off its front. Every take_...() that fails leaves the rest undefined.
class Text {
 public:
  explicit Text(std::string_view text) : text_(text) {}

  bool empty() const { return text_.empty(); }
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  template <class Predicate>
  std::string_view take_while(Predicate predicate) {
    const auto end = std::find_if_not(text_.begin(), text_.end(), predicate);
    const auto taken = text_.substr(0, static_cast<std::size_t>(end - text_.begin()));
    text_.remove_prefix(taken.size());
    return taken;
  }
  void skip_spaces() {
    take_while([](char c) { return c == ' ' || c == '\t'; });
  }
  /// A key, or nothing.
  std::string_view take_key() {
    if (text_.empty() || !(is_lower(text_.front()) || text_.front() == '*')) return {};
    return take_while(is_key_char);
  }
  /// One bare item of any type, as it stands.
  bool take_item(std::string_view& item) {
    const std::string_view before = text_;
    if (!skip_item()) return false;
    item = before.substr(0, before.size() - text_.size());
    return true;
  }
  /// ";key=item" any number of times; nothing here has parameters.
  bool skip_parameters() {
    while (take(';')) {
      skip_spaces();
      if (take_key().empty() || (take('=') && !skip_item())) return false;
    }
    return true;
  }

 private:
  bool skip_item() {
    if (text_.empty()) return false;
    const char first = text_.front();
    if (is_digit(first) || first == '-') {
      take('-');
      if (take_while(is_digit).empty()) return false;
      return !take('.') || !take_while(is_digit).empty();
    }
    if (is_alpha(first) || first == '*') return !take_while(is_token_char).empty();
    if (take('?')) return take('0') || take('1');
    if (take(':')) {
      take_while([](char c) { return c != ':'; });
      return take(':');
    }
    return take('"') && skip_string();
  }
  bool skip_string() {
    while (!text_.empty()) {
      if (take('"')) return true;
      if (take('\\') && text_.empty()) return false;
      text_.remove_prefix(1);
    }
    return false;
  }

  std::string_view text_;
};

/// One member's value: an item, or the items of an inner list.
struct Value {
  bool list = false;
  std::vector<std::string_view> items;
};

bool take_value(Text& text, Value& value) {
  if (text.take('(')) {
    value.list = true;
    text.skip_spaces();
    while (!text.take(')')) {
      if (!text.take_item(value.items.emplace_back()) || !text.skip_parameters()) return false;
      text.skip_spaces();
    }
  } else if (!text.take_item(value.items.emplace_back())) {
    return false;
  }
  return true;
}

template <class Number>
bool read_number(std::string_view item, Number& number) {
  const char* const end = item.data() + item.size();
  const auto [stop, error] = std::from_chars(item.data(), end, number);
  return error == std::errc{} && stop == end;
}

bool read_bool(std::string_view item, bool& flag) {
  if (item != "?0" && item != "?1") return false;
  flag = item == "?1";
  return true;
}

bool read_path(std::string_view item, Path& path) {
  const std::optional<Path> found = find_path(item);
  if (found) path = *found;
  return found.has_value();
}

/// Rising, as a set of nodes is written.
bool read_replicas(const Value& value, std::vector<NodeId>& replicas) {
  replicas.clear();
  for (const std::string_view item : value.items) {
    NodeId node;
    if (!read_number(item, node.value) || node == kNoNode) return false;
    if (!replicas.empty() && node <= replicas.back()) return false;
    replicas.push_back(node);
  }
  return true;
}

/// From `required_count` on they need not be there.
enum Member : unsigned {
  node,
  term,
  index,
  path,
  replicas,
  sequenced,
  degraded,
  required_count,
  confirmed = required_count,
  waited,
  member_count
};
constexpr std::string_view kMembers[] = {
    "node", "term", "index", "path", "replicas", "sequenced", "degraded", "confirmed", "waited-ms"};
static_assert(std::size(kMembers) == member_count);

bool read_waited(std::string_view item, std::chrono::milliseconds& waited) {
  std::uint32_t number = 0;
  if (!read_number(item, number)) return false;
  waited = std::chrono::milliseconds{number};
  return true;
}

bool read_member(unsigned member, const Value& value, Evidence& evidence) {
  if (value.list != (member == replicas)) return false;
  if (member == replicas) return read_replicas(value, evidence.replicas);
  const std::string_view item = value.items.front();
  switch (member) {
    case node:
      return read_number(item, evidence.node.value);
    case term:
      return read_number(item, evidence.term.value);
    case index:
      return read_number(item, evidence.index.value);
    case confirmed:
      return read_number(item, evidence.confirmed.value);
    case path:
      return read_path(item, evidence.path);
    case sequenced:
      return read_bool(item, evidence.sequenced);
    case waited:
      return read_waited(item, evidence.waited);
    default:
      return read_bool(item, evidence.degraded);
  }
}

}  // namespace

Result<void> check_evidence(const Consistency& consistency, bool is_read,
                            const Evidence& evidence) {
  const LevelInfo& level = level_info(consistency.level);
  const Path path = evidence.path;
  const bool of_quorums = path == Path::quorum || path == Path::abd;
  const bool at_quorum = consistency.level == Level::quorum;
  const std::uint32_t needed = is_read ? consistency.r : consistency.w;
  // One replica is a quorum of one, and may be the node itself.
  const bool alone = path == Path::local && needed == 1;
  const bool fits =
      consistency.level == Level::atomic   ? path == Path::abd
      : level.protocol == Protocol::causal ? path == Path::causal
      : at_quorum                          ? path == Path::quorum || alone
      : level.protocol == Protocol::leader_follower
          ? !of_quorums && path != Path::causal &&
                (path != Path::lease || (is_read && consistency.level == Level::linearizable))
          : path == Path::local;
  if (!fits) return corrupt(fmt::format("path {} is none of {}", path_name(path), level.name));
  if (!at_quorum || consistency.sloppy || evidence.replicas.size() >= needed) return {};
  return corrupt(
      fmt::format("{} replicas for {}", evidence.replicas.size(), consistency.to_string()));
}

std::string Evidence::to_string() const {
  std::string text;
  append_to(text);
  return text;
}

void Evidence::append_to(std::string& out) const {
  // Every answer carries it, so no format string here.
  const auto number = [&](std::uint64_t value) {
    char digits[std::numeric_limits<std::uint64_t>::digits10 + 1];
    const char* const end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
    out.append(digits, static_cast<std::size_t>(end - digits));
  };
  out.append("node=");
  number(node.value);
  out.append(", term=");
  number(term.value);
  out.append(", index=");
  number(index.value);
  out.append(", path=").append(path_name(path)).append(", replicas=(");
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    if (i > 0) out += ' ';
    number(replicas[i].value);
  }
  out.append(sequenced ? "), sequenced=?1" : "), sequenced=?0");
  out.append(degraded ? ", degraded=?1" : ", degraded=?0");
  if (confirmed != LogIndex{}) {
    out.append(", confirmed=");
    number(confirmed.value);
  }
  if (path != Path::causal) return;
  out.append(", waited-ms=");
  number(static_cast<std::uint64_t>(waited.count()));
}

Result<Evidence> parse_evidence(std::string_view header) {
  Evidence evidence;
  unsigned seen = 0;
  Text text(header);
  text.skip_spaces();
  while (true) {
    const std::string_view key = text.take_key();
    if (key.empty()) return corrupt("a key expected");
    Value value;
    if (!text.take('=')) {
      value.items.push_back("?1");  // a key alone means true
    } else if (!take_value(text, value)) {
      return corrupt(fmt::format("{}: no value", key));
    }
    if (!text.skip_parameters()) return corrupt(fmt::format("{}: wrong parameters", key));
    const auto found = std::find(std::begin(kMembers), std::end(kMembers), key);
    if (found != std::end(kMembers)) {
      const auto member = static_cast<unsigned>(found - std::begin(kMembers));
      if (!read_member(member, value, evidence))
        return corrupt(fmt::format("{}: wrong value", key));
      seen |= 1u << member;
    }
    text.skip_spaces();
    if (text.empty()) break;
    if (!text.take(',')) return corrupt(fmt::format("a comma expected behind {}", key));
    text.skip_spaces();
  }
  for (unsigned member = 0; member < required_count; ++member) {
    if ((seen & 1u << member) == 0) return corrupt(fmt::format("{}: missing", kMembers[member]));
  }
  return evidence;
}

}  // namespace parallax

#include "consistency/checker/search.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/assert.h"
#include "consistency/checker/configuration_set.h"
#include "consistency/checker/model.h"
#include "consistency/checker/sets.h"

namespace parallax::checker {
namespace {

constexpr std::uint32_t kNone = ~std::uint32_t{0};

bool creates_texts(const Operation& operation) {
  return operation.kind == OperationKind::increment || operation.kind == OperationKind::append ||
         operation.kind == OperationKind::add;
}

/// The state that an operation must find, if it allows only one.
Text needed_state(const Operation& operation) {
  if (operation.kind == OperationKind::read || operation.outcome == Outcome::mismatch) {
    return operation.result;
  }
  return operation.kind == OperationKind::cas ? operation.expected : kNothing;
}

/// The state that an operation can leave, if it is not what it found. Not for those that create
/// texts.
Text given_state(const Operation& operation) {
  if (is_pure(operation)) return kNothing;
  return operation.kind == OperationKind::remove ? kAbsent : operation.value;
}

/// Whether `operation` takes effect in every state and tells nothing of it.
bool is_blind(const Operation& operation) {
  return operation.kind == OperationKind::write || operation.kind == OperationKind::remove;
}

/// One search. Known operations are those with an answer, sorted by call; open ones are unknown.
/// Invariant: `done_`, `open_done_`, `state_` and the counters describe the order on `frames_`.
class Search {
 public:
  Search(const Texts& texts, std::span<const Operation> operations, Text initial,
         const Limits& limits)
      : limits_(limits), has_sets_(has_adds(operations)), state_(own_state(texts, initial)) {
    for (const Operation& operation : operations) add(texts, operation);
    sort_operations();
    link_operations();
    count_needs();
  }

  SearchResult run() {
    close();
    for (;;) {
      if (trail_.size() == known_.size()) return result(Verdict::yes);
      farthest_ = std::max(farthest_, first_return_);
      bool advanced = false;
      if (remember()) advanced = take_known(head()) || take_open(0);
      while (!advanced) {
        if (over_limits()) return result(Verdict::undecided);
        if (frames_.empty()) return result(Verdict::no);
        const Frame frame = frames_.back();
        undo();
        advanced = frame.known != kNone ? take_known(next_[frame.known]) || take_open(0)
                                        : take_open(frame.open + 1);
      }
      if (over_limits()) return result(Verdict::undecided);
    }
  }

 private:
  struct Frame {
    std::uint32_t known;  ///< what was done: this, or
    std::uint32_t open;   ///< this
    State before;
    std::uint32_t low;
    std::uint32_t high;
    std::uint32_t first_return;
    std::size_t trail;
  };

  // --- Preparation.

  static bool has_adds(std::span<const Operation> operations) {
    return std::any_of(operations.begin(), operations.end(),
                       [](const Operation& o) { return o.kind == OperationKind::add; });
  }

  Text own(const Texts& texts, Text text) {
    return text <= kAbsent ? text : texts_.intern(texts[text]);
  }

  /// What a key can hold. Where there are sets, each has one text, and that of the empty set is
  /// kAbsent, to a reader one and the same.
  Text own_state(const Texts& texts, Text text) {
    const auto members = has_sets_ && text > kAbsent ? parse_members(texts[text]) : std::nullopt;
    if (!members) return own(texts, text);
    return members->empty() ? kAbsent : texts_.intern(members_text(*members));
  }

  void add(const Texts& texts, Operation operation) {
    if (operation.outcome == Outcome::failed) return;
    PARALLAX_ASSERT(operation.kind < OperationKind::txn, "a {} is not of one key",
                    to_string(operation.kind));
    const bool is_part = creates_texts(operation);
    operation.value = is_part ? own(texts, operation.value) : own_state(texts, operation.value);
    operation.expected = own_state(texts, operation.expected);
    operation.result = own_state(texts, operation.result);
    creates_texts_ = creates_texts_ || creates_texts(operation);
    if (operation.outcome != Outcome::unknown) {
      known_.push_back(operation);
    } else if (!is_pure(operation)) {
      open_.push_back(operation);
    }
  }

  void sort_operations() {
    const auto by_call = [](const Operation& a, const Operation& b) {
      return a.call_ns < b.call_ns;
    };
    std::stable_sort(known_.begin(), known_.end(), by_call);
    std::stable_sort(open_.begin(), open_.end(), by_call);
    by_return_.resize(known_.size());
    std::iota(by_return_.begin(), by_return_.end(), 0u);
    std::stable_sort(by_return_.begin(), by_return_.end(),
                     [this](std::uint32_t a, std::uint32_t b) {
                       return known_[a].return_ns < known_[b].return_ns;
                     });
  }

  /// The list of known operations that are not done has its head and end at index size().
  void link_operations() {
    const auto end = static_cast<std::uint32_t>(known_.size());
    next_.resize(end + 1);
    prev_.resize(end + 1);
    for (std::uint32_t i = 0; i <= end; ++i) {
      next_[i] = i == end ? 0 : i + 1;
      prev_[i] = i == 0 ? end : i - 1;
    }
    done_.assign(known_.size() / 64 + 1, 0);
    open_done_.assign(open_.size() / 64 + 1, 0);
    twin_.resize(open_.size(), kNone);
    std::unordered_map<std::uint64_t, std::uint32_t> last;
    for (std::uint32_t i = 0; i < open_.size(); ++i) {
      // Equal effects: same kind, value and expectation. Texts of one key are far fewer than 2^30.
      const std::uint64_t effect = static_cast<std::uint64_t>(open_[i].kind) << 60 |
                                   std::uint64_t{open_[i].value.value} << 30 |
                                   open_[i].expected.value;
      const auto [at, fresh] = last.try_emplace(effect, i);
      if (!fresh) twin_[i] = std::exchange(at->second, i);
    }
  }

  void count_needs() {
    PARALLAX_ASSERT(texts_.size() < std::size_t{1} << 30, "{} texts at one key", texts_.size());
    needed_.assign(texts_.size(), 0);
    givers_.assign(texts_.size(), 0);
    open_needed_.assign(texts_.size(), 0);
    for (const Operation& operation : known_) count(operation, 1);
    for (const Operation& operation : open_) count_open(operation, 1);
  }

  void count(const Operation& operation, int by) {
    const Text needed = needed_state(operation);
    needed_[needed.value] += by;
    if (needed == kNothing && operation.outcome == Outcome::mismatch) vague_mismatches_ += by;
    givers_[given_state(operation).value] += by;
  }

  void count_open(const Operation& operation, int by) {
    open_needed_[needed_state(operation).value] += by;
    givers_[given_state(operation).value] += by;
  }

  // --- Moving forth and back.

  std::uint32_t head() const { return next_[known_.size()]; }

  /// The time by which the next operation must have been called.
  std::int64_t bound() const {
    return first_return_ < by_return_.size() ? known_[by_return_[first_return_]].return_ns : kNever;
  }

  bool is_done(std::uint32_t i) const { return (done_[i / 64] >> (i % 64) & 1) != 0; }

  void lift(std::uint32_t i) {
    next_[prev_[i]] = next_[i];
    prev_[next_[i]] = prev_[i];
    done_[i / 64] |= std::uint64_t{1} << (i % 64);
    high_ = std::max(high_, i + 1);
    while (low_ < known_.size() && is_done(low_)) ++low_;
    while (first_return_ < by_return_.size() && is_done(by_return_[first_return_])) ++first_return_;
    if (!creates_texts_) count(known_[i], -1);
    trail_.push_back(i);
  }

  void unlift(std::uint32_t i) {
    next_[prev_[i]] = i;
    prev_[next_[i]] = i;
    done_[i / 64] &= ~(std::uint64_t{1} << (i % 64));
    if (!creates_texts_) count(known_[i], 1);
  }

  /// Does everything that fits and changes no state.
  void close() {
    for (std::uint32_t i = head(); i != known_.size() && known_[i].call_ns <= bound();
         i = next_[i]) {
      ++steps_;
      if (is_pure(known_[i]) && step(texts_, state_, known_[i])) lift(i);
    }
  }

  void undo() {
    const Frame& frame = frames_.back();
    while (trail_.size() > frame.trail) {
      unlift(trail_.back());
      trail_.pop_back();
    }
    if (frame.open != kNone) {
      open_done_[frame.open / 64] &= ~(std::uint64_t{1} << (frame.open % 64));
      if (!creates_texts_) count_open(open_[frame.open], 1);
    }
    state_ = frame.before;
    low_ = frame.low;
    high_ = frame.high;
    first_return_ = frame.first_return;
    frames_.pop_back();
  }

  void push_frame(std::uint32_t known, std::uint32_t open) {
    frames_.push_back({known, open, state_, low_, high_, first_return_, trail_.size()});
  }

  /// Does the first of the known operations from `i` on that can come next.
  bool take_known(std::uint32_t i) {
    const Text ahead = text_ahead();
    for (; i != known_.size() && known_[i].call_ns <= bound(); i = next_[i]) {
      ++steps_;
      if (is_pure(known_[i])) continue;  // it does not fit, or it would be done
      const Next after = step_memoized(known_[i]);
      if (!after || strands_somebody(*after, needed_state(known_[i]) == state_)) continue;
      if (!leads_to(*after, ahead)) continue;
      push_frame(i, kNone);
      if (is_blind(known_[i])) do_unseen_before(i);
      lift(i);
      state_ = *after;
      close();
      return true;
    }
    return false;
  }

  bool take_open(std::uint32_t i) {
    const Text ahead = text_ahead();
    for (; i < open_.size() && open_[i].call_ns <= bound(); ++i) {
      ++steps_;
      if (is_open_done(i) || (twin_[i] != kNone && !is_open_done(twin_[i]))) continue;
      const Next after = step_memoized(open_[i]);
      if (*after == state_ || !can_be_seen(*after) || strands_somebody(*after, false)) continue;
      if (!leads_to(*after, ahead)) continue;
      push_frame(kNone, i);
      open_done_[i / 64] |= std::uint64_t{1} << (i % 64);
      if (!creates_texts_) count_open(open_[i], -1);
      state_ = *after;
      close();
      return true;
    }
    return false;
  }

  /// Whether an open operation that is not done can make no difference any more: what it expects
  /// cannot come again, or nobody can see what it leaves.
  bool is_spent(const Operation& open) const {
    if (creates_texts_) return false;
    const Text needed = needed_state(open);
    return (needed != kNothing && needed != state_ && givers_[needed.value] == 0) ||
           !can_be_seen(given_state(open));
  }

  bool is_open_done(std::uint32_t i) const { return (open_done_[i / 64] >> (i % 64) & 1) != 0; }

  /// Whether leaving the state for `after` leaves somebody behind who has to see it, when nobody
  /// can bring it back. `one_leaves`: the operation that is done now was one of those.
  bool strands_somebody(State after, bool one_leaves) const {
    if (creates_texts_ || after == state_) return false;
    return needed_[state_.value] > (one_leaves ? 1 : 0) && givers_[state_.value] == 0;
  }

  bool can_be_seen(State state) const {
    return creates_texts_ || needed_[state.value] > 0 || open_needed_[state.value] > 0 ||
           vague_mismatches_ > 0;
  }

  /// Just before a blind write every other one that could come next and that nobody has to see is
  /// done for nothing.
  void do_unseen_before(std::uint32_t write) {
    if (creates_texts_) return;
    for (std::uint32_t i = head(); i != known_.size() && known_[i].call_ns <= bound();
         i = next_[i]) {
      if (i != write && is_blind(known_[i]) && !can_be_seen(given_state(known_[i]))) lift(i);
    }
  }

  /// What the read that returns next shows, if until then nothing can reset the state to a
  /// beginning of it; else kNothing.
  Text text_ahead() const {
    if (!creates_texts_ || has_sets_) return kNothing;
    std::size_t next = first_return_;
    while (next < by_return_.size() &&
           (is_done(by_return_[next]) || known_[by_return_[next]].kind != OperationKind::read)) {
      ++next;
    }
    if (next == by_return_.size()) return kNothing;
    const Operation& read = known_[by_return_[next]];
    for (std::uint32_t i = head(); i != known_.size() && known_[i].call_ns <= read.return_ns;
         i = next_[i]) {
      if (may_begin(known_[i], read.result)) return kNothing;
    }
    for (std::uint32_t i = 0; i < open_.size() && open_[i].call_ns <= read.return_ns; ++i) {
      if (!is_open_done(i) && may_begin(open_[i], read.result)) return kNothing;
    }
    return read.result;
  }

  /// Whether `operation` can leave, whatever it found, a state that `text` begins with. Not so an
  /// append: if it did, what it found is one.
  bool may_begin(const Operation& operation, Text text) const {
    if (operation.kind == OperationKind::append || is_pure(operation)) return false;
    return operation.kind == OperationKind::increment || leads_to(given_state(operation), text);
  }

  bool leads_to(State state, Text ahead) const {
    return ahead == kNothing || texts_[ahead].starts_with(texts_[state]);
  }

  /// Building a long text again and again would be most of the time.
  Next step_memoized(const Operation& operation) {
    if (!creates_texts(operation)) return step(texts_, state_, operation);
    const std::uint64_t key = std::uint64_t{state_.value} << 32 |
                              std::uint64_t{operation.value.value} << 2 |
                              (operation.kind == OperationKind::append ? 1u
                               : operation.kind == OperationKind::add  ? 2u
                                                                       : 0u);
    auto at = sums_.find(key);
    if (at == sums_.end()) {
      Operation open = operation;
      open.outcome = Outcome::unknown;
      open.result = kNothing;
      at = sums_.emplace(key, *step(texts_, state_, open)).first;
    }
    // Whether the outcome allows it is cheap to say once the sum has been built: the text is here.
    if (operation.outcome == Outcome::unknown) return at->second;
    if (operation.result != kNothing && operation.result != at->second) return std::nullopt;
    return operation.kind == OperationKind::append ? Next{at->second}
                                                   : step(texts_, state_, operation);
  }

  // --- Remembering.

  /// Whether the configuration is new. The word: state and where the window begins, lengths, window
  /// of known operations (those before it are done, those after are not), open operations.
  bool remember() {
    const std::uint32_t first = low_ / 64;
    const std::uint32_t last = std::max(first, (high_ + 63) / 64);
    open_word_ = open_done_;
    // Done or past doing is one to what is still to come; else every value that may have been let
    // go of before it was replaced would double what there is to search.
    for (std::uint32_t i = 0; i < open_.size() && open_[i].call_ns <= bound(); ++i) {
      if (is_spent(open_[i])) open_word_[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    std::size_t open_words = open_word_.size();
    while (open_words > 0 && open_word_[open_words - 1] == 0) --open_words;
    word_.clear();
    // States that nobody has to see are as good as one.
    const State seen = can_be_seen(state_) ? state_ : kNothing;
    word_.push_back(std::uint64_t{seen.value} << 32 | first);
    word_.push_back(std::uint64_t{last - first} << 32 | open_words);
    word_.insert(word_.end(), done_.begin() + first, done_.begin() + last);
    word_.insert(word_.end(), open_word_.begin(),
                 open_word_.begin() + static_cast<std::ptrdiff_t>(open_words));
    return seen_.insert(word_, [](const std::uint64_t* word) {
      return 2 + static_cast<std::size_t>(word[1] >> 32) + (word[1] & 0xffffffffu);
    });
  }

  std::uint64_t memory_bytes() const {
    return seen_.memory_bytes() + (creates_texts_ ? texts_.memory_bytes() + sums_.size() * 48 : 0);
  }

  bool over_limits() const {
    return steps_ > limits_.max_steps || memory_bytes() > limits_.max_memory_bytes;
  }

  SearchResult result(Verdict verdict) const {
    return {verdict, steps_, memory_bytes(), farthest_};
  }

  Limits limits_;
  bool has_sets_;
  Texts texts_;  ///< of this key, and those that increments and appends make
  State state_;
  std::vector<Operation> known_;
  std::vector<Operation> open_;
  bool creates_texts_ = false;
  std::vector<std::uint32_t> by_return_;
  std::vector<std::uint32_t> next_, prev_;
  std::vector<std::uint32_t> twin_;  ///< of an open operation: the one before with its effect

  std::vector<std::uint64_t> done_, open_done_, open_word_;
  std::uint32_t low_ = 0;           ///< the first known operation that is not done
  std::uint32_t high_ = 0;          ///< one past the last that is
  std::uint32_t first_return_ = 0;  ///< in by_return_: the first that is not done
  std::vector<std::uint32_t> trail_;
  std::vector<Frame> frames_;

  // By state, of the operations that are not done; index 0 counts those without one. Not kept up if
  // operations create texts.
  std::vector<int> needed_, givers_, open_needed_;
  int vague_mismatches_ = 0;  ///< mismatches that did not say what they saw

  ConfigurationSet seen_;
  std::unordered_map<std::uint64_t, State> sums_;
  std::vector<std::uint64_t> word_;
  std::uint64_t steps_ = 0;
  std::uint32_t farthest_ = 0;
};

}  // namespace

SearchResult search(const Texts& texts, std::span<const Operation> operations, Text initial,
                    const Limits& limits) {
  return Search(texts, operations, initial, limits).run();
}

}  // namespace parallax::checker

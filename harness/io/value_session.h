// A client of a store whose compare-and-set compares values, not versions.
//
// It expects of a key what it saw of it last; a compare-and-set of a key that it has not seen yet
// is a read. What no operation of the store is, an append or an add, may be a read and a write
// under the condition that nothing has changed since, and counts as one operation.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "harness/io/store.h"

namespace parallax::harness {

class ValueSession : public StoreSession {
 public:
  /// `reads`: the level of reads in place of a compare-and-set.
  explicit ValueSession(const Consistency& reads) : reads_(reads) {}
  Performed perform(const Step& step) final;

 protected:
  /// `expected`: by a compare-and-set; nothing: that there is no value. Its wait has a bound.
  virtual Performed carry_out(const Step& step, const std::optional<std::string>& expected) = 0;

 private:
  Consistency reads_;
  std::map<std::string, std::optional<std::string>> known_;  ///< by key
};

/// What an append, an add or an increment makes of `before`; nothing when that is no such value.
std::optional<std::string> grown(const Step& step, const std::optional<std::string>& before);

/// Of a step that was answered.
Performed answered(const Step& step, checker::Outcome outcome = checker::Outcome::ok);
/// Of one that was answered with a value.
Performed showing(const Step& step, std::optional<std::string> value,
                  checker::Outcome outcome = checker::Outcome::ok);
/// Of one that failed; `certain`: nothing can have happened. A read that failed never happened.
Performed failed(const Step& step, bool certain);

}  // namespace parallax::harness

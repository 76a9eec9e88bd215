// What the command line prints and with which code it ends.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "client/cli/progress.h"
#include "client/client.h"

namespace parallax::cli {

enum ExitCode : int {
  kDone = 0,
  kNotFound = 1,  ///< the answer is "no": absent, or not equal
  kUsage = 2,     ///< what was asked for is wrong, whoever found it out (400)
  kFailed = 3,    ///< it definitely did not happen
  kUnknown = 4,   ///< it may have happened
};
ExitCode exit_code(const Error& error);

/// Whole, shortest-form UTF-8 without surrogates (RFC 3629).
bool is_utf8(std::string_view text);

/// Every byte that is not printable ASCII as \xNN.
std::string escaped(std::string_view bytes);
/// As much of stored bytes as fits a cell: what is not text escaped, cut with "...".
std::string preview(std::string_view bytes);

/// One line: {"key", "value_base64", "content_type", "etag"}. A key that is not UTF-8 comes as
/// "key_base64".
std::string item_json(const Item& item, bool with_value);
/// One line: {"key", "etag", "consistency", "evidence", ...}, and of "value" (an increment's sum,
/// or with "type" a convergent value),
/// "context", "session" and "replayed" what the answer has; with `with_value` also "found",
/// "value_base64" and "content_type", or "siblings" when there are several.
std::string answer_json(std::string_view key, const Answer& answer, bool with_value);
/// As above, and "sla": {"chosen", "endpoint", "expected_utility", "met", "utility", "took_ms"};
/// "chosen" and "met" (null: none) are entries, as parse_sla() takes them.
std::string sla_answer_json(std::string_view key, const Sla& sla, const SlaAnswer& answer,
                            bool with_value);
/// One line: who was asked, at which level, and which entry was met.
std::string sla_text(const Sla& sla, const SlaAnswer& answer);
/// One line: {"error": {"code", "message", "outcome"}}, with "etag" where a condition failed.
std::string error_json(const Error& error);

/// Writes all of it to standard output. Errors: io, for a full disk or a closed pipe.
Result<void> write_out(std::string_view bytes);

/// "parallax: message" on stderr and, with --json, the error on stdout. Returns its exit code.
ExitCode report(const Error& error, bool json);

bool stdout_is_terminal();
/// Standard output is a terminal that takes colours (NO_COLOR and TERM=dumb are respected).
bool colour_on_stdout();

/// Shows progress on stderr: a bar that is redrawn in place on a terminal, else a plain line at
/// most once a second. Quiet shows nothing.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(bool quiet);
  /// Draws if it is time to.
  void show(const Progress& progress);
  /// The last state, and an end to the line.
  void finish(const Progress& progress);
  /// A line of text that does not get mixed up with the bar.
  void say(std::string_view text);

 private:
  void draw(const Progress& progress);

  const bool quiet_;
  const bool terminal_;
  bool bar_shown_ = false;
  MonoTime next_;
};

/// This process's monotonic time.
MonoTime monotonic_now();

}  // namespace parallax::cli

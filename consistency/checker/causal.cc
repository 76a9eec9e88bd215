#include "consistency/checker/causal.h"

#include <array>

#include "consistency/checker/causal_patterns.h"
#include "consistency/checker/resolve.h"

namespace parallax::checker {
namespace {

constexpr std::array<std::string_view, 3> kModelNames{"CC", "CCv", "CM"};

/// The events, with all reads resolved for which there is no choice.
Events resolved_events(const History& history, const CausalOptions& options) {
  Events events = make_events(history, options.initial);
  if (events.refused.empty()) resolve_forced(history, events, options.limits.max_memory_bytes);
  return events;
}

Witness make_witness(const History& history, const Events& events, const Proof& proof,
                     CausalModel model, const CausalOptions& options) {
  Shrunk shrunk = shrink_from(history, proof.operations(events), [&](const History& smaller) {
    return find_patterns(smaller, resolved_events(smaller, options), model, options.limits)
               .verdict == Verdict::no;
  });
  History& part = shrunk.part;
  Witness witness{.minimal = shrunk.minimal};
  const Events left = resolved_events(part, options);
  const Finding found = find_patterns(part, left, model, options.limits);
  // What was found in the whole is there in its part, too; if not, show the part as it is.
  const Proof& shown = found.proof ? *found.proof : proof;
  witness.pattern = shown.pattern;
  witness.text = shown.text(found.proof ? part : history, found.proof ? left : events);
  witness.part = std::move(part);
  return witness;
}

}  // namespace

std::string_view to_string(CausalModel model) {
  return kModelNames[static_cast<std::size_t>(model)];
}

CausalResult check_causal(const History& history, CausalModel model, const CausalOptions& options) {
  Events events = resolved_events(history, options);
  if (!events.refused.empty()) return {.reason = events.refused};
  Finding found = find_patterns(history, events, model, options.limits);
  CausalResult result{.verdict = found.verdict, .reason = std::move(found.reason)};
  if (found.verdict == Verdict::no) {
    result.witness = make_witness(history, events, *found.proof, model, options);
  } else if (found.verdict == Verdict::yes && !events.left_out.empty()) {
    result = {.verdict = Verdict::undecided,
              .reason = "nothing is wrong without " + events.left_out};
  } else if (found.verdict == Verdict::yes && !events.unresolved.empty()) {
    resolve_by_guess(history, events, options.limits.max_memory_bytes);
    found = find_patterns(history, events, model, options.limits);
    if (found.verdict != Verdict::yes) {
      result = {.verdict = Verdict::undecided,
                .reason =
                    "reads saw values that several writes can have given, and no choice "
                    "was found that explains everything"};
    }
  }
  return result;
}

}  // namespace parallax::checker

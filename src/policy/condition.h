// policy/condition.h: what a rule asks, and three-valued answers to it. Private to the room.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "policy/policy.h"

namespace portcullis::policy {

// In this order `all` is the least of its parts and `any` the greatest.
enum class Truth { no, unknown, yes };

struct Condition {
  enum class Kind { match, unanswered, score, allow_listed, format, all, any, negation };
  static constexpr std::size_t kRequired = std::numeric_limits<std::size_t>::max();
  static constexpr double kNoBound = std::numeric_limits<double>::infinity();

  Kind kind = Kind::all;
  std::size_t signal = 0;  // index of a signal; kRequired stands for all required ones
  std::string label;
  double at_least = -kNoBound, below = kNoBound;
  std::vector<std::string> formats;
  std::vector<Condition> parts;
};

// Whether `signal` says something.
inline bool names_signal(const Condition& condition) {
  return condition.kind == Condition::Kind::match || condition.kind == Condition::Kind::score ||
         condition.kind == Condition::Kind::unanswered;
}

struct Known {
  SignalDefinition definition;
  std::vector<std::string> labels;  // that some rule looks at
  std::string where;
};

// Facts as the conditions of one policy see them. Refers to both, for one decision.
class Evidence {
 public:
  Evidence(const std::vector<Known>& signals, const Facts& facts);

  Truth truth(const Condition& condition) const { return truth(condition, true); }
  // The same, were no `unanswered` condition true: tells whether a rule fired for want of an
  // answer.
  Truth truth_had_all_answered(const Condition& condition) const { return truth(condition, false); }

  // Indices of required signals without an answer.
  std::vector<std::size_t> missing() const;
  // What made a true condition true, for a moderator.
  std::string why(const Condition& condition) const;
  std::string why_missing(std::size_t signal) const;

 private:
  enum class State { no_match, near_match, exact_match, unanswered, not_asked };
  State state_of(const Known& known, const SignalAnswer* answer) const;
  bool has_no_answer(std::size_t signal) const;
  Truth truth(const Condition& condition, bool count_unanswered) const;
  Truth match(std::size_t signal) const;
  Truth score(const Condition& condition) const;
  bool is_unanswered(std::size_t signal) const;
  bool any_unanswered(std::size_t signal_or_required) const;
  std::string why_not(const Condition& condition) const;  // of a false one
  std::string why_unanswered(const Condition& condition) const;

  const std::vector<Known>& signals_;
  const Facts& facts_;
  std::vector<const SignalAnswer*> answers_;  // null when the facts do not mention the signal
  std::vector<State> states_;
  std::vector<bool> lacks_scores_;  // it matched, but did not say all that rules want to know
  bool exact_match_exists_ = false;
};

// Whether `a` is never truer than `b`, whatever the facts. May miss some cases, never claims too
// much. `budget` is counted down; at zero nothing is claimed any more.
bool never_truer(const Condition& a, const Condition& b, const std::vector<Known>& signals,
                 std::size_t& budget);

// Calls `visit(condition, positive)` for each condition without parts; `positive` is false inside
// an odd number of nots.
template <class F>
void for_each_leaf(const Condition& condition, const F& visit, bool positive = true) {
  if (condition.parts.empty()) return visit(condition, positive);
  const bool flips = condition.kind == Condition::Kind::negation;
  for (const Condition& part : condition.parts) for_each_leaf(part, visit, positive != flips);
}

}  // namespace portcullis::policy

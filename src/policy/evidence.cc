#include <algorithm>
#include <cmath>

#include "policy/condition.h"

namespace portcullis::policy {

namespace {

Truth from(bool value) { return value ? Truth::yes : Truth::no; }
Truth opposite(Truth truth) {
  return static_cast<Truth>(static_cast<int>(Truth::yes) - static_cast<int>(truth));
}

// The beginning of what a signal says about itself.
std::string cut(const std::string& detail) {
  constexpr std::size_t kMost = 200;
  if (detail.size() <= kMost) return detail;
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(detail[end]) & 0xC0u) == 0x80u) --end;
  return detail.substr(0, end) + "...";
}

std::string with_detail(std::string text, const SignalAnswer* answer) {
  if (answer && !answer->detail.empty()) text += fmt::format(" ({})", cut(answer->detail));
  return text;
}

bool has_scores(const Known& known, const SignalAnswer& answer) {
  return std::ranges::all_of(known.labels, [&](const std::string& label) {
    const auto score = answer.scores.find(label);
    return score != answer.scores.end() && std::isfinite(score->second);
  });
}

}  // namespace

Evidence::Evidence(const std::vector<Known>& signals, const Facts& facts)
    : signals_(signals), facts_(facts) {
  answers_.reserve(signals.size());
  lacks_scores_.reserve(signals.size());
  states_.reserve(signals.size());
  for (const Known& known : signals) {
    const auto found = facts.signals.find(known.definition.name);
    answers_.push_back(found == facts.signals.end() ? nullptr : &found->second);
    states_.push_back(state_of(known, answers_.back()));
    const bool matched =
        states_.back() == State::near_match || states_.back() == State::exact_match;
    lacks_scores_.push_back(matched && !has_scores(known, *answers_.back()));
    exact_match_exists_ |= states_.back() == State::exact_match;
  }
}

Evidence::State Evidence::state_of(const Known& known, const SignalAnswer* answer) const {
  if (!answer || answer->answer == Answer::not_asked) return State::not_asked;
  if (answer->answer == Answer::unanswered) return State::unanswered;
  if (known.definition.kind == SignalKind::classifier)
    return has_scores(known, *answer) ? State::no_match : State::unanswered;
  if (answer->answer == Answer::no_match)
    return has_scores(known, *answer) ? State::no_match : State::unanswered;
  return answer->exact ? State::exact_match : State::near_match;
}

Truth Evidence::match(std::size_t signal) const {
  switch (states_[signal]) {
    case State::exact_match:
      return Truth::yes;
    case State::near_match:
      return facts_.allow_listed ? Truth::unknown : Truth::yes;
    case State::no_match:
      return Truth::no;
    case State::unanswered:
    case State::not_asked:
      break;
  }
  return Truth::unknown;
}

Truth Evidence::score(const Condition& condition) const {
  const State state = states_[condition.signal];
  if (state == State::unanswered || state == State::not_asked) return Truth::unknown;
  if (facts_.allow_listed && state != State::exact_match) return Truth::unknown;
  const auto& scores = answers_[condition.signal]->scores;
  const auto found = scores.find(condition.label);
  if (found == scores.end() || !std::isfinite(found->second)) return Truth::unknown;
  const double score = found->second;
  return from(score >= condition.at_least && score < condition.below);
}

bool Evidence::has_no_answer(std::size_t signal) const {
  return states_[signal] == State::unanswered || lacks_scores_[signal];
}

bool Evidence::is_unanswered(std::size_t signal) const {
  return has_no_answer(signal) || (states_[signal] == State::not_asked && !exact_match_exists_);
}

bool Evidence::any_unanswered(std::size_t signal) const {
  if (signal != Condition::kRequired) return is_unanswered(signal);
  for (std::size_t i = 0; i < signals_.size(); ++i)
    if (signals_[i].definition.required && is_unanswered(i)) return true;
  return false;
}

Truth Evidence::truth(const Condition& condition, bool count_unanswered) const {
  switch (condition.kind) {
    case Condition::Kind::match:
      return match(condition.signal);
    case Condition::Kind::score:
      return score(condition);
    case Condition::Kind::unanswered:
      return from(count_unanswered && any_unanswered(condition.signal));
    case Condition::Kind::allow_listed:
      return from(facts_.allow_listed);
    case Condition::Kind::format:
      if (facts_.format.empty()) return Truth::unknown;
      return from(std::ranges::find(condition.formats, facts_.format) != condition.formats.end());
    case Condition::Kind::all: {
      Truth least = Truth::yes;
      for (const Condition& part : condition.parts)
        least = std::min(least, truth(part, count_unanswered));
      return least;
    }
    case Condition::Kind::any: {
      Truth greatest = Truth::no;
      for (const Condition& part : condition.parts)
        greatest = std::max(greatest, truth(part, count_unanswered));
      return greatest;
    }
    case Condition::Kind::negation:
      return opposite(truth(condition.parts.front(), count_unanswered));
  }
  return Truth::unknown;
}

std::vector<std::size_t> Evidence::missing() const {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < signals_.size(); ++i)
    if (signals_[i].definition.required && (has_no_answer(i) || states_[i] == State::not_asked))
      indices.push_back(i);
  return indices;
}

std::string Evidence::why_missing(std::size_t signal) const {
  const std::string& name = signals_[signal].definition.name;
  if (states_[signal] == State::not_asked) return fmt::format("{} was not asked", name);
  if (answers_[signal]->answer != Answer::unanswered)
    return fmt::format("{} gave no usable score", name);
  return with_detail(fmt::format("{} did not answer", name), answers_[signal]);
}

std::string Evidence::why_unanswered(const Condition& condition) const {
  std::string text;
  for (std::size_t i = 0; i < signals_.size(); ++i) {
    const bool meant = condition.signal == Condition::kRequired ? signals_[i].definition.required
                                                                : condition.signal == i;
    if (!meant || !is_unanswered(i)) continue;
    if (!text.empty()) text += ", ";
    text += why_missing(i);
  }
  return text;
}

std::string Evidence::why(const Condition& condition) const {
  switch (condition.kind) {
    case Condition::Kind::match: {
      const bool exact = states_[condition.signal] == State::exact_match;
      return with_detail(fmt::format("{} has {} match", signals_[condition.signal].definition.name,
                                     exact ? "an exact" : "a near"),
                         answers_[condition.signal]);
    }
    case Condition::Kind::score:
      return fmt::format("{}.{} is {:.3f}", signals_[condition.signal].definition.name,
                         condition.label, answers_[condition.signal]->scores.at(condition.label));
    case Condition::Kind::unanswered:
      return why_unanswered(condition);
    case Condition::Kind::allow_listed:
      return "the picture is on the allow-list";
    case Condition::Kind::format:
      return fmt::format("its format is {}", facts_.format);
    case Condition::Kind::all: {
      std::string text;
      for (const Condition& part : condition.parts)
        text += (text.empty() ? "" : " and ") + why(part);
      return text;
    }
    case Condition::Kind::any:
      for (const Condition& part : condition.parts)
        if (truth(part) == Truth::yes) return why(part);
      break;
    case Condition::Kind::negation:
      return why_not(condition.parts.front());
  }
  return {};
}

std::string Evidence::why_not(const Condition& condition) const {
  switch (condition.kind) {
    case Condition::Kind::match:
      return fmt::format("{} has no match", signals_[condition.signal].definition.name);
    case Condition::Kind::unanswered:
      return condition.signal == Condition::kRequired
                 ? "all required signals answered"
                 : fmt::format("{} answered", signals_[condition.signal].definition.name);
    case Condition::Kind::allow_listed:
      return "the picture is not on the allow-list";
    case Condition::Kind::score:
    case Condition::Kind::format:
      return why(condition);
    case Condition::Kind::negation:
      return why(condition.parts.front());
    case Condition::Kind::any: {
      std::string text;
      for (const Condition& part : condition.parts)
        text += (text.empty() ? "" : " and ") + why_not(part);
      return text;
    }
    case Condition::Kind::all:
      for (const Condition& part : condition.parts)
        if (truth(part) == Truth::no) return why_not(part);
      break;
  }
  return {};
}

}  // namespace portcullis::policy

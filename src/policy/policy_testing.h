// policy/policy_testing.h: small policies and facts for this room's tests.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "policy/policy.h"

namespace portcullis::policy {

inline Vocabulary test_vocabulary() {
  return {.model_labels = {{"open_nsfw", {"sfw", "nsfw"}}, {"gore", {"calm", "gore", "a.b"}}},
          .lists = {"csam/one", "own/banned"}};
}

// Two lists and a classifier; known-illegal and nsfw are required.
inline constexpr std::string_view kSignals = R"(
[[signal]]
name = "known-illegal"
kind = "list"
lists = ["csam/*"]
required = true
[[signal]]
name = "blocked"
kind = "list"
lists = ["own/*"]
[[signal]]
name = "nsfw"
kind = "classifier"
model = "open_nsfw"
required = true
)";
inline constexpr std::string_view kAbsenceAndDefault = R"(
[[rule]]
name = "could not look"
when = { unanswered = "required" }
then = "refuse"
[default]
then = "accept"
)";

inline std::string rule(std::string_view when, std::string_view then = "refuse",
                        std::string_view more = "", std::string_view name = "the rule") {
  return fmt::format("[[rule]]\nname = \"{}\"\nwhen = {}\nthen = \"{}\"\n{}\n", name, when, then,
                     more);
}

// kSignals, then `rules`, then a rule for absence and a default that accepts.
inline std::string with_signals(std::string_view rules) {
  return fmt::format("{}{}{}", kSignals, rules, kAbsenceAndDefault);
}

inline Policy parsed(std::string_view text) {
  auto policy = Policy::parse(text, "policy.toml", test_vocabulary());
  if (!policy) {
    ADD_FAILURE() << policy.error().what << "\n" << text;
    std::abort();
  }
  return *policy;
}

// Empty when it can be parsed.
inline std::string error_of(std::string_view text) {
  const auto policy = Policy::parse(text, "policy.toml", test_vocabulary());
  return policy ? "" : policy.error().what;
}

inline SignalAnswer no_match() { return {.answer = Answer::no_match, .scores = {}, .detail = {}}; }
inline SignalAnswer near_match() {
  return {.answer = Answer::match, .exact = false, .scores = {}, .detail = "distance 9"};
}
inline SignalAnswer exact_match() {
  return {.answer = Answer::match, .exact = true, .scores = {}, .detail = "csam/one"};
}
inline SignalAnswer unanswered(std::string why = "it is broken") {
  return {.answer = Answer::unanswered, .scores = {}, .detail = std::move(why)};
}
inline SignalAnswer scored(double nsfw) {
  return {
      .answer = Answer::no_match, .scores = {{"nsfw", nsfw}, {"sfw", 1.0 - nsfw}}, .detail = {}};
}

// A picture that nothing speaks against.
inline Facts clean() {
  Facts facts;
  facts.bytes = 1000;
  facts.format = "jpeg";
  facts.width = 640;
  facts.height = 480;
  facts.frames = 1;
  facts.signals = {{"known-illegal", no_match()}, {"blocked", no_match()}, {"nsfw", scored(0.1)}};
  return facts;
}

inline Facts with(std::string_view signal, SignalAnswer answer, Facts facts = clean()) {
  facts.signals[std::string(signal)] = std::move(answer);
  return facts;
}

}  // namespace portcullis::policy

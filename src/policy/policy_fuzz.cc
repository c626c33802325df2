// Any text either fails to parse with a place in the error, or gives a policy that decides the same
// twice and lets nothing in while its required signals are silent, unless a rule of it says so.
#include <cstdint>
#include <cstdlib>

#include "policy/policy.h"

namespace {

using namespace portcullis::policy;

const Vocabulary& vocabulary() {
  static const Vocabulary words{.model_labels = {{"open_nsfw", {"sfw", "nsfw"}}},
                                .lists = {"csam/x", "own/y"},
                                .service_labels = {{"shield", {"csam", "nsfw"}}}};
  return words;
}

Facts facts_for(const Policy& policy, Answer answer, bool exact, bool allow_listed) {
  Facts facts;
  facts.format = "gif";
  facts.allow_listed = allow_listed;
  for (const SignalDefinition& signal : policy.signals())
    facts.signals[signal.name] = {.answer = answer,
                                  .exact = exact,
                                  .scores = {{"sfw", 0.3}, {"nsfw", 0.7}},
                                  .detail = "detail"};
  return facts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto policy = Policy::parse(text, "p", vocabulary());
  if (!policy) {
    if (!policy.error().what.starts_with("p:")) std::abort();
    return 0;
  }
  const bool speaks_of_absence = text.find("unanswered") != std::string_view::npos;
  for (const Answer answer :
       {Answer::match, Answer::no_match, Answer::unanswered, Answer::not_asked})
    for (const bool exact : {false, true})
      for (const bool allow_listed : {false, true}) {
        const Facts facts = facts_for(*policy, answer, exact, allow_listed);
        const Verdict verdict = policy->decide(facts);
        if (verdict != policy->decide(facts) || verdict.reason.empty()) std::abort();
        const bool lets_in =
            verdict.outcome == Outcome::accept || verdict.outcome == Outcome::label;
        const bool is_silent = answer == Answer::unanswered || answer == Answer::not_asked;
        bool any_required = false;
        for (const SignalDefinition& signal : policy->signals()) any_required |= signal.required;
        if (lets_in && is_silent && any_required &&
            (!speaks_of_absence || verdict.rule == kDefaultRule))
          std::abort();
      }
  return 0;
}

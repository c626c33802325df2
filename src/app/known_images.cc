#include "app/known_images.h"

#include <algorithm>

#include "app/wait_for.h"

namespace portcullis::app {

namespace {

// Lists are on this machine.
constexpr Deadline kNever = Deadline::max();

std::optional<std::string> matched(const scan::Signal& signal, const scan::Question& question) {
  if (signal.definition().kind != policy::SignalKind::list) return std::nullopt;
  const policy::SignalAnswer answer = wait_for(signal.ask(question, kNever));
  if (answer.answer != policy::Answer::match) return std::nullopt;
  return answer.detail;
}

}  // namespace

bool has_lists(const policy::Policy& policy) {
  return std::ranges::any_of(policy.signals(), [](const policy::SignalDefinition& signal) {
    return signal.kind == policy::SignalKind::list;
  });
}

std::optional<std::string> on_a_list(const scan::Ruleset& ruleset,
                                     const std::vector<store::RenditionRecord>& originals) {
  for (const store::RenditionRecord& original : originals) {
    const auto seen = image::seen_from_json(original.facts);
    if (!seen) continue;
    scan::Question question;
    question.digests = original.digests.value_or(Digests{original.original, {}, {}});
    question.seen = &*seen;
    question.fingerprints = &seen->fingerprints;
    for (const auto& signal : ruleset.signals)
      if (auto match = matched(*signal, question)) return match;
  }
  return std::nullopt;
}

}  // namespace portcullis::app

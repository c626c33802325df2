#include "policy/policy.h"

#include <algorithm>

#include "policy/parsed.h"
#include "policy/reader.h"

namespace portcullis::policy {

namespace {

constexpr std::size_t kLongestText = 1024 * 1024;

Verdict verdict_of(const Rule& rule) {
  return {.outcome = rule.then,
          .rule = rule.name,
          .label = rule.label,
          .preserve = rule.preserve,
          .report = rule.report,
          .alert = rule.alert,
          .ban_hash = rule.ban_hash,
          .unanswered = false,
          .reason = {}};
}

std::string all_missing(const Evidence& evidence, const std::vector<std::size_t>& signals) {
  std::string text;
  for (const std::size_t signal : signals)
    text += (text.empty() ? "" : ", ") + evidence.why_missing(signal);
  return text;
}

}  // namespace

Policy::Policy(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}

Result<Policy> Policy::parse(std::string_view text, std::string_view source,
                             const Vocabulary& vocabulary) {
  if (text.size() > kLongestText)
    return fail(Fault::limits, "{}:1:1: a policy has {} bytes at most", source, kLongestText);
  try {
    const toml::table root = toml::parse(text, source);
    Parsed parsed = TRY(Reader(source, vocabulary).read(root));
    parsed.lints = lint(parsed, vocabulary, source);
    parsed.digest = sha256_of(as_bytes(text));
    return Policy(std::make_shared<const Parsed>(std::move(parsed)));
  } catch (const toml::parse_error& error) {
    return fail(Fault::us, "{}: {}", place(source, error.source()), error.description());
  }
}

Verdict Policy::decide(const Facts& facts) const {
  const Evidence evidence(parsed_->known, facts);
  const auto fired = std::ranges::find_if(parsed_->rules, [&](const Rule& rule) {
    return rule.covers({facts.origin, facts.uploader}) && evidence.truth(rule.when) == Truth::yes;
  });
  const bool is_default = fired == parsed_->rules.end();
  const Rule& rule = is_default ? parsed_->otherwise : *fired;
  const std::vector<std::size_t> missing = evidence.missing();
  Verdict verdict = verdict_of(rule);

  if (rule.lets_in()) {
    const bool allowed = std::ranges::all_of(
        missing, [&](std::size_t signal) { return !is_default && names_absence(rule, signal); });
    if (!allowed)
      return {.outcome = Outcome::refuse,
              .rule = std::string(kGuardRule),
              .label = {},
              .unanswered = true,
              .reason = fmt::format("Nothing is let in without a required signal: {}.",
                                    all_missing(evidence, missing))};
  } else {
    verdict.unanswered =
        is_default ? !missing.empty() : evidence.truth_had_all_answered(rule.when) != Truth::yes;
  }

  if (facts.varies_refused && !facts.allow_listed && verdict.outcome != Outcome::refuse)
    return {.outcome = Outcome::refuse,
            .rule = std::string(kVariationRule),
            .label = {},
            .reason = "It varies a picture that this uploader was refused a short while ago."};
  if (!is_default)
    verdict.reason = fmt::format("Rule \"{}\" fired: {}.", rule.name, evidence.why(rule.when));
  else if (missing.empty())
    verdict.reason = "No rule fired.";
  else
    verdict.reason = fmt::format("No rule fired, and {}.", all_missing(evidence, missing));
  return verdict;
}

bool Policy::holds() const {
  return parsed_->otherwise.then == Outcome::hold ||
         std::ranges::find(parsed_->rules, Outcome::hold, &Rule::then) != parsed_->rules.end();
}
bool Policy::preserves() const { return std::ranges::any_of(parsed_->rules, &Rule::preserve); }
const std::vector<SignalDefinition>& Policy::signals() const { return parsed_->signals; }
const std::vector<Lint>& Policy::lints() const { return parsed_->lints; }
std::vector<std::string> Policy::rules_about(std::string_view signal) const {
  std::vector<std::string> names;
  for (const Rule& rule : parsed_->rules) {
    bool looks = false;
    for_each_leaf(rule.when, [&](const Condition& leaf, bool) {
      looks |= names_signal(leaf) && leaf.signal < parsed_->known.size() &&
               parsed_->known[leaf.signal].definition.name == signal;
    });
    if (looks) names.push_back(rule.name);
  }
  return names;
}
const Sha256& Policy::digest() const { return parsed_->digest; }

}  // namespace portcullis::policy

#include <algorithm>

#include "policy/parsed.h"

namespace portcullis::policy {

namespace {

// Steps of comparing conditions, for a whole policy. Ordinary policies take some hundreds.
constexpr std::size_t kBudget = 1'000'000;

// The sources that can be: a person uploads, and nobody fetches or imports.
constexpr Source kSources[] = {
    {Origin::upload, UploaderClass::nobody}, {Origin::upload, UploaderClass::unidentified},
    {Origin::upload, UploaderClass::member}, {Origin::upload, UploaderClass::trusted},
    {Origin::remote, UploaderClass::nobody}, {Origin::import, UploaderClass::nobody}};

Status check_reachable(const Policy::Parsed& policy) {
  std::size_t budget = kBudget;
  for (std::size_t later = 0; later < policy.rules.size(); ++later) {
    const Rule& rule = policy.rules[later];
    std::string hides;
    const bool reachable = std::ranges::any_of(kSources, [&](Source source) {
      if (!rule.covers(source)) return false;
      for (std::size_t i = 0; i < later; ++i) {
        const Rule& earlier = policy.rules[i];
        if (!earlier.covers(source) || !never_truer(rule.when, earlier.when, policy.known, budget))
          continue;
        hides = earlier.name;
        return false;
      }
      return true;
    });
    if (!reachable && hides.empty())
      return fail(Fault::us,
                  "{}: rule \"{}\" can never fire: no picture has one of its origins and one of "
                  "its uploaders",
                  rule.where, rule.name);
    if (!reachable)
      return fail(Fault::us,
                  "{}: rule \"{}\" can never fire, because rule \"{}\" above it fires whenever it "
                  "would; move it up or remove it",
                  rule.where, rule.name, hides);
  }
  return {};
}

Status check_absence(const Policy::Parsed& policy) {
  for (std::size_t signal = 0; signal < policy.known.size(); ++signal) {
    const Known& known = policy.known[signal];
    if (!known.definition.required) continue;
    for (const Source source : kSources) {
      if (std::ranges::any_of(policy.rules, [&](const Rule& rule) {
            return rule.covers(source) && names_absence(rule, signal);
          }))
        continue;
      return fail(Fault::us,
                  "{}: signal \"{}\" is required, but no rule says what happens to a picture of "
                  "origin \"{}\" and uploader \"{}\" when it cannot answer; add a rule with "
                  "when = {{ unanswered = \"required\" }}",
                  known.where, known.definition.name, name(source.origin), name(source.uploader));
    }
  }
  return {};
}

}  // namespace

bool names_absence(const Rule& rule, std::size_t signal) {
  bool named = false;
  for_each_leaf(rule.when, [&](const Condition& leaf, bool positive) {
    named |= positive && leaf.kind == Condition::Kind::unanswered &&
             (leaf.signal == signal || leaf.signal == Condition::kRequired);
  });
  return named;
}

Status check(const Policy::Parsed& policy) {
  TRY(check_absence(policy));
  return check_reachable(policy);
}

std::vector<Lint> lint(const Policy::Parsed& policy, const Vocabulary& vocabulary,
                       std::string_view source) {
  std::vector<Lint> lints;
  if (policy.known.empty())
    lints.push_back({fmt::format("{}:1:1", source), "there is no signal, so nothing is screened"});

  std::vector<bool> looked_at(policy.known.size()), enforced(policy.known.size());
  for (const Rule& rule : policy.rules)
    for_each_leaf(rule.when, [&](const Condition& leaf, bool positive) {
      if (leaf.kind != Condition::Kind::match && leaf.kind != Condition::Kind::score) return;
      looked_at[leaf.signal] = true;
      if (positive && rule.then != Outcome::accept) enforced[leaf.signal] = true;
    });

  for (std::size_t i = 0; i < policy.known.size(); ++i) {
    const auto& [definition, labels, where] = policy.known[i];
    if (!looked_at[i])
      lints.push_back({where, fmt::format("no rule looks at signal \"{}\"", definition.name)});
    for (const std::string& pattern : definition.lists)
      if (std::ranges::none_of(vocabulary.lists,
                               [&](const std::string& list) { return fits(pattern, list); }))
        lints.push_back(
            {where, fmt::format("\"{}\" of signal \"{}\" fits no configured list, so it "
                                "matches nothing until one is added",
                                pattern, definition.name)});
  }
  for (const std::string& list : vocabulary.lists) {
    bool reached = false;
    for (std::size_t i = 0; i < policy.known.size(); ++i)
      reached |= enforced[i] && std::ranges::any_of(policy.known[i].definition.lists,
                                                    [&](const std::string& pattern) {
                                                      return fits(pattern, list);
                                                    });
    if (!reached)
      lints.push_back(
          {fmt::format("{}:1:1", source),
           fmt::format("list \"{}\" is configured, but no rule refuses, holds or labels "
                       "what is on it",
                       list)});
  }
  for (const auto& [service, labels] : vocabulary.service_labels) {
    bool reached = false;
    for (std::size_t i = 0; i < policy.known.size(); ++i)
      reached |= enforced[i] && policy.known[i].definition.service == service;
    if (!reached)
      lints.push_back(
          {fmt::format("{}:1:1", source),
           fmt::format("service \"{}\" is configured, but no rule refuses, holds or labels what "
                       "it knows",
                       service)});
  }
  return lints;
}

}  // namespace portcullis::policy

// Services as signals: they match as lists do, and give scores as classifiers do.
#include <gmock/gmock.h>

#include "policy/policy_testing.h"

namespace portcullis::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

Vocabulary vocabulary() {
  Vocabulary known = test_vocabulary();
  known.service_labels = {{"shield", {"csam", "other"}}, {"plain", {}}};
  return known;
}

// `rules` under a required service, a plain one and a list.
std::string text(std::string_view rules) {
  return fmt::format(R"(
[[signal]]
name = "shield"
kind = "service"
service = "shield"
required = true
[[signal]]
name = "judge"
kind = "service"
service = "plain"
[[signal]]
name = "blocked"
kind = "list"
lists = ["own/*"]
{}{})",
                     rules, kAbsenceAndDefault);
}

Policy with_rules(std::string_view rules) {
  auto policy = Policy::parse(text(rules), "policy.toml", vocabulary());
  if (!policy) {
    ADD_FAILURE() << policy.error().what;
    std::abort();
  }
  return *policy;
}
std::string error_of_rules(std::string_view rules) {
  const auto policy = Policy::parse(text(rules), "policy.toml", vocabulary());
  return policy ? "" : policy.error().what;
}

SignalAnswer said(Answer answer, std::map<std::string, double> scores, bool exact = false) {
  return {answer, exact, std::move(scores), "shield: said"};
}
Facts facts_with(SignalAnswer shield) {
  Facts facts = clean();
  facts.signals = {{"shield", std::move(shield)}, {"judge", no_match()}, {"blocked", no_match()}};
  return facts;
}
Facts allow_listed(Facts facts) {
  facts.allow_listed = true;
  return facts;
}

TEST(Service, is_read_with_the_name_of_its_table) {
  const Policy policy = with_rules(rule("{ match = \"shield\" }"));
  ASSERT_EQ(policy.signals().size(), 3u);
  EXPECT_EQ(policy.signals()[0].kind, SignalKind::service);
  EXPECT_EQ(policy.signals()[0].service, "shield");
  EXPECT_TRUE(policy.signals()[0].required);
  EXPECT_THAT(error_of("[[signal]]\nname = \"a\"\nkind = \"service\"\nservice = \"b\"\n"
                       "[default]\nthen = \"accept\"\n"),
              StartsWith("policy.toml:4:11: there is no service \"b\"; add a table [services.b]"));
  EXPECT_THAT(error_of("[[signal]]\nname = \"a\"\nkind = \"service\"\n"
                       "[default]\nthen = \"accept\"\n"),
              HasSubstr("needs `service`"));
}

TEST(Service, has_the_labels_of_its_kind_or_none) {
  EXPECT_EQ(error_of_rules(rule("{ score = \"shield.csam\", at_least = 1 }")), "");
  EXPECT_THAT(error_of_rules(rule("{ score = \"shield.nsfw\", at_least = 1 }")),
              HasSubstr("service shield has no label \"nsfw\"; it has: csam, other"));
  EXPECT_THAT(error_of_rules(rule("{ score = \"judge.nsfw\", at_least = 1 }")),
              HasSubstr("service plain has no labels, so no scores; write { match = \"judge\" }"));
}

TEST(Service, decides_by_what_it_said) {
  const Policy policy = with_rules(
      rule("{ score = \"shield.csam\", at_least = 1 }", "refuse", "preserve = true", "csam") +
      rule("{ match = \"shield\" }", "refuse", "", "known") +
      rule("{ match = \"judge\" }", "hold", "", "judged"));
  const auto rule_for = [&](const Facts& facts) { return policy.decide(facts).rule; };
  const std::map<std::string, double> csam{{"csam", 1}, {"other", 0}},
      other{{"csam", 0}, {"other", 1}}, none{{"csam", 0}, {"other", 0}};
  const struct {
    std::string_view name;
    Facts facts;
    std::string_view rule;
  } cases[] = {
      {"nothing", facts_with(said(Answer::no_match, none)), "default"},
      {"one class", facts_with(said(Answer::match, csam)), "csam"},
      {"another class", facts_with(said(Answer::match, other)), "known"},
      {"unanswered", facts_with(unanswered()), "could not look"},
      {"not asked", facts_with({}), "could not look"},
      {"a match without its class", facts_with(said(Answer::match, {})), "known"},
      {"nothing, without a class", facts_with(said(Answer::no_match, {})), "could not look"},
      {"no number", facts_with(said(Answer::match, {{"csam", std::nan("")}})), "known"},
      {"the other service", with("judge", near_match(), facts_with(said(Answer::no_match, none))),
       "judged"},
      {"the other is unanswered",
       with("judge", unanswered(), facts_with(said(Answer::no_match, none))), "default"},
      {"near, allow-listed", allow_listed(facts_with(said(Answer::match, csam))), "default"},
      {"exact, allow-listed", allow_listed(facts_with(said(Answer::match, csam, true))), "csam"},
      {"unanswered, allow-listed", allow_listed(facts_with(unanswered())), "could not look"},
  };
  for (const auto& c : cases) EXPECT_EQ(rule_for(c.facts), c.rule) << c.name;
}

TEST(Service, Invariant3_a_match_whose_class_is_missing_is_never_let_in) {
  // No rule looks at the match itself.
  const Policy policy = with_rules(rule("{ score = \"shield.csam\", at_least = 1 }"));
  Verdict verdict = policy.decide(facts_with(said(Answer::match, {{"other", 1}})));
  EXPECT_EQ(verdict.outcome, Outcome::refuse);
  EXPECT_TRUE(verdict.unanswered);
  verdict = policy.decide(facts_with(said(Answer::match, {{"csam", 0}, {"other", 1}})));
  EXPECT_EQ(verdict.outcome, Outcome::accept);
}

TEST(Service, an_exact_match_of_one_excuses_those_that_were_not_asked) {
  const Policy policy = with_rules(rule("{ match = \"shield\" }"));
  Facts facts = facts_with(said(Answer::match, {}, true));
  facts.signals["blocked"] = {};
  EXPECT_EQ(policy.decide(facts).rule, "the rule");
  EXPECT_EQ(policy.decide(facts).reason,
            "Rule \"the rule\" fired: shield has an exact match (shield: said).");
}

TEST(Service, verdicts_are_replayed_from_recorded_facts) {
  const Policy policy = with_rules(rule("{ score = \"shield.csam\", at_least = 1 }"));
  for (const auto& answer : {said(Answer::match, {{"csam", 1}, {"other", 0}}, true),
                             said(Answer::match, {}), unanswered("shield: status 503")}) {
    const Facts facts = facts_with(answer);
    const auto again = facts_from_json(to_json(facts));
    ASSERT_TRUE(again);
    EXPECT_EQ(policy.decide(*again), policy.decide(facts));
  }
}

TEST(Service, that_no_enforcing_rule_looks_at_is_a_lint) {
  const auto lints_of = [](std::string_view rules) {
    std::vector<std::string> lints;
    for (const Lint& lint : with_rules(rules).lints())
      if (lint.what.starts_with("service ")) lints.push_back(lint.what);
    return lints;
  };
  const std::string blocked = rule("{ match = \"blocked\" }", "refuse", "", "b");
  const std::string shield =
      "service \"shield\" is configured, but no rule refuses, holds or "
      "labels what it knows";
  EXPECT_THAT(lints_of(blocked + rule("{ match = \"judge\" }")), ElementsAre(shield));
  EXPECT_THAT(
      lints_of(rule("{ match = \"judge\" }") + rule("{ match = \"shield\" }", "accept", "", "a")),
      ElementsAre(shield));
  EXPECT_THAT(lints_of(rule("{ any = [{ match = \"judge\" }, { score = \"shield.other\", "
                            "at_least = 0.5 }] }")),
              IsEmpty());
}

TEST(RulesAbout, names_all_that_look_at_a_signal) {
  const Policy policy =
      with_rules(rule("{ not = { match = \"judge\" } }", "hold", "", "first") +
                 rule("{ all = [{ score = \"shield.csam\", at_least = 1 }, { unanswered = "
                      "\"judge\" }] }",
                      "refuse", "", "second"));
  EXPECT_THAT(policy.rules_about("judge"), ElementsAre("first", "second"));
  EXPECT_THAT(policy.rules_about("shield"), ElementsAre("second"));
  EXPECT_THAT(policy.rules_about("blocked"), IsEmpty());
  EXPECT_THAT(policy.rules_about("nobody"), IsEmpty());
}

}  // namespace
}  // namespace portcullis::policy

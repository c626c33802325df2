#include <gmock/gmock.h>

#include "policy/policy_testing.h"

namespace portcullis::policy {

namespace {

using testing::HasSubstr;

TEST(Decide, first_rule_that_holds_wins) {
  const Policy policy = parsed(with_signals(
      rule("{ match = \"known-illegal\" }", "refuse", "", "first") +
      rule("{ match = \"blocked\" }", "hold", "", "second") +
      rule("{ score = \"nsfw.nsfw\", at_least = 0.5 }", "label", "label = \"nsfw\"", "third")));
  const struct {
    std::string_view name;
    Facts facts;
    std::string_view rule;
    Outcome outcome;
  } cases[] = {
      {"nothing", clean(), "default", Outcome::accept},
      {"one", with("known-illegal", near_match()), "first", Outcome::refuse},
      {"two hold", with("blocked", near_match(), with("known-illegal", exact_match())), "first",
       Outcome::refuse},
      {"the later of two", with("blocked", near_match(), with("nsfw", scored(0.9))), "second",
       Outcome::hold},
      {"score", with("nsfw", scored(0.5)), "third", Outcome::label},
      {"an earlier rule that is unknown does not fire",
       with("known-illegal", unanswered(), with("blocked", near_match())), "second", Outcome::hold},
  };
  for (const auto& c : cases) {
    const Verdict verdict = policy.decide(c.facts);
    EXPECT_EQ(verdict.rule, c.rule) << c.name;
    EXPECT_EQ(verdict.outcome, c.outcome) << c.name;
    EXPECT_EQ(verdict.label, c.outcome == Outcome::label ? "nsfw" : "") << c.name;
    EXPECT_FALSE(verdict.unanswered) << c.name;
  }
}

TEST(Decide, rules_look_only_at_their_origins) {
  const Policy policy = parsed(with_signals(
      rule("{ match = \"blocked\" }", "hold", "origin = [\"upload\"]", "here") +
      rule("{ match = \"blocked\" }", "refuse", "origin = [\"remote\", \"import\"]", "elsewhere")));
  Facts facts = with("blocked", near_match());
  facts.origin = Origin::upload;
  EXPECT_EQ(policy.decide(facts).rule, "here");
  facts.origin = Origin::remote;
  EXPECT_EQ(policy.decide(facts).rule, "elsewhere");
  facts.origin = Origin::import;
  EXPECT_EQ(policy.decide(facts).rule, "elsewhere");
}

TEST(Decide, rules_look_only_at_their_uploaders) {
  const Policy policy = parsed(with_signals(
      rule("{ match = \"blocked\" }", "label", "label = \"x\"\nuploader = [\"trusted\"]", "ours") +
      rule("{ match = \"blocked\" }", "hold", "uploader = [\"member\", \"nobody\"]", "known") +
      rule("{ match = \"blocked\" }", "refuse", "", "others")));
  const std::pair<UploaderClass, const char*> cases[] = {{UploaderClass::trusted, "ours"},
                                                         {UploaderClass::member, "known"},
                                                         {UploaderClass::nobody, "known"},
                                                         {UploaderClass::unidentified, "others"}};
  for (const auto& [uploader, expected] : cases) {
    Facts facts = with("blocked", near_match());
    facts.uploader = uploader;
    EXPECT_EQ(policy.decide(facts).rule, expected);
  }
}

TEST(Decide, a_variation_of_a_refused_picture_is_refused_whatever_it_would_be_by_itself) {
  const Policy policy =
      parsed(with_signals(rule("{ score = \"nsfw.nsfw\", at_least = 0.8 }", "refuse", "", "bad") +
                          rule("{ score = \"nsfw.nsfw\", at_least = 0.6 }", "hold", "", "unsure")));
  for (const double score : {0.1, 0.7, 0.9}) {
    Facts facts = with("nsfw", scored(score));
    facts.varies_refused = true;
    const Verdict verdict = policy.decide(facts);
    EXPECT_EQ(verdict.outcome, Outcome::refuse) << score;
    EXPECT_EQ(verdict.rule, score > 0.8 ? "bad" : kVariationRule) << score;
    EXPECT_FALSE(verdict.unanswered);
    EXPECT_FALSE(verdict.reason.empty());
    facts.allow_listed = true;
    EXPECT_EQ(policy.decide(facts).outcome, Outcome::accept) << score;
  }
}

TEST(Decide, rules_may_speak_of_every_format_that_is_taken) {
  for (const char* format : {"jpeg", "png", "webp", "gif", "avif", "jxl", "apng", "mp4", "webm"}) {
    const Policy policy =
        parsed(with_signals(rule(fmt::format("{{ format = [\"{}\"] }}", format), "hold")));
    Facts facts = with("blocked", no_match());
    facts.format = format;
    EXPECT_EQ(policy.decide(facts).outcome, Outcome::hold) << format;
    facts.format = "other";
    EXPECT_EQ(policy.decide(facts).outcome, Outcome::accept) << format;
  }
}

TEST(Decide, carries_what_else_is_to_be_done) {
  const auto verdict = [](std::string_view more) {
    return parsed(with_signals(rule("{ match = \"blocked\" }", "refuse", more)))
        .decide(with("blocked", exact_match()));
  };
  EXPECT_TRUE(verdict("preserve = true").preserve);
  EXPECT_TRUE(verdict("report = true").report);
  EXPECT_TRUE(verdict("alert = true").alert);
  EXPECT_TRUE(verdict("ban_hash = true").ban_hash);
  const Verdict none = verdict("preserve = false");
  EXPECT_FALSE(none.preserve || none.report || none.alert || none.ban_hash);
}

TEST(Decide, a_default_may_refuse_hold_or_label) {
  const auto decide = [](std::string_view otherwise) {
    return parsed(fmt::format("[default]\n{}\n", otherwise)).decide(clean());
  };
  EXPECT_EQ(decide("then = \"refuse\"").outcome, Outcome::refuse);
  EXPECT_EQ(decide("then = \"hold\"").outcome, Outcome::hold);
  EXPECT_EQ(decide("then = \"label\"\nlabel = \"new\"").label, "new");
  EXPECT_FALSE(decide("then = \"refuse\"").unanswered);
}

TEST(Guard, lets_nothing_in_while_a_required_signal_has_no_answer) {
  // The rule for absence looks at one format only, so that the guard is what decides.
  const auto policy = [](std::string_view rules) {
    return parsed(fmt::format(
        "{}{}{}[default]\nthen = \"accept\"\n", kSignals,
        rule("{ all = [{ unanswered = \"required\" }, { format = [\"jxl\"] }] }", "hold", "", "x"),
        rules));
  };
  const Facts broken = with("nsfw", unanswered("the model is missing"));
  const struct {
    std::string_view name;
    std::string rules;
    Facts facts;
    std::string_view rule;
  } cases[] = {
      {"default", "", broken, kGuardRule},
      {"not asked", "", with("nsfw", {}), kGuardRule},
      {"not mentioned", "", Facts{}, kGuardRule},
      {"no usable score", rule("{ score = \"nsfw.nsfw\", at_least = 0.5 }"),
       with("nsfw", no_match()), kGuardRule},
      {"only an optional one", "", with("blocked", unanswered()), "default"},
      {"an accepting rule", rule("{ match = \"blocked\" }", "accept"),
       with("blocked", exact_match(), broken), kGuardRule},
      {"a labelling rule", rule("{ match = \"blocked\" }", "label", "label = \"x\""),
       with("blocked", exact_match(), broken), kGuardRule},
      {"an exact match excuses no accepting", rule("{ match = \"blocked\" }", "accept"),
       with("blocked", exact_match(), with("nsfw", {})), kGuardRule},
      {"allow-listed", rule("{ allow_listed = true }", "accept"),
       [&] {
         Facts f = broken;
         f.allow_listed = true;
         return f;
       }(),
       kGuardRule},
      {"a refusing rule stands", rule("{ match = \"blocked\" }"),
       with("blocked", exact_match(), broken), "the rule"},
      {"a holding rule stands", rule("{ match = \"blocked\" }", "hold"),
       with("blocked", near_match(), broken), "the rule"},
      {"the rule names it", rule("{ unanswered = \"nsfw\" }", "accept"), broken, "the rule"},
      {"the rule names all", rule("{ unanswered = \"required\" }", "accept"), broken, "the rule"},
      {"the rule names another",
       rule("{ any = [{ unanswered = \"known-illegal\" }, "
            "{ match = \"blocked\" }] }",
            "accept"),
       with("blocked", exact_match(), broken), kGuardRule},
      {"the rule names one of two", rule("{ unanswered = \"nsfw\" }", "accept"),
       with("known-illegal", unanswered(), broken), kGuardRule},
      {"the rule names it inside a not",
       rule("{ any = [{ not = { unanswered = \"nsfw\" } }, { match = \"blocked\" }] }", "accept"),
       with("blocked", exact_match(), broken), kGuardRule},
  };
  for (const auto& c : cases) {
    const Verdict verdict = policy(c.rules).decide(c.facts);
    EXPECT_EQ(verdict.rule, c.rule) << c.name;
    if (c.rule != kGuardRule) continue;
    EXPECT_EQ(verdict.outcome, Outcome::refuse) << c.name;
    EXPECT_TRUE(verdict.unanswered) << c.name;
    EXPECT_EQ(verdict.label, "") << c.name;
  }
  EXPECT_EQ(
      policy("").decide(broken).reason,
      "Nothing is let in without a required signal: nsfw did not answer (the model is missing).");
}

TEST(Unanswered, tells_refusals_for_want_of_an_answer_from_others) {
  const Policy policy = parsed(with_signals(rule(
      "{ any = [{ unanswered = \"nsfw\" }, { match = \"blocked\" }] }", "hold", "", "either")));
  EXPECT_TRUE(policy.decide(with("nsfw", unanswered())).unanswered);
  EXPECT_FALSE(policy.decide(with("blocked", near_match())).unanswered);
  // Seen and unable at once: what was seen would have been enough.
  EXPECT_FALSE(policy.decide(with("blocked", near_match(), with("nsfw", unanswered()))).unanswered);
  EXPECT_TRUE(policy.decide(with("known-illegal", unanswered())).unanswered);
}

TEST(Unanswered, of_a_default_that_refuses_says_whether_all_could_look) {
  const Policy policy = parsed(fmt::format(
      "{}{}{}[default]\nthen = \"refuse\"\n", kSignals,
      rule("{ score = \"nsfw.nsfw\", below = 0.2 }", "accept"),
      rule("{ all = [{ unanswered = \"required\" }, { format = [\"jxl\"] }] }", "hold", "", "x")));
  EXPECT_EQ(policy.decide(clean()).outcome, Outcome::accept);
  EXPECT_FALSE(policy.decide(with("nsfw", scored(0.5))).unanswered);
  const Verdict blind = policy.decide(with("nsfw", unanswered()));
  EXPECT_EQ(blind.rule, "default");
  EXPECT_TRUE(blind.unanswered);
  EXPECT_THAT(blind.reason, HasSubstr("nsfw did not answer"));
}

TEST(AllowList, overrules_scores_and_near_matches_and_nothing_else) {
  const Policy policy = parsed(
      with_signals(rule("{ match = \"blocked\" }", "refuse", "", "list") +
                   rule("{ score = \"nsfw.nsfw\", at_least = 0.5 }", "refuse", "", "score") +
                   rule("{ not = { score = \"nsfw.nsfw\", below = 0.3 } }", "hold", "", "doubt")));
  const struct {
    std::string_view name;
    Facts facts;
    Outcome before, after;
  } cases[] = {
      {"score", with("nsfw", scored(0.9)), Outcome::refuse, Outcome::accept},
      {"negated score", with("nsfw", scored(0.4)), Outcome::hold, Outcome::accept},
      {"near", with("blocked", near_match()), Outcome::refuse, Outcome::accept},
      {"exact", with("blocked", exact_match()), Outcome::refuse, Outcome::refuse},
      {"unanswered", with("nsfw", unanswered()), Outcome::refuse, Outcome::refuse},
      {"clean", clean(), Outcome::accept, Outcome::accept},
  };
  for (const auto& c : cases) {
    Facts facts = c.facts;
    EXPECT_EQ(policy.decide(facts).outcome, c.before) << c.name;
    facts.allow_listed = true;
    EXPECT_EQ(policy.decide(facts).outcome, c.after) << c.name;
  }
}

TEST(Reason, is_a_sentence_with_the_facts_that_made_it) {
  Facts gif = with("blocked", near_match());
  gif.format = "gif";
  Facts listed = clean();
  listed.allow_listed = true;
  const struct {
    std::string_view when;
    Facts facts;
    std::string_view want;
  } cases[] = {
      {"{ match = \"blocked\" }", with("blocked", near_match()),
       "blocked has a near match (distance 9)"},
      {"{ match = \"blocked\" }", with("blocked", exact_match()),
       "blocked has an exact match (csam/one)"},
      {"{ score = \"nsfw.nsfw\", at_least = 0.5 }", with("nsfw", scored(0.75)),
       "nsfw.nsfw is 0.750"},
      {"{ unanswered = \"nsfw\" }", with("nsfw", unanswered()),
       "nsfw did not answer (it is broken)"},
      {"{ unanswered = \"nsfw\" }", with("nsfw", {}), "nsfw was not asked"},
      {"{ unanswered = \"nsfw\" }", with("nsfw", unanswered("")), "nsfw did not answer"},
      {"{ allow_listed = true }", listed, "the picture is on the allow-list"},
      {"{ all = [{ match = \"blocked\" }, { format = [\"gif\"] }] }", gif,
       "blocked has a near match (distance 9) and its format is gif"},
      {"{ any = [{ match = \"known-illegal\" }, { format = [\"gif\"] }] }", gif,
       "its format is gif"},
      {"{ not = { match = \"blocked\" } }", clean(), "blocked has no match"},
      {"{ not = { unanswered = \"required\" } }", clean(), "all required signals answered"},
      {"{ not = { unanswered = \"nsfw\" } }", clean(), "nsfw answered"},
      {"{ not = { allow_listed = true } }", clean(), "the picture is not on the allow-list"},
      {"{ not = { score = \"nsfw.nsfw\", at_least = 0.5 } }", clean(), "nsfw.nsfw is 0.100"},
      {"{ not = { not = { format = [\"jpeg\"] } } }", clean(), "its format is jpeg"},
      {"{ not = { any = [{ match = \"blocked\" }, { allow_listed = true }] } }", clean(),
       "blocked has no match and the picture is not on the allow-list"},
      {"{ not = { all = [{ format = [\"jpeg\"] }, { match = \"blocked\" }] } }", clean(),
       "blocked has no match"},
  };
  for (const auto& c : cases) {
    const Verdict verdict = parsed(with_signals(rule(c.when, "hold"))).decide(c.facts);
    EXPECT_EQ(verdict.reason, fmt::format("Rule \"the rule\" fired: {}.", c.want)) << c.when;
  }
  EXPECT_EQ(parsed(with_signals("")).decide(clean()).reason, "No rule fired.");
}

TEST(Reason, cuts_long_details_between_characters) {
  std::string detail(199, 'a');
  detail += "\u00e9\u00e9";
  const Verdict verdict = parsed(with_signals("")).decide(with("nsfw", unanswered(detail)));
  EXPECT_THAT(verdict.reason, HasSubstr(std::string(199, 'a') + "..."));
}

}  // namespace

}  // namespace portcullis::policy

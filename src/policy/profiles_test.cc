#include <gmock/gmock.h>

#include "base/fd.h"
#include "policy/policy_testing.h"

namespace portcullis::policy {

namespace {

constexpr std::string_view kProfiles[] = {"strict", "lists-only", "adult"};

// The labels of models/open_nsfw/model.toml.
Vocabulary shipped(std::vector<std::string> lists) {
  return {.model_labels = {{"open_nsfw", {"sfw", "nsfw"}}}, .lists = std::move(lists)};
}

Policy profile(std::string_view name, std::vector<std::string> lists = {"csam/x", "own/banned"}) {
  const std::string path = fmt::format("{}/profiles/{}.toml", PORTCULLIS_SOURCE_DIR, name);
  const auto text = read_file(path, 1024 * 1024);
  if (!text) {
    ADD_FAILURE() << text.error().what;
    std::abort();
  }
  auto policy = Policy::parse(as_text(*text), path, shipped(std::move(lists)));
  if (!policy) {
    ADD_FAILURE() << policy.error().what;
    std::abort();
  }
  return *policy;
}

bool lets_in(const Verdict& verdict) {
  return verdict.outcome == Outcome::accept || verdict.outcome == Outcome::label;
}

TEST(Profiles, load_without_a_finding_once_lists_are_there) {
  for (const std::string_view name : kProfiles) {
    EXPECT_THAT(profile(name).lints(), testing::IsEmpty()) << name;
    EXPECT_FALSE(profile(name, {}).lints().empty()) << name << " without lists";
  }
}

TEST(Profiles, let_in_what_nothing_speaks_against) {
  for (const std::string_view name : kProfiles)
    for (const Origin origin : {Origin::upload, Origin::remote, Origin::import}) {
      Facts facts = clean();
      facts.origin = origin;
      EXPECT_EQ(profile(name).decide(facts).outcome, Outcome::accept) << name;
    }
}

TEST(Profiles, preserve_and_report_what_is_known_to_be_illegal) {
  for (const std::string_view name : kProfiles)
    for (const SignalAnswer& found : {near_match(), exact_match()}) {
      const Verdict verdict = profile(name).decide(with("known-illegal", found));
      EXPECT_EQ(verdict.outcome, Outcome::refuse) << name;
      EXPECT_TRUE(verdict.preserve && verdict.report && verdict.alert) << name;
      EXPECT_FALSE(verdict.unanswered) << name;
    }
}

TEST(Profiles, refuse_what_the_site_banned) {
  for (const std::string_view name : kProfiles) {
    const Verdict verdict = profile(name).decide(with("blocked", near_match()));
    EXPECT_EQ(verdict.outcome, Outcome::refuse) << name;
    EXPECT_FALSE(verdict.preserve) << name;
  }
}

// Whichever required signal is silent, in whatever way, beside whatever the others say.
TEST(Invariant3, a_signal_that_could_not_answer_is_never_read_as_no_match) {
  for (const std::string_view name : kProfiles) {
    const Policy policy = profile(name);
    for (const SignalDefinition& signal : policy.signals()) {
      if (!signal.required) continue;
      for (const SignalAnswer& silent : {unanswered(), SignalAnswer{},
                                         SignalAnswer{.answer = Answer::unanswered,
                                                      .exact = true,
                                                      .scores = {{"nsfw", 0.0}},
                                                      .detail = {}}})
        for (const SignalAnswer& other : {no_match(), near_match(), exact_match(), unanswered()})
          for (const double score : {0.0, 0.7, 0.99})
            for (const Origin origin : {Origin::upload, Origin::remote, Origin::import})
              for (const bool allow_listed : {false, true}) {
                Facts facts = with("blocked", other, with("nsfw", scored(score)));
                facts.signals[signal.name] = silent;
                facts.origin = origin;
                facts.allow_listed = allow_listed;
                EXPECT_FALSE(lets_in(policy.decide(facts))) << name << " " << to_json(facts);
              }
      Facts facts = clean();
      facts.signals.erase(signal.name);
      const Verdict verdict = policy.decide(facts);
      EXPECT_FALSE(lets_in(verdict)) << name << " without " << signal.name;
      EXPECT_TRUE(verdict.unanswered) << name << " without " << signal.name;
    }
  }
}

TEST(Strict, draws_its_lines_where_it_says) {
  const Policy strict = profile("strict");
  const struct {
    double score;
    Origin origin;
    Outcome want;
    std::string_view rule;
  } cases[] = {
      {0.59, Origin::upload, Outcome::accept, "default"},
      {0.60, Origin::upload, Outcome::hold, "unsure"},
      {0.84, Origin::upload, Outcome::hold, "unsure"},
      {0.85, Origin::upload, Outcome::refuse, "pornography"},
      {0.60, Origin::remote, Outcome::refuse, "unsure, from elsewhere"},
      {0.60, Origin::import, Outcome::refuse, "unsure, from elsewhere"},
      {0.99, Origin::remote, Outcome::refuse, "pornography"},
  };
  for (const auto& c : cases) {
    Facts facts = with("nsfw", scored(c.score));
    facts.origin = c.origin;
    EXPECT_EQ(strict.decide(facts).outcome, c.want) << c.score;
    EXPECT_EQ(strict.decide(facts).rule, c.rule) << c.score;
  }
}

TEST(Adult, labels_and_does_not_refuse) {
  const Policy adult = profile("adult");
  EXPECT_EQ(adult.decide(with("nsfw", scored(0.99))).outcome, Outcome::label);
  EXPECT_EQ(adult.decide(with("nsfw", scored(0.99))).label, "nsfw");
  EXPECT_EQ(adult.decide(with("nsfw", scored(0.59))).outcome, Outcome::accept);
  EXPECT_EQ(adult.decide(with("nsfw", scored(0.99), with("known-illegal", near_match()))).outcome,
            Outcome::refuse);
}

TEST(ListsOnly, asks_no_classifier) {
  for (const SignalDefinition& signal : profile("lists-only").signals())
    EXPECT_EQ(signal.kind, SignalKind::list);
  const auto policy = profile("lists-only");
  Facts facts = clean();
  facts.signals.erase("nsfw");
  EXPECT_EQ(policy.decide(facts).outcome, Outcome::accept);
}

TEST(AllowList, never_passes_an_exact_match_in_any_profile) {
  for (const std::string_view name : kProfiles)
    for (const std::string_view signal : {"known-illegal", "blocked"}) {
      Facts facts = with(signal, exact_match());
      facts.allow_listed = true;
      EXPECT_EQ(profile(name).decide(facts).outcome, Outcome::refuse) << name << " " << signal;
    }
}

}  // namespace

}  // namespace portcullis::policy

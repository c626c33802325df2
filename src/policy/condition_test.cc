#include "policy/condition.h"

#include "policy/policy_testing.h"

namespace portcullis::policy {

namespace {

constexpr std::size_t kList = 0, kOther = 1, kClassifier = 2;

std::vector<Known> known_signals() {
  std::vector<Known> known(3);
  known[kList].definition = {.name = "known-illegal", .lists = {}, .model = {}, .required = true};
  known[kOther].definition = {.name = "blocked", .lists = {}, .model = {}};
  known[kClassifier].definition = {.name = "nsfw",
                                   .kind = SignalKind::classifier,
                                   .lists = {},
                                   .model = "open_nsfw",
                                   .required = true};
  known[kClassifier].labels = {"nsfw"};
  return known;
}

Condition match(std::size_t signal) {
  return {
      .kind = Condition::Kind::match, .signal = signal, .label = {}, .formats = {}, .parts = {}};
}
Condition no_answer_of(std::size_t signal) {
  return {.kind = Condition::Kind::unanswered,
          .signal = signal,
          .label = {},
          .formats = {},
          .parts = {}};
}
Condition score(double at_least, double below = Condition::kNoBound) {
  return {.kind = Condition::Kind::score,
          .signal = kClassifier,
          .label = "nsfw",
          .at_least = at_least,
          .below = below,
          .formats = {},
          .parts = {}};
}
Condition made_of(Condition::Kind kind, std::vector<Condition> parts) {
  return {.kind = kind, .label = {}, .formats = {}, .parts = std::move(parts)};
}

Truth truth(const Condition& condition, const Facts& facts) {
  const std::vector<Known> known = known_signals();
  return Evidence(known, facts).truth(condition);
}

Facts allow_listed(Facts facts) {
  facts.allow_listed = true;
  return facts;
}

TEST(Truth, of_a_match) {
  const struct {
    std::string_view name;
    Facts facts;
    Truth want;
  } cases[] = {
      {"no match", clean(), Truth::no},
      {"near", with("blocked", near_match()), Truth::yes},
      {"exact", with("blocked", exact_match()), Truth::yes},
      {"unanswered", with("blocked", unanswered()), Truth::unknown},
      {"not asked", with("blocked", {}), Truth::unknown},
      {"near, allow-listed", allow_listed(with("blocked", near_match())), Truth::unknown},
      {"exact, allow-listed", allow_listed(with("blocked", exact_match())), Truth::yes},
      {"no match, allow-listed", allow_listed(clean()), Truth::no},
      {"unanswered, allow-listed", allow_listed(with("blocked", unanswered())), Truth::unknown},
  };
  for (const auto& c : cases) EXPECT_EQ(truth(match(kOther), c.facts), c.want) << c.name;
  Facts nothing;
  EXPECT_EQ(truth(match(kOther), nothing), Truth::unknown) << "not even mentioned";
}

TEST(Truth, of_a_score) {
  const struct {
    std::string_view name;
    Condition condition;
    Facts facts;
    Truth want;
  } cases[] = {
      {"at the threshold", score(0.6), with("nsfw", scored(0.6)), Truth::yes},
      {"just under", score(0.6), with("nsfw", scored(0.5999999)), Truth::no},
      {"below excludes its bound", score(-1, 0.6), with("nsfw", scored(0.6)), Truth::no},
      {"below", score(-1, 0.6), with("nsfw", scored(0.59)), Truth::yes},
      {"between", score(0.6, 0.85), with("nsfw", scored(0.7)), Truth::yes},
      {"above both", score(0.6, 0.85), with("nsfw", scored(0.85)), Truth::no},
      {"unanswered", score(0.6), with("nsfw", unanswered()), Truth::unknown},
      {"not asked", score(0.6), with("nsfw", {}), Truth::unknown},
      {"no such score", score(0.6), with("nsfw", no_match()), Truth::unknown},
      {"not a number", score(0.6), with("nsfw", scored(std::nan(""))), Truth::unknown},
      {"infinite", score(0.6), with("nsfw", scored(INFINITY)), Truth::unknown},
      {"allow-listed", score(0.6), allow_listed(with("nsfw", scored(0.9))), Truth::unknown},
      {"below, allow-listed", score(-1, 0.6), allow_listed(clean()), Truth::unknown},
  };
  for (const auto& c : cases) EXPECT_EQ(truth(c.condition, c.facts), c.want) << c.name;
}

TEST(Truth, of_unanswered_is_always_known) {
  const struct {
    std::string_view name;
    Facts facts;
    std::size_t signal;
    Truth want;
  } cases[] = {
      {"answered", clean(), kClassifier, Truth::no},
      {"unanswered", with("nsfw", unanswered()), kClassifier, Truth::yes},
      {"another is unanswered", with("nsfw", unanswered()), kList, Truth::no},
      {"required", with("nsfw", unanswered()), Condition::kRequired, Truth::yes},
      {"only one that is not required", with("blocked", unanswered()), Condition::kRequired,
       Truth::no},
      {"not asked", with("nsfw", {}), kClassifier, Truth::yes},
      {"not asked for an exact match", with("nsfw", {}, with("blocked", exact_match())),
       kClassifier, Truth::no},
      {"not asked beside a near match", with("nsfw", {}, with("blocked", near_match())),
       kClassifier, Truth::yes},
      {"unanswered beside an exact match",
       with("nsfw", unanswered(), with("blocked", exact_match())), kClassifier, Truth::yes},
      {"no usable score", with("nsfw", no_match()), kClassifier, Truth::yes},
      {"allow-listed", allow_listed(with("nsfw", unanswered())), kClassifier, Truth::yes},
  };
  for (const auto& c : cases) EXPECT_EQ(truth(no_answer_of(c.signal), c.facts), c.want) << c.name;
}

TEST(Truth, an_exact_match_of_a_signal_the_policy_does_not_know_excuses_nobody) {
  Facts facts = with("nsfw", {});
  facts.signals["stranger"] = exact_match();
  EXPECT_EQ(truth(no_answer_of(kClassifier), facts), Truth::yes);
  // Nor does a classifier that calls its answer exact.
  facts = with("nsfw", exact_match(), with("known-illegal", {}));
  facts.signals["nsfw"].scores = {{"nsfw", 0.5}};
  EXPECT_EQ(truth(no_answer_of(kList), facts), Truth::yes);
}

TEST(Truth, of_format_is_unknown_until_decoded) {
  Condition format{
      .kind = Condition::Kind::format, .label = {}, .formats = {"gif", "webp"}, .parts = {}};
  Facts facts = clean();
  EXPECT_EQ(truth(format, facts), Truth::no);
  facts.format = "webp";
  EXPECT_EQ(truth(format, facts), Truth::yes);
  facts.format = "";
  EXPECT_EQ(truth(format, facts), Truth::unknown);
}

// kList stands for each value in turn, kOther for the other operand.
TEST(Truth, combines_as_kleene_has_it) {
  const auto facts_for = [](Truth a, Truth b) {
    const auto answer = [](Truth t) {
      return t == Truth::yes ? exact_match() : t == Truth::no ? no_match() : unanswered();
    };
    return with("known-illegal", answer(a), with("blocked", answer(b)));
  };
  const Truth values[] = {Truth::no, Truth::unknown, Truth::yes};
  const Truth all_table[3][3] = {{Truth::no, Truth::no, Truth::no},
                                 {Truth::no, Truth::unknown, Truth::unknown},
                                 {Truth::no, Truth::unknown, Truth::yes}};
  const Truth any_table[3][3] = {{Truth::no, Truth::unknown, Truth::yes},
                                 {Truth::unknown, Truth::unknown, Truth::yes},
                                 {Truth::yes, Truth::yes, Truth::yes}};
  const Truth not_table[3] = {Truth::yes, Truth::unknown, Truth::no};
  using Kind = Condition::Kind;
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      const Facts facts = facts_for(values[a], values[b]);
      EXPECT_EQ(truth(made_of(Kind::all, {match(kList), match(kOther)}), facts), all_table[a][b]);
      EXPECT_EQ(truth(made_of(Kind::any, {match(kList), match(kOther)}), facts), any_table[a][b]);
    }
    EXPECT_EQ(truth(made_of(Kind::negation, {match(kList)}), facts_for(values[a], Truth::no)),
              not_table[a]);
  }
}

// The claim is checked against every combination of answers, thresholds and switches.
TEST(NeverTruer, claims_only_what_holds_for_all_facts) {
  using Kind = Condition::Kind;
  std::vector<Condition> conditions{
      match(kList),
      match(kOther),
      no_answer_of(kList),
      no_answer_of(kClassifier),
      no_answer_of(Condition::kRequired),
      score(0.3),
      score(0.6),
      score(-1, 0.6),
      score(0.3, 0.6),
      Condition{.kind = Kind::allow_listed, .label = {}, .formats = {}, .parts = {}}};
  const std::size_t leaves = conditions.size();
  for (std::size_t i = 0; i < leaves; ++i) {
    conditions.push_back(made_of(Kind::negation, {conditions[i]}));
    const Condition& other = conditions[(i * 7 + 3) % leaves];
    conditions.push_back(made_of(Kind::all, {conditions[i], other}));
    conditions.push_back(made_of(Kind::any, {conditions[i], other}));
    conditions.push_back(made_of(Kind::negation, {made_of(Kind::all, {conditions[i], other})}));
    conditions.push_back(
        made_of(Kind::all, {made_of(Kind::any, {conditions[i], match(kOther)}), other}));
  }

  const std::vector<SignalAnswer> list_answers{
      no_match(), near_match(), exact_match(), unanswered(), {}};
  std::vector<SignalAnswer> scores{unanswered(), {},          scored(0.1),
                                   scored(0.3),  scored(0.5), scored(0.6)};
  std::vector<Facts> worlds;
  for (const auto& a : list_answers)
    for (const auto& b : list_answers)
      for (const auto& c : scores)
        for (const bool listed : {false, true}) {
          worlds.push_back(with("known-illegal", a, with("blocked", b, with("nsfw", c))));
          worlds.back().allow_listed = listed;
        }

  const std::vector<Known> known = known_signals();
  std::size_t claims = 0;
  for (const Condition& a : conditions)
    for (const Condition& b : conditions) {
      std::size_t budget = 10'000;
      if (!never_truer(a, b, known, budget)) continue;
      ++claims;
      for (const Facts& facts : worlds) {
        const Evidence evidence(known, facts);
        ASSERT_LE(evidence.truth(a), evidence.truth(b)) << to_json(facts);
      }
    }
  EXPECT_GE(claims, conditions.size());  // at least each of itself
}

TEST(NeverTruer, claims_nothing_without_budget) {
  std::size_t budget = 0;
  EXPECT_FALSE(never_truer(match(kList), match(kList), known_signals(), budget));
}

}  // namespace

}  // namespace portcullis::policy

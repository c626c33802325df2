#include <gmock/gmock.h>

#include <random>

#include "policy/policy_testing.h"

namespace portcullis::policy {

namespace {

using testing::HasSubstr;

std::string some_text(std::mt19937_64& random) {
  static const std::string_view pieces[] = {"a",    "list/7", "\"", "\\",          "\n",
                                            "\x01", "é",      "図", "🖼",          " ",
                                            "{}",   "\x7f",   "/",  "\xef\xbf\xbf"};
  std::string text;
  for (auto n = random() % 6; n > 0; --n) text += pieces[random() % std::size(pieces)];
  return text;
}

double some_score(std::mt19937_64& random) {
  switch (random() % 6) {
    case 0:
      return 0.0;
    case 1:
      return 1.0;
    case 2:
      return static_cast<double>(static_cast<float>(random()) / 1.8446744e19f);  // as models give
    case 3:
      return std::bit_cast<double>(random() &
                                   ~(std::uint64_t{1} << 62));  // any below 2, tiny ones too
    default:
      return static_cast<double>(random()) / 18446744073709551616.0;
  }
}

Facts some_facts(std::mt19937_64& random) {
  Facts facts;
  for (std::byte& byte : facts.sha256.bytes) byte = static_cast<std::byte>(random());
  facts.bytes = random() >> (random() % 64);
  facts.format = some_text(random);
  facts.width = static_cast<std::uint32_t>(random());
  facts.height = static_cast<std::uint32_t>(random() >> (random() % 64));
  facts.frames = static_cast<std::uint32_t>(random() % 3);
  facts.origin = static_cast<Origin>(random() % 3);
  facts.uploader = static_cast<UploaderClass>(random() % 4);
  facts.allow_listed = random() % 2;
  facts.varies_refused = random() % 2;
  for (const std::string_view name : {"known-illegal", "blocked", "nsfw", "other"}) {
    if (random() % 8 == 0) continue;
    SignalAnswer& answer = facts.signals[std::string(name)];
    answer.answer = static_cast<Answer>(random() % 4);
    answer.exact = random() % 2;
    if (random() % 4) answer.scores["nsfw"] = some_score(random);
    for (auto n = random() % 3; n > 0; --n) answer.scores[some_text(random)] = some_score(random);
    answer.detail = some_text(random);
  }
  facts.signals.emplace(some_text(random), SignalAnswer{});
  return facts;
}

constexpr int kRounds = 3000;

TEST(FactsJson, comes_back_exactly_as_it_went) {
  std::mt19937_64 random(1);
  for (int i = 0; i < kRounds; ++i) {
    Facts facts = some_facts(random);
    for (auto& [name, answer] : facts.signals)
      std::erase_if(answer.scores, [](const auto& score) { return !std::isfinite(score.second); });
    const std::string json = to_json(facts);
    const auto back = facts_from_json(json);
    ASSERT_TRUE(back) << back.error().what << "\n" << json;
    ASSERT_EQ(*back, facts) << json;
    ASSERT_EQ(to_json(*back), json);
  }
}

TEST(Invariant6, a_verdict_can_be_replayed_from_its_recorded_facts) {
  const Policy policies[] = {
      parsed(with_signals(rule("{ match = \"known-illegal\" }", "refuse", "preserve = true", "a") +
                          rule("{ score = \"nsfw.nsfw\", at_least = 0.5 }", "hold", "", "b"))),
      parsed(
          with_signals(rule("{ all = [{ not = { match = \"blocked\" } }, { score = \"nsfw.nsfw\", "
                            "at_least = 0.1, below = 0.7 }] }",
                            "label", "label = \"x\"", "a") +
                       rule("{ any = [{ allow_listed = true }, { unanswered = \"blocked\" }] }",
                            "hold", "origin = [\"remote\"]", "b"))),
  };
  std::mt19937_64 random(2);
  std::map<std::string, int> rules;
  for (int i = 0; i < kRounds; ++i) {
    const Facts facts = some_facts(random);
    for (const Policy& policy : policies) {
      const Verdict verdict = policy.decide(facts);
      const auto recorded = facts_from_json(to_json(facts));
      ASSERT_TRUE(recorded) << recorded.error().what;
      ASSERT_EQ(policy.decide(*recorded), verdict) << to_json(facts);
      ASSERT_EQ(policy.decide(facts), verdict) << "asked twice";
      ++rules[verdict.rule];
    }
  }
  EXPECT_GE(rules.size(), 4u) << "the facts were too alike to show anything";
}

TEST(FactsJson, looks_like_this) {
  Facts facts = with("blocked", near_match(), with("nsfw", scored(0.25)));
  facts.signals.erase("known-illegal");
  EXPECT_EQ(
      to_json(facts),
      R"({"sha256":"0000000000000000000000000000000000000000000000000000000000000000",)"
      R"("bytes":1000,"format":"jpeg","width":640,"height":480,"frames":1,"origin":"upload",)"
      R"("uploader":"nobody","allow_listed":false,"varies_refused":false,"signals":{)"
      R"("blocked":{"answer":"match","exact":false,"scores":{},"detail":"distance 9"},)"
      R"("nsfw":{"answer":"no_match","exact":false,"scores":{"nsfw":0.25,"sfw":0.75},"detail":""}}})");
}

TEST(FactsJson, that_were_recorded_before_uploaders_were_known_still_replay) {
  Facts facts = with("blocked", near_match());
  std::string old = to_json(facts);
  for (const std::string_view member : {R"("uploader":"nobody",)", R"("varies_refused":false,)"})
    old.erase(old.find(member), member.size());
  EXPECT_EQ(facts_from_json(old).value(), facts);
}

TEST(FactsJson, reads_every_number_to_its_last_digit) {
  // boost::json 1.81 alone reads some of these one unit off.
  for (const double score :
       {0.1, 0.3, 0.8500000238418579, 0.9999999999999999, 5e-324, 2.2250738585072014e-308,
        0.49999999999999994, 0.6000000000000001, 1.7976931348623157e308}) {
    Facts facts = clean();
    facts.signals["nsfw"].scores["nsfw"] = score;
    EXPECT_EQ(facts_from_json(to_json(facts))->signals["nsfw"].scores["nsfw"], score);
  }
}

TEST(FactsJson, stays_readable_whatever_a_text_holds) {
  const struct {
    std::string_view given, want;
  } cases[] = {
      {"plain", "plain"},
      {"\xff", "?"},
      {"a\xc3", "a?"},
      {"\xc0\xaf", "??"},
      {"\xed\xa0\x80", "???"},
      {"\xe0\x80\xaf", "???"},
      {"\xf4\x90\x80\x80", "????"},
      {"\xf0\x8f\xbf\xbf", "????"},
      {"é\x80é", "é?é"},
  };
  for (const auto& c : cases) {
    const auto back = facts_from_json(to_json(with("nsfw", unanswered(std::string(c.given)))));
    ASSERT_TRUE(back) << c.want;
    EXPECT_EQ(back->signals.at("nsfw").detail, c.want);
  }
}

TEST(FactsJson, knows_one_zero) {
  Facts facts;
  facts.signals["nsfw"].scores = {{"nsfw", -0.0}};
  const std::string json = to_json(facts);
  const auto back = facts_from_json(json);
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json(*back), json);
}

TEST(FactsJson, leaves_out_scores_that_are_no_numbers) {
  Facts facts = with("nsfw", scored(std::nan("")));
  facts.signals["nsfw"].scores["more"] = -INFINITY;
  const auto back = facts_from_json(to_json(facts));
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->signals.at("nsfw").scores.empty());
}

TEST(FactsJson, refuses_anything_else) {
  const std::string good = to_json(clean());
  ASSERT_TRUE(facts_from_json(good));
  const auto changed = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    if (at == std::string::npos) ADD_FAILURE() << "no " << from;
    return text.replace(at, from.size(), to);
  };
  const struct {
    std::string_view name;
    std::string json;
    std::string_view what;
  } cases[] = {
      {"nothing", "", "not JSON"},
      {"cut", good.substr(0, good.size() - 1), "not JSON"},
      {"more after the end", good + "x", ""},
      {"two values", good + good, ""},
      {"array", "[]", "must be an object"},
      {"comment", "/* */" + good, "not JSON"},
      {"trailing comma", changed("\"frames\":1,", "\"frames\":1,,"), "not JSON"},
      {"missing member", changed("\"frames\":1,", ""), "`frames` is missing"},
      {"unknown member", changed("\"frames\":1,", "\"frames\":1,\"x\":1,"), "unknown member"},
      {"doubled member", changed("\"frames\":1,", "\"frames\":1,\"frames\":1,"), "twice"},
      {"doubled signal", changed("\"blocked\":", "\"nsfw\":"), "twice"},
      {"negative", changed("1000", "-1"), "0 or more"},
      {"fraction", changed("1000", "1.5"), "whole"},
      {"too large", changed("640", "4294967296"), "too large"},
      {"text for number", changed("640", "\"640\""), "whole"},
      {"number for flag", changed("\"allow_listed\":false", "\"allow_listed\":0"), "true or false"},
      {"null for text", changed("\"jpeg\"", "null"), "must be a text"},
      {"unknown origin", changed("\"upload\"", "\"Upload\""), "`origin`"},
      {"unknown uploader", changed("\"nobody\"", "\"somebody\""), "`uploader`"},
      {"unknown answer", changed("\"no_match\"", "\"maybe\""), "`answer`"},
      {"short digest", changed("\"00", "\""), "64 hexadecimal"},
      {"signals as list", "{\"signals\":[]}", "missing"},
      {"signal as text",
       changed("{\"answer\":\"no_match\",\"exact\":false,\"scores\":{},\"detail\":\"\"}", "\"\""),
       "a signal must be an object"},
      {"unknown member of a signal", changed("\"exact\":false", "\"exact\":false,\"sure\":1"),
       "unknown member"},
      {"score as text", changed("\"nsfw\":0.1", "\"nsfw\":\"0.1\""), "score must be a number"},
      {"score beyond doubles", changed("\"nsfw\":0.1", "\"nsfw\":1e999"), "not JSON"},
      {"scores as list", changed("\"scores\":{}", "\"scores\":[]"), "`scores` must be an object"},
      {"not UTF-8", changed("jpeg", "\xff"), "not JSON"},
      {"too long", std::string(1024 * 1024 + 1, ' '), "longer than"},
  };
  for (const auto& c : cases) {
    const auto facts = facts_from_json(c.json);
    EXPECT_FALSE(facts) << c.name;
    if (!facts) EXPECT_THAT(facts.error().what, HasSubstr(c.what)) << c.name;
  }
}

TEST(Names, go_both_ways) {
  for (const Origin origin : {Origin::upload, Origin::remote, Origin::import})
    EXPECT_EQ(origin_from(name(origin)), origin);
  for (const UploaderClass uploader : {UploaderClass::nobody, UploaderClass::unidentified,
                                       UploaderClass::member, UploaderClass::trusted})
    EXPECT_EQ(uploader_class_from(name(uploader)), uploader);
  for (const Answer answer :
       {Answer::match, Answer::no_match, Answer::unanswered, Answer::not_asked})
    EXPECT_EQ(answer_from(name(answer)), answer);
  for (const Outcome outcome : {Outcome::accept, Outcome::label, Outcome::hold, Outcome::refuse})
    EXPECT_EQ(outcome_from(name(outcome)), outcome);
  EXPECT_EQ(outcome_from("Accept"), std::nullopt);
  EXPECT_EQ(origin_from(""), std::nullopt);
}

}  // namespace

}  // namespace portcullis::policy

#include <gmock/gmock.h>

#include "policy/policy_testing.h"

namespace portcullis::policy {

namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST(Unreachable, is_a_rule_that_earlier_ones_always_forestall) {
  const struct {
    std::string_view earlier, later;
    bool reachable;
  } cases[] = {
      {"{ match = \"blocked\" }", "{ match = \"blocked\" }", false},
      {"{ match = \"blocked\" }", "{ match = \"known-illegal\" }", true},
      {"{ score = \"nsfw.nsfw\", at_least = 0.6 }", "{ score = \"nsfw.nsfw\", at_least = 0.8 }",
       false},
      {"{ score = \"nsfw.nsfw\", at_least = 0.6 }", "{ score = \"nsfw.nsfw\", at_least = 0.6 }",
       false},
      {"{ score = \"nsfw.nsfw\", at_least = 0.8 }", "{ score = \"nsfw.nsfw\", at_least = 0.6 }",
       true},
      {"{ score = \"nsfw.nsfw\", below = 0.5 }", "{ score = \"nsfw.nsfw\", below = 0.2 }", false},
      {"{ score = \"nsfw.nsfw\", below = 0.2 }", "{ score = \"nsfw.nsfw\", below = 0.5 }", true},
      {"{ score = \"nsfw.nsfw\", at_least = 0.1 }", "{ score = \"nsfw.sfw\", at_least = 0.9 }",
       true},
      {"{ score = \"nsfw.nsfw\", at_least = 0.2, below = 0.6 }",
       "{ score = \"nsfw.nsfw\", at_least = 0.3, below = 0.6 }", false},
      {"{ score = \"nsfw.nsfw\", at_least = 0.2, below = 0.6 }",
       "{ score = \"nsfw.nsfw\", at_least = 0.3 }", true},
      {"{ unanswered = \"required\" }", "{ unanswered = \"nsfw\" }", false},
      {"{ unanswered = \"required\" }", "{ unanswered = \"blocked\" }", true},
      {"{ unanswered = \"nsfw\" }", "{ unanswered = \"required\" }", true},
      {"{ allow_listed = true }", "{ allow_listed = true }", false},
      {"{ format = [\"gif\", \"png\"] }", "{ format = [\"gif\"] }", false},
      {"{ format = [\"gif\"] }", "{ format = [\"gif\", \"png\"] }", true},
      {"{ any = [{ match = \"blocked\" }, { allow_listed = true }] }", "{ match = \"blocked\" }",
       false},
      {"{ match = \"blocked\" }", "{ all = [{ match = \"blocked\" }, { format = [\"gif\"] }] }",
       false},
      {"{ match = \"blocked\" }", "{ any = [{ match = \"blocked\" }, { format = [\"gif\"] }] }",
       true},
      {"{ all = [{ match = \"blocked\" }, { format = [\"gif\"] }] }", "{ match = \"blocked\" }",
       true},
      {"{ all = [{ match = \"blocked\" }, { format = [\"gif\"] }] }",
       "{ all = [{ format = [\"gif\"] }, { match = \"blocked\" }, { allow_listed = true }] }",
       false},
      {"{ any = [{ match = \"blocked\" }, { format = [\"gif\"] }] }",
       "{ any = [{ format = [\"gif\"] }, { match = \"blocked\" }] }", false},
      {"{ not = { match = \"blocked\" } }", "{ not = { match = \"blocked\" } }", false},
      {"{ not = { score = \"nsfw.nsfw\", at_least = 0.8 } }",
       "{ not = { score = \"nsfw.nsfw\", at_least = 0.6 } }", false},
      {"{ not = { score = \"nsfw.nsfw\", at_least = 0.6 } }",
       "{ not = { score = \"nsfw.nsfw\", at_least = 0.8 } }", true},
      {"{ not = { match = \"blocked\" } }", "{ match = \"blocked\" }", true},
  };
  for (const auto& c : cases) {
    const std::string text =
        fmt::format("{}{}{}{}[default]\nthen = \"accept\"\n", kSignals,
                    rule(c.earlier, "refuse", "", "earlier"), rule(c.later, "hold", "", "later"),
                    // Keeps a rule for absence without standing in anybody's way.
                    rule("{ all = [{ unanswered = \"required\" }, { format = [\"jxl\"] }] }",
                         "refuse", "", "x"));
    const std::string error = error_of(text);
    const bool is_unreachable = error.find("rule \"later\" can never fire") != std::string::npos;
    EXPECT_EQ(!is_unreachable, c.reachable) << c.earlier << " then " << c.later << ": " << error;
    if (is_unreachable) EXPECT_THAT(error, HasSubstr("rule \"earlier\"")) << c.later;
  }
}

TEST(Unreachable, counts_each_origin_by_itself) {
  const auto two = [](std::string_view first, std::string_view second, std::string_view third) {
    const std::string_view when = "{ match = \"blocked\" }";
    return error_of(with_signals(rule(when, "refuse", first, "one") +
                                 rule(when, "hold", second, "two") +
                                 rule(when, "hold", third, "three")));
  };
  EXPECT_EQ(two("origin = [\"upload\"]", "origin = [\"remote\"]", "origin = [\"import\"]"), "");
  EXPECT_EQ(two("origin = [\"upload\"]", "origin = [\"remote\"]", ""), "");
  EXPECT_THAT(two("origin = [\"upload\"]", "origin = [\"remote\", \"import\"]", ""),
              HasSubstr("rule \"three\" can never fire"));
  EXPECT_THAT(two("origin = [\"upload\"]", "origin = [\"upload\"]", ""),
              HasSubstr("rule \"two\" can never fire"));
}

TEST(Unreachable, counts_each_class_of_uploaders_by_itself) {
  const auto two = [](std::string_view first, std::string_view second) {
    const std::string_view when = "{ match = \"blocked\" }";
    return error_of(
        with_signals(rule(when, "refuse", first, "one") + rule(when, "hold", second, "two")));
  };
  EXPECT_EQ(two("uploader = [\"trusted\"]", ""), "");
  EXPECT_EQ(two("uploader = [\"trusted\"]", "uploader = [\"member\"]"), "");
  EXPECT_THAT(two("uploader = [\"trusted\", \"member\"]", "uploader = [\"member\"]"),
              HasSubstr("rule \"two\" can never fire"));
  EXPECT_THAT(two("", "uploader = [\"member\"]\norigin = [\"remote\"]"),
              HasSubstr("no picture has one of its origins and one of its uploaders"));
}

TEST(Unreachable, is_not_searched_for_beyond_reason) {
  // Conditions made to be compared in as many ways as possible; loading must still end at once.
  std::string wide = "{ match = \"blocked\" }, { match = \"known-illegal\" }";
  for (int depth = 0; depth < 5; ++depth) {
    const std::string_view kind = depth % 2 ? "all" : "any";
    wide = fmt::format("{{ {} = [{}] }}, {{ format = [\"gif\"] }}, {{ not = {{ {} = [{}] }} }}",
                       kind, depth < 3 ? wide : "{ allow_listed = true }", kind,
                       wide.size() < 400 ? wide : "{ format = [\"png\"] }");
  }
  std::string rules;
  for (int i = 0; i < 200; ++i)
    rules += rule(fmt::format("{{ any = [{}] }}", wide), "hold", "", fmt::format("rule {}", i));
  EXPECT_THAT(error_of(with_signals(rules)), HasSubstr("policy.toml:"));
}

TEST(Absence, of_a_required_signal_needs_a_rule) {
  const std::string rest = "[default]\nthen = \"accept\"\n";
  const std::string signals(kSignals);
  const struct {
    std::string_view name;
    std::string rules;
    std::string_view what;  // empty: fine
  } cases[] = {
      {"none", "", "signal \"known-illegal\" is required"},
      {"one of two", rule("{ unanswered = \"known-illegal\" }"), "signal \"nsfw\" is required"},
      {"each by name",
       rule("{ unanswered = \"known-illegal\" }", "refuse", "", "a") +
           rule("{ unanswered = \"nsfw\" }", "hold", "", "b"),
       ""},
      {"in one condition",
       rule("{ any = [{ unanswered = \"known-illegal\" }, { unanswered = \"nsfw\" }] }"), ""},
      {"inside a not", rule("{ not = { unanswered = \"required\" } }"), "is required"},
      {"inside two nots", rule("{ not = { not = { unanswered = \"required\" } } }"), ""},
      {"for uploads only", rule("{ unanswered = \"required\" }", "refuse", "origin = [\"upload\"]"),
       "origin \"remote\""},
  };
  for (const auto& c : cases) {
    const std::string error = error_of(fmt::format("{}{}{}", signals, c.rules, rest));
    if (c.what.empty())
      EXPECT_EQ(error, "") << c.name;
    else
      EXPECT_THAT(error, HasSubstr(c.what)) << c.name;
  }
  EXPECT_THAT(error_of(signals + rest), StartsWith("policy.toml:2:1: "));
}

std::vector<std::string> findings(std::string_view text, std::vector<std::string> lists) {
  Vocabulary vocabulary = test_vocabulary();
  vocabulary.lists = std::move(lists);
  const auto policy = Policy::parse(text, "policy.toml", vocabulary);
  if (!policy) return {policy.error().what};
  std::vector<std::string> found;
  for (const Lint& lint : policy->lints()) found.push_back(lint.where + ": " + lint.what);
  return found;
}

constexpr std::string_view kOneList =
    "[[signal]]\nname = \"own\"\nkind = \"list\"\nlists = [\"own/*\"]\n";
constexpr std::string_view kAccept = "[default]\nthen = \"accept\"\n";

TEST(Lint, says_nothing_about_a_policy_that_uses_all_it_has) {
  EXPECT_THAT(findings(fmt::format("{}{}{}", kOneList, rule("{ match = \"own\" }"), kAccept),
                       {"own/banned"}),
              IsEmpty());
}

TEST(Lint, finds_a_list_that_no_enforcing_rule_reaches) {
  const struct {
    std::string_view name;
    std::string rules;
    bool reached;
  } cases[] = {
      {"refused", rule("{ match = \"own\" }"), true},
      {"held", rule("{ match = \"own\" }", "hold"), true},
      {"labelled", rule("{ match = \"own\" }", "label", "label = \"x\""), true},
      {"inside all", rule("{ all = [{ match = \"own\" }, { format = [\"gif\"] }] }"), true},
      {"accepted", rule("{ match = \"own\" }", "accept"), false},
      {"negated", rule("{ not = { match = \"own\" } }"), false},
  };
  for (const auto& c : cases) {
    const auto found = findings(fmt::format("{}{}{}", kOneList, c.rules, kAccept), {"own/banned"});
    const bool complains = std::ranges::any_of(found, [](const std::string& text) {
      return text.find("list \"own/banned\" is configured, but no rule") != std::string::npos;
    });
    EXPECT_EQ(!complains, c.reached) << c.name;
  }
}

TEST(Lint, finds_a_list_that_no_signal_covers) {
  EXPECT_THAT(findings(fmt::format("{}{}{}", kOneList, rule("{ match = \"own\" }"), kAccept),
                       {"own/banned", "csam/one"}),
              testing::ElementsAre(HasSubstr("list \"csam/one\"")));
}

TEST(Lint, finds_a_pattern_without_a_list) {
  EXPECT_THAT(findings(fmt::format("{}{}{}", kOneList, rule("{ match = \"own\" }"), kAccept), {}),
              testing::ElementsAre(StartsWith("policy.toml:1:1: \"own/*\" of signal \"own\"")));
}

TEST(Lint, finds_a_signal_that_no_rule_looks_at) {
  EXPECT_THAT(findings(fmt::format("{}{}", kOneList, kAccept), {"own/banned"}),
              testing::Contains(HasSubstr("no rule looks at signal \"own\"")));
}

TEST(Lint, finds_that_nothing_is_screened) {
  EXPECT_THAT(findings(kAccept, {}), testing::ElementsAre(HasSubstr("nothing is screened")));
}

TEST(Fits, stars_stand_for_any_run) {
  const struct {
    std::string_view pattern, name;
    bool want;
  } cases[] = {
      {"a", "a", true},
      {"a", "b", false},
      {"a", "ab", false},
      {"ab", "a", false},
      {"*", "", true},
      {"*", "a/b/c", true},
      {"csam/*", "csam/x", true},
      {"csam/*", "csam/", true},
      {"csam/*", "csam", false},
      {"csam/*", "own/csam/x", false},
      {"*/x", "a/b/x", true},
      {"*/x", "a/b/xy", false},
      {"a*b*c", "abc", true},
      {"a*b*c", "aXbYbZc", true},
      {"a*b*c", "acb", false},
      {"a**", "a", true},
      {"", "", true},
      {"", "a", false},
      {"*a", "aaab", false},
      {"*aab", "aaaab", true},
      {"csam/x", "csam/x#tag", true},
      {"csam/*", "csam/x#tag", true},
      {"*#tag", "csam/x#tag", true},
      {"csam/*#tag", "own/x#tag", false},
      {"*#tag", "csam/x#other", false},
      {"*#tag", "csam/x", false},
      {"*#*", "csam/x", false},
  };
  for (const auto& c : cases)
    EXPECT_EQ(fits(c.pattern, c.name), c.want) << c.pattern << " " << c.name;
}

}  // namespace

}  // namespace portcullis::policy

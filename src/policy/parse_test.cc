#include <gmock/gmock.h>

#include "policy/policy_testing.h"

namespace portcullis::policy {

namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string signal(std::string_view more) {
  return fmt::format("[[signal]]\n{}\n[default]\nthen = \"accept\"\n", more);
}

TEST(Parse, reads_signals_as_they_are_written) {
  const Policy policy = parsed(R"(
[[signal]]
name = "near"
kind = "list"
lists = ["a/*", "b"]
radius = 12
[[signal]]
name = "nsfw"
kind = "classifier"
model = "open_nsfw"
required = true
[[rule]]
name = "absence"
when = { unanswered = "nsfw" }
then = "hold"
[default]
then = "refuse"
)");
  ASSERT_EQ(policy.signals().size(), 2u);
  const SignalDefinition& near = policy.signals()[0];
  EXPECT_EQ(near.name, "near");
  EXPECT_EQ(near.kind, SignalKind::list);
  EXPECT_EQ(near.lists, (std::vector<std::string>{"a/*", "b"}));
  EXPECT_EQ(near.radius, 12);
  EXPECT_FALSE(near.required);
  const SignalDefinition& nsfw = policy.signals()[1];
  EXPECT_EQ(nsfw.kind, SignalKind::classifier);
  EXPECT_EQ(nsfw.model, "open_nsfw");
  EXPECT_EQ(nsfw.radius, 31);
  EXPECT_TRUE(nsfw.required);
}

TEST(Parse, digest_is_of_the_text) {
  const std::string text = "[default]\nthen = \"accept\"\n";
  EXPECT_EQ(parsed(text).digest(), sha256_of(as_bytes(text)));
  EXPECT_NE(parsed(text + "# a comment\n").digest(), parsed(text).digest());
}

TEST(Parse, every_error_says_where_and_what) {
  const struct {
    std::string_view name;
    std::string text;
    std::string_view where;  // line:column
    std::string_view what;
  } cases[] = {
      {"not toml", "[default\n", "1:9", ""},
      {"no default", "", "1:1", "[default]"},
      {"default is a value", "default = 1\n", "1:1", "[default]"},
      {"unknown table", "[default]\nthen = \"accept\"\n[extra]\n", "3:2", "`extra`"},
      {"unknown key in default", "[default]\nthen = \"accept\"\nelse = 1\n", "3:1", "`else`"},
      {"unknown outcome", "[default]\nthen = \"block\"\n", "2:8", "`then` must be"},
      {"one bracket", "[rule]\n[default]\nthen = \"accept\"\n", "1:1", "[[rule]]"},
      {"signal of values", "signal = [1]\n[default]\nthen = \"accept\"\n", "1:11", "table"},

      {"signal without name", signal("kind = \"list\""), "1:1", "needs `name`"},
      {"signal with a dot", signal("name = \"a.b\""), "2:8", "letters"},
      {"signal called required", signal("name = \"required\""), "2:8", "required"},
      {"unknown kind", signal("name = \"a\"\nkind = \"oracle\""), "3:8", "classifier"},
      {"list without lists", signal("name = \"a\"\nkind = \"list\""), "1:1", "needs `lists`"},
      {"empty lists", signal("name = \"a\"\nkind = \"list\"\nlists = []"), "4:9", "`lists`"},
      {"lists of numbers", signal("name = \"a\"\nkind = \"list\"\nlists = [1]"), "4:10", "texts"},
      {"twice the same", signal("name = \"a\"\nkind = \"list\"\nlists = [\"x\", \"x\"]"), "4:15",
       "twice"},
      {"a list with a model",
       signal("name = \"a\"\nkind = \"list\"\nlists = [\"x\"]\nmodel = \"m\""), "5:1", "`model`"},
      {"radius too wide", signal("name = \"a\"\nkind = \"list\"\nlists = [\"x\"]\nradius = 32"),
       "5:10", "0 to 31"},
      {"radius with a fraction",
       signal("name = \"a\"\nkind = \"list\"\nlists = [\"x\"]\nradius = 3.5"), "5:10", "whole"},
      {"required as text",
       signal("name = \"a\"\nrequired = \"yes\"\nkind = \"list\"\nlists = [\"x\"]"), "3:12",
       "true or false"},
      {"no such model", signal("name = \"a\"\nkind = \"classifier\"\nmodel = \"deep\""), "4:9",
       "gore, open_nsfw"},
  };
  for (const auto& c : cases) {
    const std::string error = error_of(c.text);
    EXPECT_THAT(error, StartsWith(fmt::format("policy.toml:{}: ", c.where))) << c.name;
    EXPECT_THAT(error, HasSubstr(c.what)) << c.name;
  }
}

TEST(Parse, wrong_rules_are_errors) {
  const struct {
    std::string_view name;
    std::string text;
    std::string_view what;
  } cases[] = {
      {"no condition", "[[rule]]\nname = \"a\"\nthen = \"hold\"\n", "needs `when`"},
      {"no name", "[[rule]]\nwhen = { match = \"blocked\" }\nthen = \"hold\"\n", "needs `name`"},
      {"no outcome", "[[rule]]\nname = \"a\"\nwhen = { match = \"blocked\" }\n", "needs `then`"},
      {"condition is a text", rule("\"blocked\""), "must be a table"},
      {"empty condition", rule("{}"), "needs one of"},
      {"unknown condition", rule("{ colour = \"red\" }"), "needs one of"},
      {"two conditions", rule("{ match = \"blocked\", allow_listed = true }"),
       "match and allow_listed cannot"},
      {"unknown key beside a condition", rule("{ match = \"blocked\", radius = 3 }"), "`radius`"},
      {"unknown signal", rule("{ match = \"blokced\" }"), "no signal \"blokced\""},
      {"match of a classifier", rule("{ match = \"nsfw\" }"), "classifier"},
      {"score of a list", rule("{ score = \"blocked.nsfw\", at_least = 0.5 }"), "is a list"},
      {"score without label", rule("{ score = \"nsfw\", at_least = 0.5 }"), "signal and label"},
      {"unknown label", rule("{ score = \"nsfw.porn\", at_least = 0.5 }"), "sfw, nsfw"},
      {"score without bound", rule("{ score = \"nsfw.nsfw\" }"), "`at_least` or `below`"},
      {"threshold above 1", rule("{ score = \"nsfw.nsfw\", at_least = 85 }"), "between 0 and 1"},
      {"threshold below 0", rule("{ score = \"nsfw.nsfw\", below = -0.1 }"), "between 0 and 1"},
      {"threshold that is no number", rule("{ score = \"nsfw.nsfw\", at_least = nan }"),
       "between 0 and 1"},
      {"threshold as text", rule("{ score = \"nsfw.nsfw\", at_least = \"0.5\" }"),
       "must be a number"},
      {"bounds crossed", rule("{ score = \"nsfw.nsfw\", at_least = 0.8, below = 0.2 }"),
       "no score can lie"},
      {"below nothing", rule("{ score = \"nsfw.nsfw\", below = 0 }"), "no score can lie"},
      {"unanswered of nobody", rule("{ unanswered = \"all\" }"), "no signal \"all\""},
      {"allow_listed = false", rule("{ allow_listed = false }"),
       "{ not = { allow_listed = true } }"},
      {"unknown format", rule("{ format = [\"bmp\"] }"), "no format \"bmp\""},
      {"format as text", rule("{ format = \"gif\" }"), "list of texts"},
      {"empty all", rule("{ all = [] }"), "not empty"},
      {"any of one table", rule("{ any = { match = \"blocked\" } }"), "list of conditions"},
      {"not of a list", rule("{ not = [ { match = \"blocked\" } ] }"), "must be a table"},
      {"wrong inside", rule("{ all = [ { match = \"x\" } ] }"), "no signal \"x\""},
      {"label without name", rule("{ match = \"blocked\" }", "label"), "needs `label`"},
      {"label without need", rule("{ match = \"blocked\" }", "hold", "label = \"x\""),
       "`label` goes with"},
      {"unknown origin", rule("{ match = \"blocked\" }", "hold", "origin = [\"moon\"]"),
       "no origin \"moon\""},
      {"unknown uploader", rule("{ match = \"blocked\" }", "hold", "uploader = [\"admin\"]"),
       "no class of uploaders \"admin\""},
      {"no origin", rule("{ match = \"blocked\" }", "hold", "origin = []"), "list of texts"},
      {"preserve as number", rule("{ match = \"blocked\" }", "refuse", "preserve = 1"),
       "true or false"},
      {"ban what is let in", rule("{ match = \"blocked\" }", "accept", "ban_hash = true"),
       "cannot be banned"},
      {"unknown key", rule("{ match = \"blocked\" }", "refuse", "presreve = true"), "`presreve`"},
      {"reserved name", rule("{ match = \"blocked\" }", "refuse", "", "default"), "default"},
      {"reserved name of the guard",
       rule("{ match = \"blocked\" }", "refuse", "", "required signal unanswered"), "verdicts use"},
      {"same name twice", rule("{ match = \"blocked\" }") + rule("{ allow_listed = true }"),
       "already"},
  };
  for (const auto& c : cases) {
    const std::string error = error_of(with_signals(c.text));
    EXPECT_THAT(error, StartsWith("policy.toml:")) << c.name;
    EXPECT_THAT(error, HasSubstr(c.what)) << c.name;
  }
}

TEST(Parse, points_at_the_very_condition_that_is_wrong) {
  EXPECT_THAT(
      error_of("[[rule]]\nname = \"a\"\nwhen = { any = [\n  { allow_listed = true },\n"
               "  { match = \"x\" },\n] }\nthen = \"hold\"\n[default]\nthen = \"accept\"\n"),
      StartsWith("policy.toml:5:13: "));
}

TEST(Parse, labels_may_hold_dots_because_signals_may_not) {
  EXPECT_EQ(
      error_of("[[signal]]\nname = \"g\"\nkind = \"classifier\"\nmodel = \"gore\"\n" +
               rule("{ score = \"g.a.b\", at_least = 0.5 }") + "[default]\nthen = \"accept\"\n"),
      "");
}

TEST(Parse, is_bounded) {
  std::string deep = "{ match = \"blocked\" }";
  for (int i = 0; i < 7; ++i) deep = fmt::format("{{ not = {} }}", deep);
  EXPECT_EQ(error_of(with_signals(rule(deep))), "");
  EXPECT_THAT(error_of(with_signals(rule("{ not = " + deep + " }"))), HasSubstr("8 deep"));

  std::string many;
  for (int i = 0; i < 64; ++i) many += "{ match = \"blocked\" },";
  EXPECT_THAT(error_of(with_signals(rule("{ any = [" + many + "] }"))), HasSubstr("64 conditions"));

  std::string rules;
  for (int i = 0; i < 257; ++i)
    rules += rule("{ match = \"blocked\" }", "hold", "", fmt::format("rule {}", i));
  EXPECT_THAT(error_of(with_signals(rules)), HasSubstr("256 rules"));
  EXPECT_THAT(error_of(std::string(1024 * 1024 + 1, '#')), HasSubstr("at most"));
}

TEST(Parse, required_can_only_be_named_when_something_is) {
  EXPECT_THAT(error_of(rule("{ unanswered = \"required\" }") + "[default]\nthen = \"accept\"\n"),
              HasSubstr("never fire"));
}

}  // namespace

}  // namespace portcullis::policy

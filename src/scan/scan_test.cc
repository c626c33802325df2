#include "scan/scan.h"

#include <gtest/gtest.h>

#include <fcntl.h>

#include "testing/fake_decoders.h"
#include "testing/fake_model.h"
#include "testing/lists.h"
#include "testing/run_task.h"
#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::scan {
namespace {

using policy::Answer;
using policy::Outcome;

constexpr std::string_view kPolicy = R"(
[[signal]]
name = "known"
kind = "list"
lists = ["csam/*"]
required = true

[[signal]]
name = "nsfw"
kind = "classifier"
model = "fake"
required = true

[[rule]]
name = "known illegal"
when = { match = "known" }
then = "refuse"

[[rule]]
name = "could not look"
when = { unanswered = "required" }
then = "refuse"

[[rule]]
name = "pornography"
when = { score = "nsfw.nsfw", at_least = 0.85 }
then = "refuse"

[default]
then = "accept"
)";

class MapMemory final : public Memory {
 public:
  Task<std::optional<policy::SignalAnswer>> answer(const Sha256& original,
                                                   const std::string& signal,
                                                   const std::string& version) override {
    const auto found = answers.find(original.hex() + signal + version);
    co_return found == answers.end() ? std::nullopt : std::optional(found->second);
  }
  Task<void> remember(const Sha256& original, const std::string& signal, const std::string& version,
                      const policy::SignalAnswer& answer, std::chrono::seconds) override {
    answers[original.hex() + signal + version] = answer;
    co_return;
  }
  Task<std::optional<Known>> known(const Sha256& original, const std::string& operations) override {
    const auto found = renditions.find(original.hex() + operations);
    co_return found == renditions.end() ? std::nullopt : std::optional(found->second);
  }
  Task<bool> is_allowed(const Sha256& original) override {
    co_return allowed.contains(original.hex());
  }
  std::map<std::string, policy::SignalAnswer> answers;
  std::map<std::string, Known> renditions;
  std::set<std::string> allowed;
};

class ScanTest : public ::testing::Test {
 protected:
  void use_policy(std::string_view text) {
    auto parsed = policy::Policy::parse(text, "policy.toml",
                                        {.model_labels = {{"fake", {"sfw", "nsfw"}}},
                                         .lists = {"csam/test"},
                                         .service_labels = {}});
    ASSERT_TRUE(parsed) << parsed.error().what;
    std::vector<std::shared_ptr<const Signal>> signals;
    for (const auto& definition : parsed->signals())
      signals.push_back(definition.kind == policy::SignalKind::list
                            ? list_signal(definition, lists_for(definition), pool_, clock_)
                            : classifier_signal(definition, model_there_ ? model_ : nullptr,
                                                "the model is missing", pool_, clock_,
                                                std::chrono::seconds(10)));
    const image::Rules rules{{image::Format::png}, {1000, 1000, 1'000'000, 1'000'000, 1}, {}};
    auto ruleset = std::make_shared<const Ruleset>(
        Ruleset{*parsed, signals, rules, ruleset_digest(*parsed, signals)});
    scanner_ = std::make_unique<Scanner>(decoders_, Scanner::Pools{pool_}, ruleset);
  }

  std::vector<NamedList> lists_for(const policy::SignalDefinition& definition) const {
    std::vector<NamedList> chosen;
    for (const NamedList& list : lists_)
      if (policy::fits(definition.lists.at(0), list.name)) chosen.push_back(list);
    return chosen;
  }

  void add_list(const hash::ListEntries& entries) {
    lists_ = {{"csam/test", testing::list_of(entries), {}}};
  }

  Screening scan(std::string_view bytes, Memory* memory = nullptr, Reuse reuse = Reuse::yes) {
    if (!scanner_) use_policy(kPolicy);
    const auto file = folder_.write("original", bytes);
    UniqueFd fd(::open(file.c_str(), O_RDONLY));
    const Original original{fd.get(), bytes.size(), digests_of(as_bytes(bytes))};
    return testing::run_task(
        scanner_->scan(original, {}, memory, clock_.steady() + std::chrono::seconds(30), reuse));
  }

  testing::VirtualClock clock_;
  testing::TemporaryFolder folder_;
  testing::FakeDecoders decoders_;
  std::shared_ptr<testing::FakeModel> model_ = std::make_shared<testing::FakeModel>();
  bool model_there_ = true;
  Pool pool_{"test", 2};
  std::vector<NamedList> lists_;
  std::unique_ptr<Scanner> scanner_;
};

TEST_F(ScanTest, an_ordinary_picture_is_accepted_with_a_rendition_and_all_answers) {
  const Screening result = scan("picture cat");
  EXPECT_EQ(result.verdict.outcome, Outcome::accept);
  ASSERT_TRUE(result.rendition);
  EXPECT_EQ(as_text(result.rendition->view()), "rendition of cat");
  EXPECT_EQ(result.facts.signals.at("known").answer, Answer::no_match);
  EXPECT_EQ(result.facts.signals.at("nsfw").scores.at("nsfw"), 0.0);
  EXPECT_EQ(result.facts.format, "png");
  EXPECT_EQ(result.facts.width, 64u);
}

TEST_F(ScanTest, what_a_moderator_allowed_passes_classifiers_but_no_exact_match) {
  MapMemory memory;
  model_->nsfw = {0.99};
  memory.allowed.insert(sha256_of(as_bytes("picture nsfw")).hex());
  EXPECT_EQ(scan("picture nsfw").verdict.outcome, Outcome::refuse);
  const Screening allowed = scan("picture nsfw", &memory);
  EXPECT_TRUE(allowed.facts.allow_listed);
  EXPECT_EQ(allowed.verdict.outcome, Outcome::accept);
  add_list({.sha256 = {sha256_of(as_bytes("picture nsfw"))}, .sha1 = {}, .md5 = {}, .pdq = {}});
  use_policy(kPolicy);
  EXPECT_EQ(scan("picture nsfw", &memory).verdict.outcome, Outcome::refuse);
}

TEST_F(ScanTest, an_exact_match_is_refused_without_decoding) {
  for (const std::string_view kind : {"sha256", "sha1", "md5"}) {
    const Digests digests = digests_of(as_bytes("picture bad"));
    hash::ListEntries entries;
    if (kind == "sha256") entries.sha256 = {digests.sha256};
    if (kind == "sha1") entries.sha1 = {digests.sha1};
    if (kind == "md5") entries.md5 = {digests.md5};
    add_list(entries);
    scanner_.reset();
    const Screening result = scan("picture bad");
    EXPECT_EQ(result.verdict.rule, "known illegal") << kind;
    EXPECT_TRUE(result.facts.signals.at("known").exact) << kind;
  }
  EXPECT_EQ(decoders_.decodes, 0);
}

TEST_F(ScanTest, an_exact_match_that_policy_does_not_refuse_still_asks_everything_else) {
  add_list({.sha256 = {sha256_of(as_bytes("picture seen before"))}});
  std::string text(kPolicy);
  text.replace(text.find("then = \"refuse\""), 15, "then = \"label\"\nlabel = \"seen\"");
  use_policy(text);
  model_->broken = true;
  EXPECT_NE(scan("picture seen before").verdict.outcome, Outcome::label);
  model_->broken = false;
  const Screening labelled = scan("picture seen before");
  EXPECT_EQ(labelled.verdict.outcome, Outcome::label)
      << labelled.verdict.reason << policy::to_json(labelled.facts);
}

TEST_F(ScanTest, an_exact_match_does_not_hide_a_near_match_that_an_earlier_rule_looks_for) {
  add_list({.pdq = {testing::fingerprint_of("bad").pdq[0]}});
  lists_.push_back(
      {"banned", testing::list_of({.sha256 = {sha256_of(as_bytes("picture bad"))}}), {}});
  std::string text(kPolicy);
  text.insert(text.find("[[rule]]"),
              "[[signal]]\nname = \"banned\"\nkind = \"list\"\nlists = [\"banned\"]\n");
  text.insert(
      text.rfind("[[rule]]"),
      "[[rule]]\nname = \"banned here\"\nwhen = { match = \"banned\" }\nthen = \"refuse\"\n");
  use_policy(text);
  const Screening result = scan("picture bad");
  EXPECT_EQ(result.verdict.rule, "known illegal") << policy::to_json(result.facts);
}

TEST_F(ScanTest, a_near_match_in_any_orientation_is_refused) {
  for (std::size_t orientation = 0; orientation < 8; ++orientation) {
    hash::PdqHash listed = testing::fingerprint_of("bad").pdq[orientation];
    listed.words[0] ^= 0b1011;  // three bits away
    add_list({.pdq = {listed}});
    scanner_.reset();
    const Screening result = scan("picture bad");
    EXPECT_EQ(result.verdict.rule, "known illegal") << orientation;
    EXPECT_FALSE(result.facts.signals.at("known").exact);
    scanner_.reset();
    EXPECT_EQ(scan("picture good").verdict.outcome, Outcome::accept) << orientation;
  }
}

TEST_F(ScanTest, Invariant3_what_could_not_answer_is_never_read_as_no_match) {
  const struct {
    const char* name;
    const char* bytes;
    bool model_there, model_broken, list_there;
  } cases[] = {
      {"decoder died", "crash", true, false, true},
      {"no model", "picture cat", false, false, true},
      {"model gave nonsense", "picture cat", true, true, true},
      {"list unreadable", "picture cat", true, false, false},
  };
  for (const auto& c : cases) {
    model_there_ = c.model_there;
    model_->broken = c.model_broken;
    add_list({.pdq = {testing::fingerprint_of("something else").pdq[0]}});
    if (!c.list_there) lists_ = {{"csam/test", nullptr, "damaged"}};
    scanner_.reset();
    const Screening result = scan(c.bytes);
    EXPECT_EQ(result.verdict.outcome, Outcome::refuse) << c.name;
    EXPECT_TRUE(result.verdict.unanswered) << c.name;
  }
}

TEST_F(ScanTest, a_match_counts_even_when_another_list_is_unreadable) {
  add_list({.sha256 = {sha256_of(as_bytes("picture bad"))}});
  lists_.insert(lists_.begin(), {"csam/damaged", nullptr, "damaged"});
  EXPECT_EQ(scan("picture bad").verdict.rule, "known illegal");
}

TEST_F(ScanTest, what_is_no_picture_has_no_verdict_but_a_word_for_the_client) {
  const Screening result = scan("broken");
  ASSERT_TRUE(result.not_taken);
  EXPECT_EQ(result.not_taken->code, "command-failure");
  EXPECT_FALSE(result.rendition);
}

TEST_F(ScanTest, a_classifier_that_takes_too_long_is_unanswered) {
  model_->on_ask = [&] { clock_.advance(std::chrono::seconds(11)); };
  const Screening result = scan("picture cat");
  EXPECT_EQ(result.facts.signals.at("nsfw").answer, Answer::unanswered);
  EXPECT_TRUE(result.verdict.unanswered);
}

TEST_F(ScanTest, known_bytes_are_neither_decoded_nor_asked_again_but_judged_again) {
  MapMemory memory;
  const Screening first = scan("picture cat", &memory);
  memory.renditions[first.facts.sha256.hex() + first.operations] = {
      sha256_of(first.rendition->view()), *first.seen};
  const Screening again = scan("picture cat", &memory);
  EXPECT_EQ(decoders_.decodes, 1);
  EXPECT_EQ(model_->asked, 1);
  EXPECT_EQ(again.verdict, first.verdict);
  EXPECT_EQ(again.facts, first.facts);
  EXPECT_EQ(again.known_blob, sha256_of(first.rendition->view()));

  add_list({.pdq = {testing::fingerprint_of("cat").pdq[3]}});  // listed since
  scanner_.reset();
  EXPECT_EQ(scan("picture cat", &memory).verdict.rule, "known illegal");
  EXPECT_EQ(decoders_.decodes, 1);
}

TEST_F(ScanTest, an_unanswered_signal_is_asked_again_next_time) {
  MapMemory memory;
  model_->broken = true;
  EXPECT_TRUE(scan("picture cat", &memory).verdict.unanswered);
  model_->broken = false;
  EXPECT_EQ(scan("picture cat", &memory).verdict.outcome, Outcome::accept);
}

TEST_F(ScanTest, a_known_rendition_is_not_reused_when_the_caller_says_so) {
  MapMemory memory;
  const Screening first = scan("picture cat", &memory);
  memory.renditions[first.facts.sha256.hex() + first.operations] = {
      sha256_of(first.rendition->view()), *first.seen};
  const Screening again = scan("picture cat", &memory, Reuse::no);
  EXPECT_TRUE(again.rendition);
  EXPECT_FALSE(again.known_blob);
  EXPECT_EQ(decoders_.decodes, 2);
}

TEST_F(ScanTest, Invariant6_a_verdict_can_be_replayed_from_its_recorded_facts) {
  for (const double score : {0.0, 0.5, 0.85, 1.0}) {
    model_->nsfw = {score};
    const Screening result = scan("picture cat");
    const auto facts = policy::facts_from_json(policy::to_json(result.facts));
    ASSERT_TRUE(facts) << facts.error().what;
    EXPECT_EQ(scanner_->ruleset()->policy.decide(*facts), result.verdict) << score;
  }
}

TEST_F(ScanTest, the_ruleset_changes_with_policy_lists_and_models) {
  std::set<std::string> digests;
  const auto note = [&](std::string_view text) {
    use_policy(text);
    digests.insert(scanner_->ruleset()->digest);
  };
  note(kPolicy);
  note(std::string(kPolicy) + "# a word more\n");
  add_list({.sha256 = {sha256_of(as_bytes("a"))}});
  note(kPolicy);
  add_list({.sha256 = {sha256_of(as_bytes("b"))}});
  note(kPolicy);
  model_there_ = false;
  note(kPolicy);
  EXPECT_EQ(digests.size(), 5u);
}

}  // namespace
}  // namespace portcullis::scan

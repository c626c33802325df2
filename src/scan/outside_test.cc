// What a scan shows to a signal from outside, and what becomes of its answer.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "scan/scan.h"
#include "testing/fake_decoders.h"
#include "testing/lists.h"
#include "testing/run_task.h"
#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::scan {
namespace {

using policy::Answer;
using policy::Outcome;

constexpr std::string_view kSignals = R"(
[[signal]]
name = "outside"
kind = "service"
service = "fake"
required = true
[[signal]]
name = "known"
kind = "list"
lists = ["*"]
)";
constexpr std::string_view kOutside = R"(
[[rule]]
name = "outside"
when = { match = "outside" }
then = "refuse"
preserve = true
)";
constexpr std::string_view kKnown = R"(
[[rule]]
name = "known"
when = { match = "known" }
then = "refuse"
)";
constexpr std::string_view kRest = R"(
[[rule]]
name = "could not look"
when = { unanswered = "required" }
then = "refuse"
[default]
then = "accept"
)";

class FakeService final : public Signal {
 public:
  const policy::SignalDefinition& definition() const override { return definition_; }
  const std::string& version() const override { return version_; }
  bool memorable() const override { return true; }
  std::chrono::seconds lifetime(const policy::SignalAnswer& answer) const override {
    return answer.answer == Answer::match ? std::chrono::seconds(20) : std::chrono::seconds(10);
  }
  Task<policy::SignalAnswer> ask(const Question& question, Deadline) const override {
    ++asked;
    Bytes bytes(question.fd < 0 ? 0 : question.size);
    if (question.fd >= 0) bytes.resize(read_at(question.fd, bytes, 0).value_or(0));
    told = fmt::format("{} {}", as_text(bytes),
                       question.seen ? decoder::name(question.seen->format) : "undecoded");
    co_return answer;
  }

  policy::SignalAnswer answer{.answer = Answer::no_match};
  mutable int asked = 0;
  mutable std::string told;

 private:
  policy::SignalDefinition definition_{
      .name = "outside", .kind = policy::SignalKind::service, .service = "fake", .required = true};
  std::string version_ = "1";
};

class Remembering final : public Memory {
 public:
  Task<std::optional<policy::SignalAnswer>> answer(const Sha256&, const std::string&,
                                                   const std::string&) override {
    co_return remembered;
  }
  Task<void> remember(const Sha256&, const std::string&, const std::string&,
                      const policy::SignalAnswer& given, std::chrono::seconds lifetime) override {
    remembered = given;
    lifetimes.push_back(lifetime.count());
    co_return;
  }
  Task<std::optional<Known>> known(const Sha256&, const std::string&) override {
    co_return std::nullopt;
  }
  std::optional<policy::SignalAnswer> remembered;
  std::vector<std::int64_t> lifetimes;
};

class OutsideTest : public ::testing::Test {
 protected:
  void use(std::string_view rules) {
    const std::string text = fmt::format("{}{}{}", kSignals, rules, kRest);
    auto parsed = policy::Policy::parse(text, "policy.toml",
                                        {.lists = {"known"}, .service_labels = {{"fake", {}}}});
    ASSERT_TRUE(parsed) << parsed.error().what;
    const auto list = testing::list_of({.sha256 = {sha256_of(as_bytes("picture bad"))}});
    const std::vector<std::shared_ptr<const Signal>> signals{
        service_, list_signal(parsed->signals()[1], {{"known", list, {}}}, pool_, clock_)};
    const image::Rules rules_of_pictures{
        {image::Format::png}, {1000, 1000, 1'000'000, 1'000'000, 1}, {}};
    scanner_ = std::make_unique<Scanner>(
        decoders_, Scanner::Pools{pool_},
        std::make_shared<const Ruleset>(
            Ruleset{*parsed, signals, rules_of_pictures, ruleset_digest(*parsed, signals)}));
  }
  Screening scan(std::string_view bytes, Memory* memory = nullptr, Reuse reuse = Reuse::yes) {
    const auto file = folder_.write("original", bytes);
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    const Original original{reuse == Reuse::only ? -1 : fd.get(), bytes.size(),
                            digests_of(as_bytes(bytes))};
    return testing::run_task(
        scanner_->scan(original, {}, memory, clock_.steady() + std::chrono::seconds(30), reuse));
  }

  testing::VirtualClock clock_;
  testing::TemporaryFolder folder_;
  testing::FakeDecoders decoders_;
  Pool pool_{"test", 2};
  std::shared_ptr<FakeService> service_ = std::make_shared<FakeService>();
  std::unique_ptr<Scanner> scanner_;
};

TEST_F(OutsideTest, it_may_read_the_original_and_what_was_seen_of_it) {
  use(kOutside);
  EXPECT_EQ(scan("picture cat").verdict.outcome, Outcome::accept);
  EXPECT_EQ(service_->told, "picture cat png");
  EXPECT_FALSE(scan("crash").rendition);
  EXPECT_EQ(service_->told, "crash undecoded");
  scan("picture cat", nullptr, Reuse::only);
  EXPECT_EQ(service_->told, " undecoded");
}

TEST_F(OutsideTest, its_answer_counts_for_as_long_as_it_says) {
  use(kOutside);
  Remembering memory;
  scan("picture cat", &memory);
  scan("picture cat", &memory);
  EXPECT_EQ(service_->asked, 1);
  memory.remembered.reset();
  service_->answer.answer = Answer::match;
  EXPECT_EQ(scan("picture cat", &memory).verdict.rule, "outside");
  memory.remembered.reset();
  service_->answer.answer = Answer::unanswered;
  EXPECT_EQ(scan("picture cat", &memory).verdict.rule, "could not look");
  EXPECT_EQ(memory.lifetimes, (std::vector<std::int64_t>{10, 20}));
}

TEST_F(OutsideTest, an_exact_match_ends_the_asking_only_if_no_rule_above_it_waits_for_a_service) {
  use(fmt::format("{}{}", kKnown, kOutside));
  EXPECT_EQ(scan("picture bad").verdict.rule, "known");
  EXPECT_EQ(service_->asked, 0);
  EXPECT_EQ(decoders_.decodes, 0);

  use(fmt::format("{}{}", kOutside, kKnown));
  service_->answer.answer = Answer::match;
  const Screening screening = scan("picture bad");
  EXPECT_EQ(screening.verdict.rule, "outside");
  EXPECT_TRUE(screening.verdict.preserve);
  service_->answer.answer = Answer::unanswered;
  EXPECT_EQ(scan("picture bad").verdict.rule, "known");
}

}  // namespace
}  // namespace portcullis::scan

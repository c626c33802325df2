#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>

#include "scan/scan.h"
#include "testing/fake_model.h"
#include "testing/run_task.h"
#include "testing/virtual_clock.h"

namespace portcullis::scan {
namespace {

using policy::Answer;
using policy::SignalAnswer;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// A model with one thread, which a test can hold up.
class Classifier : public ::testing::Test {
 protected:
  // The scan's own deadline is a minute away, so that `timeout` decides.
  SignalAnswer ask(milliseconds timeout, const std::vector<decoder::Picture>& pictures) {
    const auto signal = classifier_signal({.name = "nsfw", .model = "fake"}, model_, "", inference_,
                                          clock_, timeout);
    return testing::run_task(signal->ask({.pictures = &pictures}, clock_.steady() + seconds(60)));
  }
  SignalAnswer ask(milliseconds timeout) { return ask(timeout, pictures(1)); }

  std::vector<decoder::Picture> pictures(std::size_t count) const {
    const infer::Manifest& manifest = model_->manifest();
    std::vector<decoder::Picture> made(count);
    for (auto& picture : made)
      picture.rgb.resize(std::size_t{manifest.width} * manifest.height * 3);
    return made;
  }

  void hold_up() {
    model_->on_ask = [this] { go_on_.wait(); };
  }
  void go_on() {
    go_on_.count_down();
    inference_.join();
  }

  testing::VirtualClock clock_;
  std::shared_ptr<testing::FakeModel> model_ = std::make_shared<testing::FakeModel>();
  std::latch go_on_{1};
  Pool inference_{"inference", 1};
};

TEST_F(Classifier, says_the_worst_of_all_views) {
  model_->nsfw = {0.1, 0.9, 0.2};
  const SignalAnswer answer = ask(seconds(10), pictures(3));
  EXPECT_DOUBLE_EQ(answer.scores.at("nsfw"), 0.9);
  EXPECT_DOUBLE_EQ(answer.scores.at("sfw"), 0.1);
}

TEST_F(Classifier, that_hangs_is_unanswered_and_what_it_says_later_is_thrown_away) {
  hold_up();
  const SignalAnswer answer = ask(milliseconds(1));
  EXPECT_EQ(answer.answer, Answer::unanswered);
  EXPECT_THAT(answer.detail, HasSubstr("took too long"));
  EXPECT_TRUE(answer.scores.empty());
  go_on();  // the loop of that question is gone by now
  EXPECT_LE(model_->asked, 1);
}

TEST_F(Classifier, is_not_asked_what_nobody_waits_for) {
  hold_up();
  ask(milliseconds(1));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(milliseconds(1)).answer, Answer::unanswered);
  go_on();
  EXPECT_LE(model_->asked, 1) << "the five that waited behind it had gone";
}

TEST_F(Classifier, that_answers_after_the_deadline_is_unanswered) {
  model_->on_ask = [this] { clock_.advance(seconds(11)); };
  EXPECT_THAT(ask(seconds(10)).detail, HasSubstr("took too long"));
}

TEST_F(Classifier, whose_queue_is_too_long_is_unanswered_at_once) {
  for (int i = 0; i < 2'000; ++i) inference_.post([this] { go_on_.wait(); });
  const SignalAnswer answer = ask(seconds(60));
  EXPECT_EQ(answer.answer, Answer::unanswered);
  EXPECT_THAT(answer.detail, HasSubstr("queue"));
  go_on();
  EXPECT_EQ(model_->asked, 0);
}

TEST_F(Classifier, that_gives_no_scores_or_is_not_there_is_unanswered_with_the_reason) {
  model_->broken = true;
  EXPECT_THAT(ask(seconds(10)).detail, HasSubstr("NaN"));
  const auto missing = classifier_signal({.name = "nsfw", .model = "fake"}, nullptr,
                                         "the model is missing", inference_, clock_, seconds(10));
  const auto some = pictures(1);
  const SignalAnswer answer = testing::run_task(missing->ask({.pictures = &some}, {}));
  EXPECT_EQ(answer.answer, Answer::unanswered);
  EXPECT_EQ(answer.detail, "the model is missing");
}

}  // namespace
}  // namespace portcullis::scan

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <mutex>

#include "scan/scan.h"

namespace portcullis::scan {

namespace {

using policy::Answer;
using policy::SignalAnswer;
using Scores = Result<std::vector<infer::Scores>>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;

// Questions that may wait for the model, those without a caller included.
constexpr std::size_t kLongestQueue = 1'000;

SignalAnswer unanswered(std::string why) { return {Answer::unanswered, false, {}, std::move(why)}; }

// One question on its way through the pool, shared by its caller and the thread that asks the
// model. It outlives a caller that has stopped waiting, and that caller's loop, so it touches
// `timer` and `loop` only while somebody waits.
class Asked {
 public:
  Asked(Executor loop, Timer& timer, std::vector<Bytes> views)
      : loop_(loop), timer_(timer), views_(std::move(views)) {}

  // On the pool.
  static void ask(const std::shared_ptr<Asked>& self, infer::Model& model) {
    const std::vector<Bytes> views = self->take_views();
    if (views.empty()) return;
    Scores scores = model.scores(std::vector<infer::View>(views.begin(), views.end()));
    const std::scoped_lock lock(self->mutex_);
    if (self->given_up_) return;
    self->scores_ = std::move(scores);
    asio::post(self->loop_, [self] { self->wake(); });
  }

  // On the loop: what is known now. What comes later is thrown away.
  std::optional<Scores> stop_waiting() {
    const std::scoped_lock lock(mutex_);
    given_up_ = true;
    views_.clear();
    return std::exchange(scores_, std::nullopt);
  }

 private:
  std::vector<Bytes> take_views() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(views_, {});
  }
  void wake() {  // on the loop
    const std::scoped_lock lock(mutex_);
    if (!given_up_) timer_.cancel();
  }

  std::mutex mutex_;
  Executor loop_;
  Timer& timer_;
  std::vector<Bytes> views_;
  bool given_up_ = false;
  std::optional<Scores> scores_;
};

class ClassifierSignal final : public Signal {
 public:
  ClassifierSignal(policy::SignalDefinition definition, std::shared_ptr<infer::Model> model,
                   std::string why, Pool& inference, const Clock& clock,
                   std::chrono::milliseconds timeout)
      : definition_(std::move(definition)),
        model_(std::move(model)),
        why_(std::move(why)),
        version_(model_ ? model_->version() : "missing"),
        inference_(inference),
        clock_(clock),
        timeout_(timeout) {}

  const policy::SignalDefinition& definition() const override { return definition_; }
  const std::string& version() const override { return version_; }
  bool memorable() const override { return true; }

  std::optional<decoder::ViewSize> view() const override {
    if (!model_) return std::nullopt;
    const infer::Manifest& manifest = model_->manifest();
    return decoder::ViewSize{manifest.resize_width, manifest.resize_height, manifest.width,
                             manifest.height};
  }

  Task<SignalAnswer> ask(const Question& question, Deadline deadline) const override {
    if (!model_) co_return unanswered(why_);
    if (!question.pictures || question.pictures->empty())
      co_return unanswered("the picture could not be decoded");
    if (inference_.pending() >= kLongestQueue)
      co_return unanswered("the classifier's queue is too long");
    deadline = std::min(deadline, clock_.steady() + timeout_);
    const std::optional<Scores> scores =
        co_await scores_within(deadline - clock_.steady(), *question.pictures);
    if (!scores || clock_.steady() > deadline) co_return unanswered("the classifier took too long");
    if (!*scores) co_return unanswered(scores->error().what);
    co_return SignalAnswer{Answer::no_match, false, worst(**scores), {}};
  }

 private:
  // Nothing if `most` has passed first. The pictures are copied, as the model may be looking at
  // them when the caller has gone.
  Task<std::optional<Scores>> scores_within(std::chrono::nanoseconds most,
                                            const std::vector<decoder::Picture>& pictures) const {
    std::vector<Bytes> views;
    views.reserve(pictures.size());
    for (const decoder::Picture& picture : pictures) views.push_back(picture.rgb);
    const Executor loop = co_await asio::this_coro::executor;
    Timer timer(loop, std::chrono::ceil<Timer::duration>(most));
    const auto asked = std::make_shared<Asked>(loop, timer, std::move(views));
    const struct StopsWaiting {  // also when this coroutine is destroyed, and its loop with it
      Asked& asked;
      ~StopsWaiting() { asked.stop_waiting(); }
    } at_end{*asked};
    inference_.post([asked, model = model_] { Asked::ask(asked, *model); });
    co_await timer.async_wait(asio::as_tuple(use_task));  // or until it is cancelled
    co_return asked->stop_waiting();
  }

  // A picture is as bad as its worst view: the highest score of a sensitive label, the lowest of
  // any other.
  infer::Scores worst(const std::vector<infer::Scores>& views) const {
    infer::Scores result = views.front();
    const auto& sensitive = model_->manifest().sensitive;
    for (const infer::Scores& view : views)
      for (const auto& [label, score] : view) {
        const bool bad = std::ranges::find(sensitive, label) != sensitive.end();
        result[label] = bad ? std::max(result[label], score) : std::min(result[label], score);
      }
    return result;
  }

  policy::SignalDefinition definition_;
  std::shared_ptr<infer::Model> model_;
  std::string why_;
  std::string version_;
  Pool& inference_;
  const Clock& clock_;
  std::chrono::milliseconds timeout_;
};

}  // namespace

std::shared_ptr<const Signal> classifier_signal(policy::SignalDefinition definition,
                                                std::shared_ptr<infer::Model> model,
                                                std::string why, Pool& inference,
                                                const Clock& clock,
                                                std::chrono::milliseconds timeout) {
  return std::make_shared<ClassifierSignal>(std::move(definition), std::move(model), std::move(why),
                                            inference, clock, timeout);
}

}  // namespace portcullis::scan

#include <algorithm>

#include "scan/scan.h"

namespace portcullis::scan {

namespace {

using policy::Answer;
using policy::SignalAnswer;

SignalAnswer unanswered(std::string why) { return {Answer::unanswered, false, {}, std::move(why)}; }

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
    deadline = std::min(deadline, clock_.steady() + timeout_);
    const Result<std::vector<infer::Scores>> scores =
        co_await inference_.run([&]() -> Result<std::vector<infer::Scores>> {
          if (clock_.steady() >= deadline)
            return fail(Fault::limits, "the classifier's queue is too long");
          std::vector<infer::View> views;
          for (const decoder::Picture& picture : *question.pictures)
            views.emplace_back(picture.rgb);
          return model_->scores(views);
        });
    if (!scores) co_return unanswered(scores.error().what);
    if (clock_.steady() > deadline) co_return unanswered("the classifier took too long");
    co_return SignalAnswer{Answer::no_match, false, worst(*scores), {}};
  }

 private:
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

#include <algorithm>

#include "scan/scan.h"

namespace portcullis::scan {

namespace {

using policy::Answer;
using policy::SignalAnswer;

SignalAnswer unanswered(std::string why) { return {Answer::unanswered, false, {}, std::move(why)}; }

class ListSignal final : public Signal {
 public:
  ListSignal(policy::SignalDefinition definition, std::vector<NamedList> lists, Pool& cpu)
      : definition_(std::move(definition)), lists_(std::move(lists)), cpu_(cpu) {
    for (const NamedList& list : lists_)
      version_ +=
          fmt::format("{}={};", list.name, list.list ? list.list->version().hex() : "unreadable");
  }

  const policy::SignalDefinition& definition() const override { return definition_; }
  const std::string& version() const override { return version_; }

  SignalAnswer ask_digests(const Digests& digests) const override {
    for (const NamedList& list : lists_)
      if (list.list && list.list->contains(digests))
        return {Answer::match, true, {}, fmt::format("exact match in {}", list.name)};
    return {};
  }

  Task<SignalAnswer> ask(const Question& question, Deadline) const override {
    if (const SignalAnswer exact = ask_digests(question.digests); exact.answer == Answer::match)
      co_return exact;
    const bool any_near = std::ranges::any_of(lists_, [](const NamedList& list) {
      return list.list && list.list->count(hash::Kind::pdq) > 0;
    });
    SignalAnswer near;
    near.answer = Answer::no_match;
    if (any_near) {
      if (!question.fingerprints)
        co_return unanswered("the picture could not be decoded for a perceptual hash");
      near = co_await cpu_.run([&] { return nearest(*question.fingerprints); });
    }
    if (near.answer == Answer::match) co_return near;
    for (const NamedList& list : lists_)  // a match elsewhere counts; its absence proves nothing
      if (!list.list)
        co_return unanswered(fmt::format("list {} cannot be read: {}", list.name, list.why));
    co_return near;
  }

 private:
  SignalAnswer nearest(const std::vector<hash::Dihedral>& fingerprints) const {
    SignalAnswer best;
    best.answer = Answer::no_match;
    int distance = definition_.radius + 1;
    for (const NamedList& list : lists_) {
      if (!list.list) continue;
      for (const hash::Dihedral& fingerprint : fingerprints) {
        const auto found = list.list->nearest(fingerprint, definition_.radius);
        if (!found || found->distance >= distance) continue;
        distance = found->distance;
        best = {Answer::match,
                false,
                {},
                fmt::format("perceptual hash at distance {} in {}", distance, list.name)};
      }
    }
    return best;
  }

  policy::SignalDefinition definition_;
  std::vector<NamedList> lists_;
  Pool& cpu_;
  std::string version_;
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

std::shared_ptr<const Signal> list_signal(policy::SignalDefinition definition,
                                          std::vector<NamedList> lists, Pool& cpu) {
  return std::make_shared<ListSignal>(std::move(definition), std::move(lists), cpu);
}

std::shared_ptr<const Signal> classifier_signal(policy::SignalDefinition definition,
                                                std::shared_ptr<infer::Model> model,
                                                std::string why, Pool& inference,
                                                const Clock& clock,
                                                std::chrono::milliseconds timeout) {
  return std::make_shared<ClassifierSignal>(std::move(definition), std::move(model), std::move(why),
                                            inference, clock, timeout);
}

}  // namespace portcullis::scan

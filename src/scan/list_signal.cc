#include <algorithm>

#include "base/log.h"
#include "scan/scan.h"

namespace portcullis::scan {

namespace {

using policy::Answer;
using policy::SignalAnswer;

SignalAnswer unanswered(std::string why) { return {Answer::unanswered, false, {}, std::move(why)}; }

// "csam/x #confirmed"
std::string with_tag(const NamedList& list) {
  return list.tag.empty() ? list.name : fmt::format("{} #{}", list.name, list.tag);
}

class ListSignal final : public Signal {
 public:
  ListSignal(policy::SignalDefinition definition, std::vector<NamedList> lists, Pool& cpu,
             const Clock& clock)
      : definition_(std::move(definition)), cpu_(cpu), clock_(clock) {
    for (NamedList& list : lists) {
      version_ +=
          fmt::format("{}={}", list.name, list.list ? list.list->version().hex() : "unreadable");
      if (list.radius != 31) version_ += fmt::format(",radius {}", list.radius);
      if (list.min_quality != hash::kMinQuality)
        version_ += fmt::format(",quality {}", list.min_quality);
      if (!list.tag.empty()) version_ += ",#" + list.tag;
      if (list.observe) version_ += ",observed";
      version_ += ';';
      (list.observe ? observed_ : lists_).push_back(std::move(list));
    }
  }

  const policy::SignalDefinition& definition() const override { return definition_; }
  const std::string& version() const override { return version_; }

  SignalAnswer ask_digests(const Digests& digests) const override {
    for (const NamedList& list : lists_)
      if (list.list && list.list->contains(digests))
        return {Answer::match, true, {}, fmt::format("exact match in {}", with_tag(list))};
    return {};
  }

  Task<SignalAnswer> ask(const Question& question, Deadline) const override {
    SignalAnswer answer = ask_digests(question.digests);
    if (answer.answer != Answer::match) answer = co_await ask_near(question);
    if (!observed_.empty()) co_await add_observed(question, answer);
    co_return answer;
  }

 private:
  // Without exact matches, which there are none of.
  Task<SignalAnswer> ask_near(const Question& question) const {
    SignalAnswer near;
    near.answer = Answer::no_match;
    if (any_near(lists_)) {
      if (!question.fingerprints)
        co_return unanswered("the picture could not be decoded for a perceptual hash");
      near = co_await cpu_.run([&] { return nearest(*question.fingerprints); });
    }
    if (near.answer == Answer::match) co_return near;
    // A match elsewhere counts; its absence proves nothing.
    for (const NamedList& list : lists_) {
      if (!list.list)
        co_return unanswered(fmt::format("list {} cannot be read: {}", list.name, list.why));
      if (list.good_until && *list.good_until <= clock_.now())
        co_return unanswered(
            fmt::format("list {} is older than it may be: run `portcullis hashlist update {}`",
                        list.name, list.name));
    }
    co_return near;
  }

  SignalAnswer nearest(const std::vector<hash::Dihedral>& fingerprints) const {
    SignalAnswer best;
    best.answer = Answer::no_match;
    int distance = definition_.radius + 1;
    for (const NamedList& list : lists_) {
      const auto found = nearest_in(list, fingerprints);
      if (!found || *found >= distance) continue;
      distance = *found;
      best = {Answer::match,
              false,
              {},
              fmt::format("perceptual hash at distance {} in {}", distance, with_tag(list))};
    }
    return best;
  }

  std::optional<int> nearest_in(const NamedList& list,
                                const std::vector<hash::Dihedral>& fingerprints) const {
    std::optional<int> least;
    if (!list.list) return least;
    const int radius = std::min(definition_.radius, list.radius);
    for (const hash::Dihedral& fingerprint : fingerprints) {
      const auto found = list.list->nearest(fingerprint, radius, list.min_quality);
      if (found && (!least || found->distance < *least)) least = found->distance;
    }
    return least;
  }

  // What the lists say whose matches do not count.
  Task<void> add_observed(const Question& question, SignalAnswer& answer) const {
    std::vector<std::string> seen;
    const auto see = [&](const NamedList& list, std::string what) {
      log::info("a list that is only observed has the picture",
                {{"signal", definition_.name}, {"list", list.name}, {"match", what}});
      seen.push_back(std::move(what));
    };
    const bool has_near = question.fingerprints && any_near(observed_);
    const std::vector<std::optional<int>> distances = co_await near_distances(question, has_near);
    for (std::size_t i = 0; i < observed_.size(); ++i) {
      const NamedList& list = observed_[i];
      if (list.list && list.list->contains(question.digests))
        see(list, fmt::format("exact match in {}", with_tag(list)));
      else if (has_near && distances[i])
        see(list, fmt::format("near match in {} at distance {}", with_tag(list), *distances[i]));
      else if (!list.list)
        seen.push_back(fmt::format("{} cannot be read", list.name));
    }
    if (seen.empty()) co_return;
    if (!answer.detail.empty()) answer.detail += "; ";
    answer.detail += fmt::format("observed: {}", fmt::join(seen, ", "));
  }

  Task<std::vector<std::optional<int>>> near_distances(const Question& question,
                                                       bool has_near) const {
    std::vector<std::optional<int>> distances(observed_.size());
    if (has_near)
      co_await cpu_.run([&] {
        for (std::size_t i = 0; i < observed_.size(); ++i)
          distances[i] = nearest_in(observed_[i], *question.fingerprints);
      });
    co_return distances;
  }

  static bool any_near(const std::vector<NamedList>& lists) {
    return std::ranges::any_of(lists, [](const NamedList& list) {
      return list.list && list.list->count(hash::Kind::pdq) > 0;
    });
  }

  policy::SignalDefinition definition_;
  std::vector<NamedList> lists_, observed_;
  Pool& cpu_;
  const Clock& clock_;
  std::string version_;
};

}  // namespace

std::shared_ptr<const Signal> list_signal(policy::SignalDefinition definition,
                                          std::vector<NamedList> lists, Pool& cpu,
                                          const Clock& clock) {
  return std::make_shared<ListSignal>(std::move(definition), std::move(lists), cpu, clock);
}

}  // namespace portcullis::scan

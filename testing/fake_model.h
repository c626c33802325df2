// testing/fake_model.h: a classifier that says what a test wants to hear. Thread-safe while `nsfw`
// is not changed.
#pragma once

#include <atomic>
#include <functional>

#include "infer/infer.h"

namespace portcullis::testing {

class FakeModel final : public infer::Model {
 public:
  FakeModel() {
    manifest_.name = "fake";
    manifest_.width = manifest_.height = manifest_.resize_width = manifest_.resize_height = 4;
    manifest_.labels = {"sfw", "nsfw"};
    manifest_.sensitive = {"nsfw"};
  }
  const infer::Manifest& manifest() const override { return manifest_; }
  const std::string& version() const override { return version_; }

  Result<std::vector<infer::Scores>> scores(std::span<const infer::View> views) override {
    ++asked;
    if (on_ask) on_ask();
    if (broken) return fail(Fault::upstream, "the model gave NaN");
    std::vector<infer::Scores> result;
    for (std::size_t i = 0; i < views.size(); ++i) {
      const double score = nsfw[std::min(i, nsfw.size() - 1)];
      result.push_back({{"sfw", 1 - score}, {"nsfw", score}});
    }
    return result;
  }
  Result<std::vector<infer::Scores>> scores_of_tensor(std::span<const float>,
                                                      std::size_t) override {
    return fail(Fault::us, "a fake model has no tensors");
  }

  std::vector<double> nsfw{
      0.0};  // of the first view, the second, ...; the last stands for all after it
  bool broken = false;
  std::atomic<int> asked{0};
  std::function<void()> on_ask;

 private:
  infer::Manifest manifest_;
  std::string version_ = "fake-1";
};

}  // namespace portcullis::testing

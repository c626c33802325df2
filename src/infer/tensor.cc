#include "infer/tensor.h"

#include <cmath>

namespace portcullis::infer {

std::size_t tensor_size(const Manifest& manifest) {
  return std::size_t{manifest.width} * manifest.height * 3;
}

std::vector<float> to_tensor(const Manifest& manifest, View view) {
  const std::size_t pixels = std::size_t{manifest.width} * manifest.height;
  std::vector<float> tensor(pixels * 3);
  for (std::size_t pixel = 0; pixel < pixels; ++pixel)
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const std::size_t from = manifest.colour == Colour::rgb ? channel : 2 - channel;
      const auto value = static_cast<float>(std::to_integer<int>(view[pixel * 3 + from]));
      const std::size_t to =
          manifest.layout == Layout::nhwc ? pixel * 3 + channel : channel * pixels + pixel;
      tensor[to] = (value - manifest.mean[channel]) * manifest.scale[channel];
    }
  return tensor;
}

Result<Scores> checked_scores(std::span<const float> values,
                              const std::vector<std::string>& labels) {
  constexpr float kRounding = 1e-3f;
  if (values.size() != labels.size())
    return fail(Fault::upstream, "the model gave {} values for {} labels", values.size(),
                labels.size());
  Scores scores;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float value = values[i];
    if (!std::isfinite(value) || value < -kRounding || value > 1 + kRounding)
      return fail(Fault::upstream, "the model gave {} for \"{}\", which is no score", value,
                  labels[i]);
    scores[labels[i]] = std::clamp(value, 0.0f, 1.0f);
  }
  return scores;
}

}  // namespace portcullis::infer

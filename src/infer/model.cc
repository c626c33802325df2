#include <openvino/openvino.hpp>

#include <fmt/ranges.h>

#include <cmath>
#include <condition_variable>

#include "base/fd.h"
#include "infer/infer.h"
#include "infer/parse_manifest.h"

namespace portcullis::infer {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kLargestWeights = 2ull * 1024 * 1024 * 1024;

// Requests that may run at once; a caller waits for a free one.
class Requests {
 public:
  void add(ov::InferRequest request) { free_.push_back(std::move(request)); }

  template <class F>
  auto with_one(F function) {
    ov::InferRequest request = take();
    struct GiveBack {
      Requests& requests;
      ov::InferRequest& request;
      ~GiveBack() { requests.give_back(std::move(request)); }
    } give_back_at_end{*this, request};
    return function(request);
  }

 private:
  ov::InferRequest take() {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [this] { return !free_.empty(); });
    ov::InferRequest request = std::move(free_.back());
    free_.pop_back();
    return request;
  }
  void give_back(ov::InferRequest request) {
    {
      const std::scoped_lock lock(mutex_);
      free_.push_back(std::move(request));
    }
    freed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<ov::InferRequest> free_;
};

std::size_t tensor_size(const Manifest& manifest) {
  return std::size_t{manifest.width} * manifest.height * 3;
}

ov::Shape input_shape(const Manifest& manifest) {
  return manifest.layout == Layout::nhwc ? ov::Shape{1, manifest.height, manifest.width, 3}
                                         : ov::Shape{1, 3, manifest.height, manifest.width};
}

// Everything that a score depends on.
std::string version_of(const Manifest& manifest) {
  return sha256_of(as_bytes(fmt::format(
                       "{} {} {} {} {} {} {} {} {} {}", manifest.sha256.hex(),
                       static_cast<int>(manifest.layout), static_cast<int>(manifest.colour),
                       manifest.width, manifest.height, manifest.resize_width,
                       manifest.resize_height, fmt::join(manifest.mean, ","),
                       fmt::join(manifest.scale, ","), static_cast<int>(manifest.precision))))
      .hex();
}

class OpenVinoModel final : public Model {
 public:
  OpenVinoModel(Manifest manifest, std::string version, ov::CompiledModel compiled,
                std::size_t requests)
      : manifest_(std::move(manifest)),
        version_(std::move(version)),
        compiled_(std::move(compiled)) {
    for (std::size_t i = 0; i < requests; ++i) requests_.add(compiled_.create_infer_request());
  }

  const Manifest& manifest() const override { return manifest_; }
  const std::string& version() const override { return version_; }

  Result<std::vector<Scores>> scores(std::span<const View> views) override {
    std::vector<float> tensors;
    for (const View view : views) {
      if (view.size() != tensor_size(manifest_))
        return fail(Fault::us, "a view of {} bytes does not fit the model", view.size());
      const std::vector<float> one = to_tensor(manifest_, view);
      tensors.insert(tensors.end(), one.begin(), one.end());
    }
    return scores_of_tensor(tensors, views.size());
  }

  Result<std::vector<Scores>> scores_of_tensor(std::span<const float> tensor,
                                               std::size_t count) override {
    if (count == 0 || tensor.size() != count * tensor_size(manifest_))
      return fail(Fault::us, "a tensor of {} values is not {} pictures", tensor.size(), count);
    std::vector<Scores> result;
    for (std::size_t i = 0; i < count; ++i)
      result.push_back(
          TRY(one(tensor.subspan(i * tensor_size(manifest_), tensor_size(manifest_)))));
    return result;
  }

 private:
  Result<Scores> one(std::span<const float> tensor) {
    try {
      return requests_.with_one([&](ov::InferRequest& request) -> Result<Scores> {
        ov::Tensor input = request.get_input_tensor();
        if (input.get_size() != tensor.size())
          return fail(Fault::upstream, "the model's input has another size");
        std::ranges::copy(tensor, input.data<float>());
        request.infer();
        const ov::Tensor output = request.get_output_tensor();
        return checked_scores({output.data<const float>(), output.get_size()}, manifest_.labels);
      });
    } catch (const std::exception& error) {
      return fail(Fault::upstream, "the model failed: {}", error.what());
    }
  }

  Manifest manifest_;
  std::string version_;
  ov::CompiledModel compiled_;
  Requests requests_;
};

}  // namespace

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

Result<std::unique_ptr<Model>> Model::load(const fs::path& folder, Options options) {
  Manifest manifest = TRY(load_manifest(folder));
  const fs::path file = folder / manifest.file;
  // The very bytes that were verified are the ones that are parsed.
  Result<Bytes> weights = read_file(file.string(), kLargestWeights);
  if (!weights)
    return fail(
        Fault::us,
        "the weights are missing ({}): put the file there, or run tools/setup in a checkout",
        weights.error().what);
  const Sha256 digest = sha256_of(*weights);
  if (digest != manifest.sha256)
    return fail(Fault::us,
                "{} has SHA-256 {}, but model.toml wants {}: restore the right file, or correct "
                "model.toml if you meant "
                "to change the model",
                file.string(), digest.hex(), manifest.sha256.hex());
  try {
    ov::Core core;
    std::shared_ptr<ov::Model> network =
        core.read_model(std::string(as_text(*weights)), ov::Tensor());
    if (network->inputs().size() != 1 || network->outputs().size() != 1)
      return fail(Fault::us, "{} does not have one input and one output", file.string());
    network->reshape(ov::PartialShape(input_shape(manifest)));
    const auto precision =
        manifest.precision == Precision::bf16 ? ov::element::bf16 : ov::element::f32;
    ov::CompiledModel compiled =
        core.compile_model(network, "CPU", ov::hint::inference_precision(precision),
                           ov::inference_num_threads(static_cast<int>(options.threads)),
                           ov::num_streams(static_cast<int>(options.threads)));
    std::string version = version_of(manifest);
    return std::make_unique<OpenVinoModel>(std::move(manifest), std::move(version),
                                           std::move(compiled), options.threads);
  } catch (const std::exception& error) {
    return fail(Fault::us, "{} cannot be loaded: {}", file.string(), error.what());
  }
}

}  // namespace portcullis::infer

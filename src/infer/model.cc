#include <openvino/openvino.hpp>

#include <fmt/ranges.h>

#include <condition_variable>
#include <mutex>

#include "base/fd.h"
#include "infer/infer.h"
#include "infer/tensor.h"

namespace portcullis::infer {

namespace fs = std::filesystem;

namespace {

// oneTBB opens a helper library in a way that the sanitizers refuse, unless it is told of them.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
[[maybe_unused]] const int kTbbKnows = ::setenv("TBB_ENABLE_SANITIZERS", "1", 0);
#endif

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

ov::Shape input_shape(const Manifest& manifest) {
  return manifest.layout == Layout::nhwc ? ov::Shape{1, manifest.height, manifest.width, 3}
                                         : ov::Shape{1, 3, manifest.height, manifest.width};
}

// Over everything that a score depends on, or what it is called.
std::string version_of(const Manifest& m) {
  const std::string all = fmt::format(
      "{} {} {} {} {} {} {} {} {} {} {}", m.sha256.hex(), static_cast<int>(m.layout),
      static_cast<int>(m.colour), m.width, m.height, m.resize_width, m.resize_height,
      fmt::join(m.mean, ","), fmt::join(m.scale, ","), static_cast<int>(m.precision), m.labels);
  return sha256_of(as_bytes(all)).hex();
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
    std::vector<Scores> result;
    result.reserve(views.size());
    for (const View view : views) {
      if (view.size() != tensor_size(manifest_))
        return fail(Fault::us, "a view of {} bytes does not fit the model {}", view.size(),
                    manifest_.name);
      result.push_back(TRY(one(to_tensor(manifest_, view))));
    }
    return result;
  }

  Result<std::vector<Scores>> scores_of_tensor(std::span<const float> tensor,
                                               std::size_t count) override {
    const std::size_t size = tensor_size(manifest_);
    if (tensor.size() != count * size)
      return fail(Fault::us, "a tensor of {} values is not {} pictures", tensor.size(), count);
    std::vector<Scores> result;
    result.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
      result.push_back(TRY(one(tensor.subspan(i * size, size))));
    return result;
  }

 private:
  Result<Scores> one(std::span<const float> tensor) {
    try {
      return requests_.with_one([&](ov::InferRequest& request) -> Result<Scores> {
        ov::Tensor input = request.get_input_tensor();
        std::ranges::copy(tensor, input.data<float>());
        request.infer();
        const ov::Tensor output = request.get_output_tensor();
        return checked_scores({output.data<const float>(), output.get_size()}, manifest_.labels);
      });
    } catch (const std::exception& error) {
      return fail(Fault::upstream, "the model {} failed: {}", manifest_.name, error.what());
    }
  }

  Manifest manifest_;
  std::string version_;
  ov::CompiledModel compiled_;
  Requests requests_;
};

ov::element::Type element_type(Precision precision) {
  return precision == Precision::bf16 ? ov::element::bf16 : ov::element::f32;
}

// The very bytes that were verified, for they are what must be parsed: the file may change
// meanwhile.
Result<std::string> verified_weights(const Manifest& manifest, const std::string& file) {
  const Result<Bytes> weights = read_file(file, kLargestWeights);
  if (!weights)
    return fail(
        Fault::us,
        "the weights of the model {} cannot be read ({}): put them there, or in a checkout run "
        "tools/setup, or tools/setup models for those that nsfwjs brings",
        manifest.name, weights.error().what);
  const Sha256 digest = sha256_of(*weights);
  if (digest != manifest.sha256)
    return fail(Fault::us,
                "{} has SHA-256 {}, but model.toml wants {}: restore the right file, or correct "
                "model.toml if another model is meant",
                file, digest.hex(), manifest.sha256.hex());
  return std::string(as_text(*weights));
}

// One picture of floats in, one score for each label out.
Status check_interface(ov::Model& network, const Manifest& manifest, const std::string& file) {
  if (network.inputs().size() != 1 || network.outputs().size() != 1)
    return fail(Fault::us, "{} does not have one input and one output", file);
  network.reshape(ov::PartialShape(input_shape(manifest)));
  const auto is_float = [](const ov::Output<ov::Node>& port) {
    return port.get_element_type() == ov::element::f32;
  };
  if (!is_float(network.input()) || !is_float(network.output()))
    return fail(Fault::us, "{} does not take and give 32-bit floats", file);
  const ov::PartialShape output = network.output().get_partial_shape();
  if (output.is_dynamic() || ov::shape_size(output.to_shape()) != manifest.labels.size())
    return fail(Fault::us, "{} gives {} for a picture, but model.toml names {} labels", file,
                output.to_string(), manifest.labels.size());
  return {};
}

}  // namespace

Result<std::unique_ptr<Model>> Model::load(const fs::path& folder, Options options) {
  Manifest manifest = TRY(load_manifest(folder));
  const std::string file = (folder / manifest.file).string();
  const std::string weights = TRY(verified_weights(manifest, file));
  try {
    ov::Core core;
    const std::shared_ptr<ov::Model> network = core.read_model(weights, ov::Tensor());
    TRY(check_interface(*network, manifest, file));
    // Pinned threads would fight with other processes for the same cores.
    const int threads = static_cast<int>(std::max<std::size_t>(options.threads, 1));
    ov::CompiledModel compiled = core.compile_model(
        network, "CPU", ov::hint::inference_precision(element_type(manifest.precision)),
        ov::inference_num_threads(threads), ov::num_streams(threads),
        ov::hint::enable_cpu_pinning(false));
    if (compiled.get_property(ov::hint::inference_precision) != element_type(manifest.precision))
      return fail(
          Fault::us,
          "this processor cannot compute in bf16: set `precision = \"f32\"` in {}/model.toml",
          folder.string());
    std::string version = version_of(manifest);
    return std::make_unique<OpenVinoModel>(std::move(manifest), std::move(version),
                                           std::move(compiled), threads);
  } catch (const std::exception& error) {
    return fail(Fault::us, "{} cannot be loaded: {}", file, error.what());
  }
}

}  // namespace portcullis::infer

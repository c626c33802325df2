// infer/infer.h: picture classifiers on the CPU; the only room with OpenVINO.
//
// A model is a folder with model.toml (what it is, where it is from, how its input is made, what
// its outputs mean) and its weights. A Model is loaded once and immutable; what happens to its
// files afterwards does not matter. scores() blocks, is thread-safe and bounded in threads: run it
// on the inference pool. Views are made by the decoder
// (ViewSize of the manifest); turning one into the tensor is done here.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"

namespace portcullis::infer {

enum class Layout { nhwc, nchw };
enum class Colour { rgb, bgr };
enum class Precision { f32, bf16 };

struct Manifest {
  std::string name, source, licence, provenance;
  std::string file;  // weights: one ONNX file in the manifest's folder; no path
  Sha256 sha256;     // of the weights
  Layout layout = Layout::nhwc;
  Colour colour = Colour::rgb;
  std::uint16_t width = 0, height = 0;                // of the tensor
  std::uint16_t resize_width = 0, resize_height = 0;  // before the middle is cut out
  std::array<float, 3> mean{};                        // subtracted, in the order of `colour`
  std::array<float, 3> scale{1, 1, 1};                // then multiplied
  std::vector<std::string> labels;
  std::vector<std::string> sensitive;  // a subset of labels
  // Asked for, never left to the runtime, which would choose by processor. A score in f32 is within
  // 0.001 of onnxruntime's. bf16 is quicker where the processor has it and may move a score by 0.02
  // (open_nsfw) or 0.05 (those of nsfwjs); a processor without it refuses to load the model. Held
  // by e2e/scores_against_onnxruntime.py.
  Precision precision = Precision::f32;
};

// Reads `folder`/model.toml; errors say file:line:column. Does not read the weights.
Result<Manifest> load_manifest(const std::filesystem::path& folder);

// 8-bit RGB, width x height of the manifest, rows without padding.
using View = ByteView;

using Scores = std::map<std::string, double>;  // label to 0..1

class Model {
 public:
  struct Options {
    std::size_t threads = 1;
  };
  // Verifies the weights' digest before they are parsed. Fault::us with what to do when something
  // is missing or wrong.
  static Result<std::unique_ptr<Model>> load(const std::filesystem::path& folder, Options options);
  virtual ~Model() = default;

  virtual const Manifest& manifest() const = 0;
  // Digest over manifest and weights: the signal's version.
  virtual const std::string& version() const = 0;
  // One Scores a view. NaN, values outside 0..1 or a failing runtime: Fault::upstream (nothing was
  // learned), never a score.
  virtual Result<std::vector<Scores>> scores(std::span<const View> views) = 0;
  // The same from tensors in the model's own layout, for comparing with other runtimes.
  virtual Result<std::vector<Scores>> scores_of_tensor(std::span<const float> tensor,
                                                       std::size_t count) = 0;
};

// The tensor of one view: colour order, layout, mean and scale of the manifest. Pure.
std::vector<float> to_tensor(const Manifest& manifest, View view);

}  // namespace portcullis::infer

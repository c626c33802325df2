// One picture through each model that is installed, on one thread, at the precision its manifest
// asks for. bench/inference.py sets these against OpenVINO's own benchmark_app.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "infer/infer.h"

namespace portcullis::infer {
namespace {

// Counters `least_ms` and `median_ms`: wall time of one inference.
void one_inference(benchmark::State& state, const std::string& name) {
  const auto model = Model::load("models/" + name, {.threads = 1});
  if (!model) return state.SkipWithError(model.error().what.c_str());
  const Manifest& manifest = (*model)->manifest();
  const std::vector<float> tensor(std::size_t{manifest.width} * manifest.height * 3, 0.5F);
  std::vector<double> times;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize((*model)->scores_of_tensor(tensor, 1));
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
  }
  std::ranges::sort(times);
  state.counters["least_ms"] = times.front();
  state.counters["median_ms"] = times[times.size() / 2];
}
BENCHMARK_CAPTURE(one_inference, open_nsfw, std::string("open_nsfw"))
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(one_inference, nsfwjs_mobilenet_v2, std::string("nsfwjs_mobilenet_v2"))
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime();
BENCHMARK_CAPTURE(one_inference, nsfwjs_inception_v3, std::string("nsfwjs_inception_v3"))
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace portcullis::infer

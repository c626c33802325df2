// One picture through the model that is shipped, at the precision its manifest asks for.
#include <benchmark/benchmark.h>

#include "infer/infer.h"

namespace portcullis::infer {
namespace {

void one_inference(benchmark::State& state) {
  const auto model = Model::load("models/open_nsfw", {.threads = 1});
  if (!model) return state.SkipWithError(model.error().what.c_str());
  const Manifest& manifest = (*model)->manifest();
  const std::vector<float> tensor(std::size_t{manifest.width} * manifest.height * 3, 0.5F);
  for (auto _ : state) benchmark::DoNotOptimize((*model)->scores_of_tensor(tensor, 1));
}
BENCHMARK(one_inference)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime();

}  // namespace
}  // namespace portcullis::infer

#include <benchmark/benchmark.h>

#include "hash/pdq_path.h"

namespace portcullis::hash {
namespace {

// The worst case: as large as PDQ's input gets, all eight orientations.
void dihedral_of_512_by_512(benchmark::State& state, PdqPath path) {
  if (!can_take(path)) return state.SkipWithError("this processor cannot");
  std::vector<std::uint8_t> rgb(std::size_t{512} * 512 * 3);
  std::uint32_t random = 1;
  for (auto& value : rgb)
    value = static_cast<std::uint8_t>((random = random * 1664525 + 1013904223) >> 24);
  for (auto _ : state) benchmark::DoNotOptimize(pdq_dihedral(rgb, 512, 512, path));
}
BENCHMARK_CAPTURE(dihedral_of_512_by_512, best, best_pdq_path())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(dihedral_of_512_by_512, portable, PdqPath::portable)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(dihedral_of_512_by_512, avx2, PdqPath::avx2)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(dihedral_of_512_by_512, avx512, PdqPath::avx512)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace portcullis::hash

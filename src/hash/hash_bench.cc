#include <benchmark/benchmark.h>

#include "hash/hash.h"
#include "hash/memory_file.h"

namespace portcullis::hash {
namespace {

void nearest_in_a_list(benchmark::State& state) {
  ListEntries entries;
  std::uint64_t random = 1;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    PdqHash hash;
    for (auto& word : hash.words)
      word = random = random * 6364136223846793005u + 1442695040888963407u;
    entries.pdq.push_back(hash);
  }
  const HashList list = HashList::open(MemoryFile(serialise(entries)).path()).value();
  Dihedral query{.pdq = {}, .quality = 100};
  for (auto& hash : query.pdq) hash.words.fill(random = random * 6364136223846793005u + 1);
  for (auto _ : state) benchmark::DoNotOptimize(list.nearest(query, 31));
}
BENCHMARK(nearest_in_a_list)->Arg(10'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace portcullis::hash

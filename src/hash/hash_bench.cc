#include <benchmark/benchmark.h>
#include <fcntl.h>

#include <chrono>
#include <cstdlib>

#include "hash/hash.h"
#include "hash/memory_file.h"

namespace portcullis::hash {
namespace {

// Numbers that bench/near.py makes too: the n-th output of splitmix64 (Vigna, public domain).
std::uint64_t number(std::uint64_t n) {
  std::uint64_t z = (n + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}
PdqHash hash_at(std::uint64_t n) {
  return {{number(4 * n), number(4 * n + 1), number(4 * n + 2), number(4 * n + 3)}};
}
constexpr std::uint64_t kStrangers = 1ULL << 40;  // where the hashes of queries start

// `query`'s hashes are near nothing; with `near`, one is that many bits from an entry.
Dihedral query_at(std::uint64_t query, std::uint64_t entries, std::optional<unsigned> near = {}) {
  Dihedral dihedral{.pdq = {}, .quality = 100};
  for (std::size_t i = 0; i < 8; ++i) dihedral.pdq[i] = hash_at(kStrangers + 8 * query + i);
  if (!near) return dihedral;
  PdqHash& one = dihedral.pdq[query % 8] = hash_at(query * 7919 % entries);
  for (unsigned i = 0; i < *near; ++i) one.words[i % 4] ^= std::uint64_t{1} << (i * 5 % 64);
  return dihedral;
}

// What a list is made of. even: independent bits. skewed: nine in ten are copies, 0 to 40 bits
// away, of one in a hundred; and a third of the bits of all go with their neighbours. worst: all
// are copies of the first query, just too far away.
enum Data : std::int64_t { even, skewed, worst };

ListEntries entries_of(Data data, std::uint64_t count) {
  ListEntries entries;
  entries.pdq.reserve(count);
  constexpr std::uint64_t kThird = 0x9249249249249249;
  for (std::uint64_t i = 0; i < count; ++i) {
    PdqHash hash = hash_at(i);
    const std::uint64_t random = number(kStrangers * 2 + i);
    if (data == worst) hash = hash_at(kStrangers);
    if (data == skewed) {
      if (random % 10 != 0) hash = hash_at(random / 10 % (count / 100));
      for (auto& word : hash.words) word = (word & ~kThird) | (word >> 1 & kThird);
    }
    if (data == worst || (data == skewed && random % 10 != 0)) {
      const std::uint64_t bits = data == worst ? 32 + random % 8 : random / 16 % 41;
      for (std::uint64_t k = 0, bit = random >> 16; k < bits; ++k, bit = number(bit))
        hash.words[bit / 64 % 4] ^= std::uint64_t{1} << bit % 64;
    }
    entries.pdq.push_back(hash);
  }
  return entries;
}

// Kept from one call to the next, because the library calls a benchmark several times.
const HashList& list_of(Data data, std::uint64_t count, std::optional<Slots> slots) {
  static std::tuple<Data, std::uint64_t, unsigned> made{};
  static std::optional<HashList> list;
  const std::tuple wanted{data, count, slots ? slots->count() : ~0U};
  if (!list || made != wanted) {
    list.reset();
    list = HashList::open(MemoryFile(entries_of(data, count), slots).path()).value();
    made = wanted;
  }
  return *list;
}

// One picture that is near nothing, which is what nearly all are: eight hashes, radius 31.
void ask(benchmark::State& state, Data data, std::optional<Slots> slots) {
  const auto count = static_cast<std::uint64_t>(state.range(0));
  const HashList& list = list_of(data, count, slots);
  std::uint64_t i = 0;
  for (auto _ : state) {
    Dihedral query = query_at(data == worst ? 0 : i++ % 64, count);
    if (data == worst) query.pdq.fill(query.pdq[0]);
    if (data == skewed)  // as skewed as the entries
      for (auto& hash : query.pdq)
        for (auto& word : hash.words)
          word = (word & ~0x9249249249249249) | (word >> 1 & 0x9249249249249249);
    benchmark::DoNotOptimize(list.nearest(query, 31));
  }
}
void nearest(benchmark::State& state) { ask(state, even, {}); }
void nearest_reading_all(benchmark::State& state) { ask(state, even, Slots(0)); }
void nearest_by_16_slots(benchmark::State& state) { ask(state, even, Slots(16)); }
void nearest_by_12_slots(benchmark::State& state) { ask(state, even, Slots(12)); }
void nearest_skewed(benchmark::State& state) { ask(state, skewed, {}); }
void nearest_worst(benchmark::State& state) { ask(state, worst, {}); }
BENCHMARK(nearest)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(nearest_skewed)->Arg(1'000'000)->Arg(10'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(nearest_worst)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(nearest_reading_all)->Arg(8'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(nearest_by_16_slots)->Arg(8'000)->Arg(2'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(nearest_by_12_slots)->Arg(2'000'000)->Unit(benchmark::kMillisecond);

// For bench/near.py, which compares the answers in the label with those of FAISS. The list lies in
// the file that the environment names and is written if it is not there.
void nearest_of_the_file(benchmark::State& state) {
  const char* path = std::getenv("PORTCULLIS_BENCH_LIST");
  constexpr std::uint64_t kCount = 10'000'000;
  if (!path) return state.SkipWithError("PORTCULLIS_BENCH_LIST is not set");
  const auto seconds_since = [](std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  static double written = 0, megabytes = 0;  // the library calls this several times
  if (::access(path, F_OK) != 0) {
    ListEntries entries = entries_of(even, kCount);
    const UniqueFd fd(::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    const auto start = std::chrono::steady_clock::now();
    PORTCULLIS_CHECK(fd && write_list(std::move(entries), fd.get()));
    written = seconds_since(start);
    megabytes = static_cast<double>(::lseek(fd.get(), 0, SEEK_END)) / 1e6;
  }
  static std::optional<HashList> list;
  static double opened = 0;
  if (!list) {
    const auto start = std::chrono::steady_clock::now();
    list = HashList::open(path).value();
    opened = seconds_since(start);
  }
  state.counters["write_s"] = written;
  state.counters["file_MB"] = megabytes;
  state.counters["open_s"] = opened;
  std::string answers;
  for (unsigned i = 0; i < 48; ++i) {
    const auto near = list->nearest(query_at(1000 + i, kCount, i), 31);
    answers += near ? fmt::format("{}:{} ", near->distance, near->orientation) : "- ";
  }
  state.SetLabel(answers);
  std::uint64_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(list->nearest(query_at(i++ % 64, kCount), 31));
}
BENCHMARK(nearest_of_the_file)->Unit(benchmark::kMillisecond)->MinTime(1);

}  // namespace
}  // namespace portcullis::hash

// Publications a second, each with its claim as an upload makes it: two durable commits, which many
// callers share.
#include <benchmark/benchmark.h>

#include <filesystem>

#include "base/id.h"
#include "store/store.h"

namespace portcullis::store {
namespace {

const SystemClock kClock;

// One database for all threads of a run, in the temporary folder: set TMPDIR to the disk to be
// measured.
class Published : public benchmark::Fixture {
 public:
  void SetUp(benchmark::State& state) override {
    if (state.thread_index() != 0) return;
    folder_ = std::filesystem::temp_directory_path() / ("portcullis-bench-" + random_hex(8));
    std::filesystem::create_directory(folder_);
    store_ = std::move(open_sqlite({folder_ / "store.sqlite"}, kClock).value());
  }
  void TearDown(benchmark::State& state) override {
    if (state.thread_index() != 0) return;
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

 protected:
  Status publish(const std::string& alias) {
    const Sha256 digest = sha256_of(as_bytes(alias));
    const auto claim =
        TRY(store_->claim(digest, {640, 480, {}, "image/jpeg", "", 100'000}, kClock.now()));
    Store::Publication publication{
        claim.id, {alias, random_uuid(), digest, kClock.now(), policy::Origin::upload}, {}, {}};
    VerdictRecord& verdict = publication.verdict.emplace();
    verdict.id = random_uuid();
    verdict.verdict.outcome = policy::Outcome::accept;
    verdict.facts.signals["nsfw"] = {
        policy::Answer::no_match, false, {{"sfw", 0.9}, {"nsfw", 0.1}}, {}};
    publication.rendition = RenditionRecord{digest, "identity", digest, "{}"};
    return store_->publish(publication);
  }

  std::filesystem::path folder_;
  std::unique_ptr<Store> store_;
};

BENCHMARK_DEFINE_F(Published, publications)(benchmark::State& state) {
  for (auto _ : state)
    if (!publish(random_uuid() + ".jpeg")) state.SkipWithError("a publication failed");
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_REGISTER_F(Published, publications)->Threads(1)->Threads(32)->UseRealTime();

BENCHMARK_DEFINE_F(Published, finding_an_alias)(benchmark::State& state) {
  if (state.thread_index() == 0 && !publish("a.jpeg")) state.SkipWithError("not published");
  for (auto _ : state) benchmark::DoNotOptimize(store_->find("a.jpeg"));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_REGISTER_F(Published, finding_an_alias)->Threads(1)->Threads(4)->UseRealTime();

}  // namespace
}  // namespace portcullis::store

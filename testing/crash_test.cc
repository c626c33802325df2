// Uploads, deletions and the sweeper at work when the power goes, on disks that forget what was not
// synced: blobs on one, the database on the other, dark at the same moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "blob/blob.h"
#include "media/media.h"
#include "store/store.h"
#include "testing/forgetful_file_system.h"
#include "testing/forgetful_vfs.h"
#include "testing/temporary_folder.h"

namespace portcullis::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kThreads = 4;
constexpr unsigned kContents = 25;  // few, so that uploads of the same bytes meet
constexpr auto kSweeperTimeout = std::chrono::milliseconds(200);

Bytes content(unsigned number) {
  std::mt19937 random(number);
  Bytes bytes(500 + random() % 9'000);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

// What clients were told of an alias; `unsure`: the power went before the answer came.
enum class Told { published, deleted, unsure };
struct Known {
  unsigned content = 0;
  Told told = Told::unsure;
};
using Aliases = std::map<std::string, Known>;

struct Faults {
  bool database_syncs = false, file_syncs = false, folder_syncs = false;
};

// A machine with its two disks, and what its clients know.
class Machine {
 public:
  Machine(unsigned seed, Faults faults) : random_(seed), files_(seed, power_), vfs_(seed, power_) {
    files_.ignore_file_syncs = faults.file_syncs;
    files_.ignore_folder_syncs = faults.folder_syncs;
    vfs_.ignore_syncs = faults.database_syncs;
  }

  // One life of a server, from its start to the power cut. What is wrong after that start, if
  // anything is.
  std::vector<std::string> live(int round) {
    // Now and then the power goes again while the server is still clearing up.
    while (random_() % 4 == 0) {
      power_->stop_after(static_cast<int>(random_() % 60));
      if (const Status started = start(); !started && power_->is_on())
        return {started.error().what};
      stop();
    }
    if (const Status started = start(); !started) return {"start-up: " + started.error().what};
    std::vector<std::string> wrong = look();
    if (wrong.empty()) {
      power_->stop_after(static_cast<int>(random_() % 1'200));
      work(round);
      wrong = std::exchange(failures_, {});
    }
    stop();
    return wrong;
  }

  int published = 0, removed = 0, unsure = 0;

 private:
  fs::path blob_folder() const { return folder_.path() / "blobs"; }

  // As the gate does it (app/gate.cc).
  Status start() {
    blobs_ = TRY(blob::open_folder(blob_folder(), files_));
    store_ = TRY(store::open_sqlite(
        {.file = folder_.path() / "store.sqlite", .sweeper_timeout = kSweeperTimeout}, clock_));
    TRY(store_->begin_run());
    while (TRY(media::sweep(*store_, *blobs_, 10)) > 0) {
    }
    TRY(media::remove_orphans(*store_, *blobs_));
    return {};
  }

  void stop() {
    store_.reset();
    blobs_.reset();
    files_.power_cut();
    vfs_.power_cut();
  }

  void work(int round) {
    std::vector<std::thread> threads;
    threads.reserve(kThreads + 1);
    std::vector<Aliases> mine(kThreads);
    int turn = 0;
    for (const auto& entry : aliases_) mine[turn++ % kThreads].insert(entry);
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([this, i, round, seed = random_(), &aliases = mine[i]] {
        std::mt19937 random(seed);
        for (int n = 0; power_->is_on(); ++n) {
          if (random() % 3 == 0)
            delete_one(aliases, random);
          else
            upload(aliases, fmt::format("{}-{}-{}.png", round, i, n), random);
        }
      });
    threads.emplace_back([this] {
      while (power_->is_on()) {
        const auto swept = media::sweep(*store_, *blobs_, 10);
        if (!swept) failed("sweep", swept.error());
      }
    });
    for (std::thread& thread : threads) thread.join();
    aliases_.clear();
    for (const Aliases& some : mine) aliases_.insert(some.begin(), some.end());
  }

  void upload(Aliases& aliases, const std::string& alias, std::mt19937& random) {
    const unsigned number = random() % kContents;
    const Bytes bytes = content(number);
    const Sha256 digest = sha256_of(bytes);
    const auto claim =
        store_->claim(digest, {1, 1, {}, "image/png", "", bytes.size()}, clock_.now());
    if (!claim) return failed("claim", claim.error());
    Status done;
    if (!claim->already_stored) done = blobs_->put(digest, bytes);
    if (!done) failed("put", done.error());
    const bool is_given_up = random() % 8 == 0;
    if (done && !is_given_up) {
      store::Store::Publication publication{
          claim->id, {alias, "token", digest, clock_.now(), policy::Origin::upload}, {}, {}};
      publication.verdict.emplace().id = alias;
      publication.rendition = store::RenditionRecord{digest, "identity", digest, "{}"};
      done = store_->publish(publication);
      aliases[alias] = {number, done ? Told::published : Told::unsure};
      if (done) return;
      failed("publish", done.error());
    }
    if (const Status given_up = store_->abandon(claim->id); !given_up)
      failed("abandon", given_up.error());
  }

  void delete_one(Aliases& aliases, std::mt19937& random) {
    if (aliases.empty()) return;
    auto& [alias, known] = *std::next(aliases.begin(), random() % aliases.size());
    if (known.told != Told::published) return;
    const auto deleted = store_->delete_alias(alias, "token");
    if (!deleted) failed("delete", deleted.error());
    if (deleted && deleted->outcome != store::Store::Deleted::yes)
      failed("delete", {Fault::us, alias + " was not there"});
    known.told = deleted ? Told::deleted : Told::unsure;
  }

  // Without power everything may fail; a digest may be with the sweeper for too long.
  void failed(std::string_view what, const Error& error) {
    if (!power_->is_on() || error.fault == Fault::limits) return;
    const std::scoped_lock lock(failures_mutex_);
    failures_.push_back(fmt::format("{}: {}", what, error.what));
  }

  std::optional<Bytes> stored(const Sha256& digest) const {
    const auto opened = blobs_->open(digest);
    if (!opened) return std::nullopt;
    Bytes bytes(opened->size);
    PORTCULLIS_CHECK(read_at(opened->fd.get(), bytes, 0).value() == bytes.size());
    return bytes;
  }

  // Compares the disks with what clients were told.
  std::vector<std::string> look() {
    std::vector<std::string> wrong;
    std::set<std::string> digests;
    for (auto entry = aliases_.begin(); entry != aliases_.end();) {
      const auto& [alias, known] = *entry;
      const auto found = store_->find(alias);
      if (!found) return {"find: " + found.error().what};
      if (known.told == Told::published && !*found) wrong.push_back(alias + " is lost");
      if (known.told == Told::deleted && *found) wrong.push_back(alias + " came back");
      if (*found && stored((*found)->alias.blob) != content(known.content))
        wrong.push_back(alias + " has lost its blob, or it is damaged");
      if (*found) digests.insert((*found)->alias.blob.hex());
      ++(known.told == Told::unsure ? unsure : known.told == Told::published ? published : removed);
      if (!*found) {
        entry = aliases_.erase(entry);
        continue;
      }
      entry->second.told = Told::published;
      ++entry;
    }
    const auto counts = store_->counts();
    if (!counts) return {"counts: " + counts.error().what};
    if (counts->aliases != aliases_.size()) wrong.push_back("there are aliases nobody made");
    if (counts->pending != 0) wrong.push_back("something is pending after a start");
    std::set<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(blob_folder()))
      if (entry.is_regular_file()) files.insert(entry.path().filename().string());
    if (files != digests) wrong.push_back("the files are not those of the aliases");
    return wrong;
  }

  std::mt19937 random_;
  SystemClock clock_;
  TemporaryFolder folder_;
  std::shared_ptr<Power> power_ = std::make_shared<Power>();
  ForgetfulFileSystem files_;
  ForgetfulVfs vfs_;
  std::unique_ptr<blob::BlobStore> blobs_;
  std::unique_ptr<store::Store> store_;
  Aliases aliases_;
  std::mutex failures_mutex_;
  std::vector<std::string> failures_;
};

TEST(Crash, Invariant5_no_power_cut_loses_or_half_keeps_a_picture) {
  Machine machine(1, {});
  for (int round = 0; round < 80; ++round)
    ASSERT_THAT(machine.live(round), ::testing::IsEmpty()) << "after round " << round;
  // The rounds were not idle.
  EXPECT_GT(machine.published, 200);
  EXPECT_GT(machine.removed, 100);
  EXPECT_GT(machine.unsure, 20);
}

// The same on disks that lie about one kind of sync: if this found nothing, neither could the
// above.
TEST(Crash, Invariant5_is_shown_by_a_test_that_notices_each_missing_sync) {
  const struct {
    const char* name;
    Faults faults;
  } cases[] = {
      {"database", {.database_syncs = true}},
      {"blob", {.file_syncs = true}},
      {"folder", {.folder_syncs = true}},
  };
  for (const auto& c : cases) {
    Machine machine(2, c.faults);
    std::vector<std::string> wrong;
    for (int round = 0; round < 60 && wrong.empty(); ++round) wrong = machine.live(round);
    EXPECT_FALSE(wrong.empty()) << c.name;
  }
}

}  // namespace
}  // namespace portcullis::testing

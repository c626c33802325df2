#include "blob/blob.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <fstream>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "testing/forgetful_file_system.h"
#include "testing/temporary_folder.h"

namespace portcullis::blob {
namespace {

namespace fs = std::filesystem;

Bytes bytes_of(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

std::optional<Bytes> stored(const BlobStore& store, const Sha256& digest) {
  auto opened = store.open(digest);
  if (!opened) return std::nullopt;
  Bytes bytes(opened->size);
  EXPECT_EQ(read_at(opened->fd.get(), bytes, 0).value(), bytes.size());
  return bytes;
}

std::size_t files_in(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    count += entry.is_regular_file();
  return count;
}

TEST(BlobStore, gives_back_what_was_put_and_nothing_after_removal) {
  testing::TemporaryFolder folder;
  const auto files = real_file_system();
  const auto store = std::move(open_folder(folder.path() / "blobs", *files).value());
  const Bytes cat = bytes_of(100'000, 1);
  const Sha256 digest = sha256_of(cat);
  EXPECT_EQ(store->open(digest).error().fault, Fault::client);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(store->put(digest, cat));
  EXPECT_EQ(stored(*store, digest), cat);
  EXPECT_TRUE(fs::exists(folder.path() / "blobs" / digest.hex().substr(0, 2) /
                         digest.hex().substr(2, 2) / digest.hex()));
  EXPECT_EQ(files_in(folder.path()), 1u);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(store->remove(digest));
  EXPECT_FALSE(stored(*store, digest));
  EXPECT_EQ(files_in(folder.path()), 0u);
}

TEST(BlobStore, the_same_blob_may_be_put_from_many_threads_at_once) {
  testing::TemporaryFolder folder;
  const auto files = real_file_system();
  const auto store = std::move(open_folder(folder.path() / "blobs", *files).value());
  const Bytes cat = bytes_of(100'000, 1);
  std::vector<std::thread> threads(8);
  for (std::thread& thread : threads)
    thread = std::thread([&] {
      EXPECT_TRUE(store->put(sha256_of(cat), cat));
      EXPECT_EQ(stored(*store, sha256_of(cat)), cat);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(BlobStore, takes_a_file_over_as_a_further_name_if_it_holds_the_very_same_bytes) {
  testing::TemporaryFolder folder;
  const auto files = real_file_system();
  const auto store = std::move(open_folder(folder.path() / "blobs", *files).value());
  const Bytes cat = bytes_of(600'000, 1), longer = bytes_of(600'001, 1);
  Bytes other = cat;
  other[300'000] ^= std::byte{1};
  const struct {
    const char* name;
    const Bytes* bytes;
    bool is_linked;
  } table[] = {{"longer", &longer, false}, {"other", &other, false}, {"same", &cat, true}};
  for (const auto& [name, bytes, is_linked] : table) {
    const fs::path old = folder.write(name, *bytes);
    const UniqueFd fd(::open(old.c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(fd);
    EXPECT_EQ(store->put_link(sha256_of(cat), cat, fd.get()), is_linked) << name;
    EXPECT_EQ(fs::hard_link_count(old), is_linked ? 2u : 1u) << name;
    EXPECT_EQ(stored(*store, sha256_of(cat)), cat) << name;
    ASSERT_TRUE(store->remove(sha256_of(cat)));
    EXPECT_TRUE(fs::exists(old)) << name;
  }
}

TEST(BlobStore, copies_where_it_cannot_link) {
  testing::TemporaryFolder folder;
  const auto files = real_file_system();
  const auto store = std::move(open_folder(folder.path() / "blobs", *files).value());
  const Bytes cat = bytes_of(1'000, 1);
  const UniqueFd fd(::memfd_create("elsewhere", MFD_CLOEXEC));  // another file system
  ASSERT_TRUE(write_all(fd.get(), cat));
  EXPECT_EQ(store->put_link(sha256_of(cat), cat, fd.get()), false);
  EXPECT_EQ(stored(*store, sha256_of(cat)), cat);
  EXPECT_FALSE(store->put_link(sha256_of(as_bytes("a")), as_bytes("b"), fd.get()));
}

TEST(BlobStore, refuses_bytes_under_another_digest) {
  testing::TemporaryFolder folder;
  const auto files = real_file_system();
  const auto store = std::move(open_folder(folder.path() / "blobs", *files).value());
  EXPECT_FALSE(store->put(sha256_of(as_bytes("a")), as_bytes("b")));
  EXPECT_EQ(files_in(folder.path()), 0u);
}

TEST(BlobStore, lists_every_blob_and_passes_over_foreign_files) {
  testing::TemporaryFolder folder;
  const auto files = real_file_system();
  const auto store = std::move(open_folder(folder.path() / "blobs", *files).value());
  std::set<Sha256> put;
  for (unsigned i = 0; i < 20; ++i) {
    const Bytes bytes = bytes_of(i, i);
    put.insert(sha256_of(bytes));
    ASSERT_TRUE(store->put(sha256_of(bytes), bytes));
  }
  std::ofstream(folder.path() / "blobs" / "README") << "hello";
  std::set<Sha256> listed;
  ASSERT_TRUE(store->list([&](const Sha256& digest) { listed.insert(digest); }));
  EXPECT_EQ(listed, put);
}

TEST(BlobStore, says_what_went_wrong_when_its_folder_cannot_be_made) {
  testing::TemporaryFolder folder;
  const auto files = real_file_system();
  EXPECT_FALSE(open_folder(folder.path() / "no" / "such" / "place", *files));
}

// One blob put and the power cut, after each possible number of steps. What put() said is durable
// is there whole; what was cut in the middle is there whole or not at all, or is mended by the next
// put().
struct CutResult {
  int lost = 0;
  int damaged = 0;
};
CutResult cut_everywhere(bool ignore_file_syncs, bool ignore_folder_syncs, bool finish_first) {
  CutResult result;
  for (unsigned seed = 0; seed < 60; ++seed) {
    testing::TemporaryFolder folder;
    testing::ForgetfulFileSystem files(seed);
    files.ignore_file_syncs = ignore_file_syncs;
    files.ignore_folder_syncs = ignore_folder_syncs;
    const Bytes bytes = bytes_of(5'000, seed);
    const Sha256 digest = sha256_of(bytes);
    bool done = false;
    {
      auto store = open_folder(folder.path() / "blobs", files);
      EXPECT_TRUE(store);
      if (!finish_first) files.stop_after(static_cast<int>(seed % 10));
      done = (*store)->put(digest, bytes).has_value();
    }
    files.power_cut();
    if (!fs::exists(folder.path() / "blobs")) {
      result.lost += done;
      continue;
    }
    auto store = open_folder(folder.path() / "blobs", files);
    EXPECT_TRUE(store);
    const auto after = stored(**store, digest);
    if (done && !after) ++result.lost;
    if (after && *after != bytes) ++result.damaged;
    EXPECT_TRUE((*store)->put(digest, bytes));
  }
  return result;
}

TEST(Invariant5, a_blob_that_was_put_survives_a_power_cut_whole) {
  const CutResult result = cut_everywhere(false, false, true);
  EXPECT_EQ(result.lost, 0);
  EXPECT_EQ(result.damaged, 0);
}

TEST(Invariant5, a_power_cut_in_the_middle_leaves_the_whole_blob_or_none) {
  const CutResult result = cut_everywhere(false, false, false);
  EXPECT_EQ(result.lost, 0);
  EXPECT_EQ(result.damaged, 0);
}

TEST(Invariant5, is_shown_by_a_disk_that_would_catch_a_missing_sync) {
  EXPECT_GT(cut_everywhere(false, true, true).lost, 0);
  EXPECT_GT(cut_everywhere(true, false, true).damaged, 0);
}

}  // namespace
}  // namespace portcullis::blob

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "hash/hash.h"
#include "hash/memory_file.h"

namespace portcullis::hash {
namespace {

using ::testing::HasSubstr;

template <class T>
T digest_of(std::mt19937_64& random) {
  T digest;
  for (std::byte& byte : digest.bytes) byte = static_cast<std::byte>(random());
  return digest;
}

PdqHash random_pdq(std::mt19937_64& random) { return {{random(), random(), random(), random()}}; }

// The hash with its `bits` lowest bits flipped, from bit `first` on.
PdqHash flipped(PdqHash hash, int bits, int first = 0) {
  for (int bit = first; bit < first + bits; ++bit)
    hash.words[static_cast<std::size_t>(bit / 64)] ^= std::uint64_t{1} << (bit % 64);
  return hash;
}

ListEntries some_entries(std::mt19937_64& random, int count) {
  ListEntries entries;
  for (int i = 0; i < count; ++i) {
    entries.sha256.push_back(digest_of<Sha256>(random));
    entries.sha1.push_back(digest_of<Sha1>(random));
    entries.md5.push_back(digest_of<Md5>(random));
    entries.pdq.push_back(random_pdq(random));
  }
  return entries;
}

Bytes file_of(const ListEntries& entries, std::optional<Slots> slots = std::nullopt) {
  return MemoryFile(entries, slots).bytes();
}
Result<HashList> opened(ByteView bytes) { return HashList::open(MemoryFile(bytes).path()); }

// The smallest index there is.
constexpr Slots kNarrow(Slots::kMost);

class ListFile : public ::testing::Test {
 protected:
  std::mt19937_64 random_{20261124};
};

TEST_F(ListFile, finds_each_of_its_exact_entries_and_no_other) {
  ListEntries entries = some_entries(random_, 30);
  entries.sha1.resize(20);
  entries.md5.resize(10);
  const HashList list = opened(file_of(entries)).value();
  EXPECT_EQ(list.count(Kind::sha256), 30u);
  EXPECT_EQ(list.count(Kind::sha1), 20u);
  EXPECT_EQ(list.count(Kind::md5), 10u);
  EXPECT_EQ(list.count(Kind::pdq), 30u);
  EXPECT_EQ(list.size(), 90u);
  const Digests unknown{digest_of<Sha256>(random_), digest_of<Sha1>(random_),
                        digest_of<Md5>(random_)};
  EXPECT_FALSE(list.contains(unknown));
  const auto with = [&unknown](auto member, const auto& value) {
    Digests digests = unknown;
    digests.*member = value;
    return digests;
  };
  for (const Sha256& one : entries.sha256) EXPECT_TRUE(list.contains(with(&Digests::sha256, one)));
  for (const Sha1& one : entries.sha1) EXPECT_TRUE(list.contains(with(&Digests::sha1, one)));
  for (const Md5& one : entries.md5) EXPECT_TRUE(list.contains(with(&Digests::md5, one)));
}

TEST_F(ListFile, is_the_same_for_the_same_entries_in_any_order) {
  ListEntries entries = some_entries(random_, 10);
  ListEntries other = entries;
  std::ranges::reverse(other.sha256);
  other.pdq.push_back(other.pdq.front());
  EXPECT_EQ(file_of(entries), file_of(other));
  const Sha256 version = opened(file_of(entries)).value().version();
  other.md5.pop_back();
  EXPECT_NE(opened(file_of(other)).value().version(), version);
}

TEST_F(ListFile, may_be_empty) {
  const HashList list = opened(file_of({})).value();
  EXPECT_EQ(list.size(), 0u);
  EXPECT_FALSE(list.contains({}));
  EXPECT_FALSE(list.nearest({.pdq = {}, .quality = 100}, 31));
}

TEST_F(ListFile, that_is_cut_off_or_longer_is_an_error) {
  for (const std::optional<Slots> slots : {std::optional<Slots>(), std::optional(kNarrow)}) {
    Bytes file = file_of(some_entries(random_, 2), slots);
    const std::size_t step = slots ? 97 : 1;
    for (std::size_t length = 0; length < file.size(); length += step)
      EXPECT_FALSE(opened(ByteView(file).first(length))) << length;
    file.push_back(std::byte{0});
    EXPECT_FALSE(opened(file));
  }
}

TEST_F(ListFile, with_any_byte_changed_is_an_error_that_says_what_to_do) {
  for (const std::optional<Slots> slots : {std::optional<Slots>(), std::optional(kNarrow)}) {
    const Bytes file = file_of(some_entries(random_, 2), slots);
    const std::size_t step = slots ? 97 : 1;
    for (std::size_t at = 0; at < file.size(); at += step) {
      Bytes changed = file;
      changed[at] ^= std::byte{1};
      const auto list = opened(changed);
      ASSERT_FALSE(list) << at;
      EXPECT_EQ(list.error().fault, Fault::storage);
      EXPECT_THAT(list.error().what, HasSubstr("add the list again"));
    }
  }
}

// What a wrong writer would make: the digest is right, the rest is not.
class Resealed : public ListFile {
 protected:
  static constexpr std::size_t kBody = 8 + Sha256::kSize, kEntries = kBody + 7 * 8;
  static constexpr std::size_t kTables = kEntries + 2 * 32;

  // Whether the file of two entries of each kind can be opened after the change.
  template <class Change>
  bool can_be_opened(std::optional<Slots> slots, Change change) {
    Bytes changed = file_of(some_entries(random_, 2), slots);
    change(changed);
    const Sha256 digest = sha256_of(ByteView(changed).subspan(kBody));
    std::ranges::copy(digest.bytes, changed.begin() + 8);
    return opened(changed).has_value();
  }
  static auto with(std::size_t at, std::uint64_t value) {
    return [=](Bytes& bytes) { std::memcpy(bytes.data() + at, &value, sizeof value); };
  }
};

TEST_F(Resealed, with_wrong_counts_or_order_is_an_error) {
  EXPECT_TRUE(can_be_opened({}, [](Bytes&) {}));
  EXPECT_FALSE(can_be_opened({}, with(kBody, 3)));
  EXPECT_FALSE(can_be_opened({}, with(kBody, 0xff00'0000'0000'0002)));
  EXPECT_FALSE(can_be_opened({}, with(kBody + 3 * 8, 0x0800'0000'0000'0002))) << "times 32 is 64";
  EXPECT_FALSE(can_be_opened({}, with(kBody + 6 * 8, 1))) << "words that are zeros today";
  EXPECT_FALSE(can_be_opened({}, [&](Bytes& b) {
    std::swap_ranges(b.begin() + kEntries, b.begin() + kEntries + 32, b.begin() + kEntries + 32);
  })) << "not sorted";
  EXPECT_FALSE(can_be_opened({}, [&](Bytes& b) {
    std::copy_n(b.begin() + kEntries, 32, b.begin() + kEntries + 32);
  })) << "one entry twice";
}

TEST_F(Resealed, with_a_wrong_index_is_an_error) {
  const std::size_t slots = kBody + 4 * 8;
  EXPECT_TRUE(can_be_opened(kNarrow, [](Bytes&) {}));
  for (const std::uint64_t count : {0ull, 1ull, 11ull, 31ull, 33ull, 1ull << 32, ~0ull})
    EXPECT_FALSE(can_be_opened(kNarrow, with(slots, count))) << count;
  EXPECT_FALSE(can_be_opened({}, with(slots, 32))) << "an index that is not there";

  const auto with_word = [](std::size_t at, std::uint32_t value) {
    return [=](Bytes& bytes) { std::memcpy(bytes.data() + at, &value, sizeof value); };
  };
  constexpr std::size_t kOffsets = 257, kTable = (kOffsets + 2) * 4;
  for (const std::size_t table : {kTables, kTables + 5 * kTable, kTables + 31 * kTable}) {
    const std::size_t last = table + 256 * 4, numbers = table + kOffsets * 4;
    EXPECT_TRUE(can_be_opened(kNarrow, with_word(table, 0))) << "no change";
    EXPECT_FALSE(can_be_opened(kNarrow, with_word(table, 1))) << "does not start at 0";
    EXPECT_FALSE(can_be_opened(kNarrow, with_word(last, 1))) << "does not end at the count";
    EXPECT_FALSE(can_be_opened(kNarrow, with_word(last, 3)));
    EXPECT_FALSE(can_be_opened(kNarrow, with_word(table + 100 * 4, 3))) << "descends";
    EXPECT_FALSE(can_be_opened(kNarrow, with_word(table + 100 * 4, ~0U)));
    EXPECT_FALSE(can_be_opened(kNarrow, with_word(numbers, 2))) << "there are but 0 and 1";
    EXPECT_FALSE(can_be_opened(kNarrow, with_word(numbers + 4, ~0U)));
  }
}

TEST_F(ListFile, that_is_missing_or_a_folder_is_an_error) {
  for (const char* path : {"/nowhere/at/all", "/", "/dev/null"})
    EXPECT_FALSE(HashList::open(path)) << path;
}

TEST_F(ListFile, survives_being_moved_and_its_file_being_replaced) {
  const ListEntries entries = some_entries(random_, 3);
  std::optional<HashList> first = opened(file_of(entries)).value();
  HashList second = std::move(*first);
  first.reset();
  EXPECT_TRUE(second.contains({.sha256 = entries.sha256[1], .sha1 = {}, .md5 = {}}));
}

class Nearest : public ListFile {
 protected:
  Dihedral query_of(std::size_t orientation, const PdqHash& hash) {
    Dihedral query{.pdq = {}, .quality = 100};
    for (PdqHash& one : query.pdq) one = random_pdq(random_);
    query.pdq[orientation] = hash;
    return query;
  }
  ListEntries entries_ = some_entries(random_, 200);
  HashList list_ = opened(file_of(entries_)).value();
};

TEST_F(Nearest, says_how_near_and_in_which_orientation) {
  for (const int bits : {0, 1, 30, 31})
    for (const std::size_t orientation : {std::size_t{0}, std::size_t{3}, std::size_t{7}}) {
      const auto near =
          list_.nearest(query_of(orientation, flipped(entries_.pdq[17], bits, 50)), 31);
      ASSERT_TRUE(near);
      EXPECT_EQ(near->distance, bits);
      EXPECT_EQ(near->orientation, static_cast<int>(orientation));
    }
}

TEST_F(Nearest, keeps_to_the_radius) {
  const Dihedral query = query_of(2, flipped(entries_.pdq[5], 12));
  EXPECT_FALSE(list_.nearest(query, 11));
  EXPECT_TRUE(list_.nearest(query, 12));
  EXPECT_FALSE(list_.nearest(query_of(2, flipped(entries_.pdq[5], 32)), 31));
  EXPECT_TRUE(list_.nearest(query_of(0, entries_.pdq[5]), 0));
  EXPECT_FALSE(list_.nearest(query_of(0, entries_.pdq[5]), -1));
}

TEST_F(Nearest, prefers_the_nearest_of_several) {
  ListEntries entries = entries_;
  entries.pdq.push_back(flipped(entries_.pdq[9], 4));
  entries.pdq.push_back(flipped(entries_.pdq[9], 10, 100));
  const HashList list = opened(file_of(entries)).value();
  EXPECT_EQ(list.nearest(query_of(1, flipped(entries_.pdq[9], 3)), 31)->distance, 1);
}

TEST_F(Nearest, is_nothing_below_the_quality_at_which_hashes_mean_something) {
  Dihedral query = query_of(0, entries_.pdq[0]);
  query.quality = kMinQuality - 1;
  EXPECT_FALSE(list_.nearest(query, 31));
  query.quality = kMinQuality;
  EXPECT_TRUE(list_.nearest(query, 31));
}

TEST_F(Nearest, takes_another_quality_where_a_list_asks_for_one) {
  Dihedral query = query_of(0, entries_.pdq[0]);
  query.quality = 30;
  EXPECT_TRUE(list_.nearest(query, 31, 30));
  EXPECT_FALSE(list_.nearest(query, 31, 31));
}

}  // namespace
}  // namespace portcullis::hash

#include "hash/near_index.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "hash/memory_file.h"

namespace portcullis::hash {
namespace {

using Query = std::array<PdqHash, 8>;

class NearIndexTest : public ::testing::TestWithParam<unsigned> {
 protected:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  PdqHash any() { return {{random_(), random_(), random_(), random_()}}; }
  Query any_query() {
    Query query;
    for (PdqHash& hash : query) hash = any();
    return query;
  }
  static void flip(PdqHash& hash, std::size_t bit) {
    hash.words[bit / 64] ^= std::uint64_t{1} << (bit % 64);
  }
  // `count` different bits, from `first` on and below `end`, are flipped.
  PdqHash flipped(PdqHash hash, std::size_t count, std::size_t first = 0, std::size_t end = 256) {
    std::vector<std::size_t> bits(end - first);
    std::iota(bits.begin(), bits.end(), first);
    std::ranges::shuffle(bits, random_);
    for (std::size_t i = 0; i < count; ++i) flip(hash, bits[i]);
    return hash;
  }

  // Evenly spread entries, clusters of near copies, and entries that are equal in three quarters of
  // their bits, so that most of their slots are crowded.
  std::vector<PdqHash> mixed(std::size_t count) {
    std::vector<PdqHash> entries;
    PdqHash centre = any();
    const PdqHash crowd = any();
    for (std::size_t i = 0; i < count; ++i) {
      if (i % 50 == 0) centre = any();
      if (i % 4 == 0)
        entries.push_back(any());
      else if (i % 4 == 1)
        entries.push_back({{crowd.words[0], crowd.words[1], crowd.words[2], random_()}});
      else
        entries.push_back(flipped(centre, below(41)));
    }
    return entries;
  }

  HashList list_of(const std::vector<PdqHash>& entries) const {
    return HashList::open(MemoryFile({.pdq = entries}, Slots(GetParam())).path()).value();
  }

  static std::optional<HashList::Near> by_reading_all(const std::vector<PdqHash>& entries,
                                                      const Query& query, int radius) {
    std::optional<HashList::Near> best;
    for (int i = 0; i < 8; ++i)
      for (const PdqHash& entry : entries) {
        const int bits = distance(query[static_cast<std::size_t>(i)], entry);
        if (bits <= radius && (!best || bits < best->distance)) best = HashList::Near{bits, i};
      }
    return best;
  }

  // An answer in words, for messages and comparison.
  static std::string said(const std::optional<HashList::Near>& near) {
    return near ? fmt::format("{} bits, orientation {}", near->distance, near->orientation)
                : "nothing";
  }
  static std::string said_by(const HashList& list, const Query& query, int radius) {
    return said(list.nearest({query, 100}, radius));
  }

  void expect_answers_of_reading_all(const std::vector<PdqHash>& entries, const HashList& list);
  void expect_nothing_missed_at_exactly_the_radius(const std::vector<PdqHash>& entries,
                                                   const HashList& list);

  std::mt19937_64 random_{20261127};
};

std::string slots_of(const ::testing::TestParamInfo<unsigned>& slots) {
  return slots.param == 0 ? "reading_all" : fmt::format("{}_slots", slots.param);
}
INSTANTIATE_TEST_SUITE_P(With, NearIndexTest, ::testing::Values(0U, 13U, 16U, 21U, 32U), slots_of);

// The tables of 12 slots have 134 MB, however short the list, so only this looks into them.
class WidestSlots : public NearIndexTest {};
INSTANTIATE_TEST_SUITE_P(With, WidestSlots, ::testing::Values(12U), slots_of);

void NearIndexTest::expect_answers_of_reading_all(const std::vector<PdqHash>& entries,
                                                  const HashList& list) {
  int found = 0;
  constexpr int kQueries = 400;
  for (int i = 0; i < kQueries; ++i) {
    Query query = any_query();
    for (PdqHash& hash : query)
      if (below(4) == 0) {  // some bits from an entry, anywhere or in one stretch
        const std::size_t bits = below(35), first = below(256 - 35);
        const bool in_one_stretch = below(2) == 0;
        hash = flipped(entries[below(entries.size())], bits, in_one_stretch ? first : 0,
                       in_one_stretch ? first + 35 : 256);
      }
    const int radius = static_cast<int>(below(32));
    const auto expected = by_reading_all(entries, query, radius);
    found += expected.has_value();
    ASSERT_EQ(said_by(list, query, radius), said(expected)) << "radius " << radius;
  }
  EXPECT_GT(found, kQueries / 4);
  EXPECT_LT(found, kQueries);
}

// As many bits as the radius allows, spread so that only one slot's table can show the entry.
void NearIndexTest::expect_nothing_missed_at_exactly_the_radius(const std::vector<PdqHash>& entries,
                                                                const HashList& list) {
  const unsigned count = std::max(GetParam(), 1U);
  for (unsigned radius = 0; radius < 32; ++radius)
    for (unsigned only = 0; only < std::min(count, radius + 1); ++only) {
      const std::size_t orientation = below(8);
      Query query = any_query();
      PdqHash hash = entries[0];
      for (unsigned slot = 0; slot < count; ++slot) {
        const unsigned share = (radius + 1) / count + (slot < (radius + 1) % count ? 1 : 0);
        for (unsigned bit = 0; bit < (slot == only ? share - 1 : share); ++bit)
          flip(hash, slot + bit * count);
      }
      ASSERT_EQ(distance(hash, entries[0]), static_cast<int>(radius));
      query[orientation] = hash;
      const auto r = static_cast<int>(radius);
      ASSERT_EQ(said_by(list, query, r), fmt::format("{} bits, orientation {}", r, orientation));
      ASSERT_EQ(said_by(list, query, r - 1), "nothing");
    }
}

TEST_P(NearIndexTest, gives_the_answers_of_reading_all) {
  const std::vector<PdqHash> entries = mixed(800);
  const HashList list = list_of(entries);
  expect_answers_of_reading_all(entries, list);
  expect_nothing_missed_at_exactly_the_radius(entries, list);
}

TEST_P(WidestSlots, give_the_answers_of_reading_all) {
  const std::vector<PdqHash> entries = mixed(800);
  const HashList list = list_of(entries);
  expect_answers_of_reading_all(entries, list);
  expect_nothing_missed_at_exactly_the_radius(entries, list);
}

TEST_P(NearIndexTest, may_have_one_entry_or_none) {
  const PdqHash entry = any();
  const HashList one = list_of({entry, entry}), none = list_of({});
  EXPECT_EQ(one.size(), 1U);
  Query query = any_query();
  EXPECT_EQ(said_by(one, query, 31), "nothing");
  EXPECT_EQ(said_by(none, query, 31), "nothing");
  query[6] = flipped(entry, 31);
  EXPECT_EQ(said_by(one, query, 31), "31 bits, orientation 6");
  EXPECT_EQ(said_by(one, query, 30), "nothing");
  EXPECT_EQ(said_by(none, query, 31), "nothing");
  EXPECT_EQ(said_by(none, Query{}, 31), "nothing");
}

TEST_P(NearIndexTest, names_the_first_orientation_of_those_that_are_equally_near) {
  const std::vector<PdqHash> entries = mixed(50);
  const HashList list = list_of(entries);
  Query query = any_query();
  query[7] = flipped(entries[0], 6);
  query[3] = flipped(entries[40], 6);
  query[5] = flipped(entries[20], 6);
  EXPECT_EQ(said_by(list, query, 31), said(by_reading_all(entries, query, 31)));
}

// The worst there can be: every entry is a candidate of every slot, and just too far.
TEST_P(NearIndexTest, is_exact_where_all_entries_are_copies_of_the_query_that_are_just_too_far) {
  const PdqHash centre = any();
  std::vector<PdqHash> entries;
  for (int i = 0; i < 2000; ++i) entries.push_back(flipped(centre, 32 + below(6)));
  Query query;
  query.fill(centre);
  const HashList far = list_of(entries);
  EXPECT_EQ(said_by(far, query, 31), "nothing");
  entries.push_back(flipped(centre, 31));
  EXPECT_EQ(said_by(list_of(entries), query, 31), "31 bits, orientation 0");
}

TEST(NearIndex, is_written_for_lists_that_are_long_enough) {
  EXPECT_EQ(Slots::for_entries(0).count(), 0U);
  EXPECT_EQ(Slots::for_entries(100'000).count(), 16U);
  EXPECT_EQ(Slots::for_entries(10'000'000).count(), 12U);
  EXPECT_LE(Slots::for_entries(10'000'000).words(10'000'000) * 4 + 10'000'000 * 32, 1'000'000'000U);
}

TEST(NearIndex, cuts_all_256_bits_whatever_the_number_of_slots) {
  std::mt19937_64 random(1);
  for (unsigned count = Slots::kFewest; count <= Slots::kMost; ++count) {
    const Slots slots(count);
    const PdqHash hash{{random(), random(), random(), random()}};
    PdqHash together;
    for (unsigned slot = 0; slot < count; ++slot) {
      EXPECT_EQ(slots.value(hash, slot) >> slots.width(slot), 0U);
      for (unsigned bit = 0; bit < slots.width(slot); ++bit)
        if (slots.value(hash, slot) >> bit & 1)
          together.words[(slot + bit * count) / 64] |= std::uint64_t{1}
                                                       << (slot + bit * count) % 64;
    }
    EXPECT_EQ(together, hash) << count;
  }
}

}  // namespace
}  // namespace portcullis::hash

// hash/near_index.h: which entries of a list are within 31 bits of a hash, without reading all of
// them. Private.
//
// Multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012, arXiv 1307.2982) with the thresholds of
// the general pigeonhole principle (Qin et al., GPH, ICDE 2018): the 256 bits are cut into slots,
// and each slot has a table from its bits to the entries that have them. If slot i is asked for all
// values within t[i] bits of the query's, and the sum of all (t[i] + 1) is radius + 1, no entry
// within the radius is missed. Every candidate is then compared in full, so answers are exact.
//
// A table is flat: 2^width + 1 offsets, then the numbers of the entries, all of them 32 bits.
#pragma once

#include <bit>
#include <optional>
#include <span>

#include "base/result.h"
#include "hash/hash.h"

namespace portcullis::hash {

// How the bits are cut: slot i has the bits i, i + count, i + 2 count and so on, so that it has
// some of every row of the DCT. Bits of a row often go together, and a slot made of them would be
// more crowded: among drawn shapes 12 slots of neighbours give 7 times the candidates that
// independent bits would, these 3 times; among photographs neither more than 1.3 times (simulated,
// see bench/README.md). Slots differ by at most one bit in width.
class Slots {
 public:
  // So few that no slot has more than 22 bits; so many that each has 8 or more.
  static constexpr unsigned kFewest = 12, kMost = 32;
  // Entries are numbered in 32 bits.
  static constexpr std::uint64_t kMostEntries = 0xffff'ffff;

  explicit constexpr Slots(unsigned count) : count_(count) {}
  // What is quickest for so many entries: 0 (read them all), 16 or 12 slots (hash_bench).
  static Slots for_entries(std::size_t entries);

  constexpr unsigned count() const { return count_; }
  constexpr unsigned width(unsigned slot) const {
    return 256 / count_ + (slot < 256 % count_ ? 1 : 0);
  }
  constexpr std::size_t offsets(unsigned slot) const { return (std::size_t{1} << width(slot)) + 1; }
  // The bits of `hash` that belong to `slot`.
  std::uint32_t value(const PdqHash& hash, unsigned slot) const;
  // 32-bit words of all tables together.
  std::uint64_t words(std::uint64_t entries) const;

 private:
  unsigned count_;
};

// Appends the tables of `entries` to the file. Needs memory for one table at a time: 8 bytes for
// each entry and 16 MB.
Status write_near_index(std::span<const PdqHash> entries, Slots slots, int fd);

// Looks into entries and tables that lie elsewhere. Immutable; any thread.
class NearIndex {
 public:
  NearIndex() = default;
  // Nothing when the tables cannot be those of so many entries: their offsets must ascend to the
  // count, and every number must be below it. What then still is wrong can hide an entry, but not
  // lead out of the file.
  static std::optional<NearIndex> over(std::span<const PdqHash> entries, Slots slots,
                                       std::span<const std::uint32_t> tables);

  // As HashList::nearest(). Of several that are equally near, the one of the first orientation.
  // Where so many candidates turn up that comparing them is no gain, all entries are read instead,
  // so that the worst query costs about one and a half times as much as without an index.
  std::optional<HashList::Near> nearest(const std::array<PdqHash, 8>& query, int radius) const;

 private:
  std::span<const PdqHash> entries_;
  Slots slots_{0};
  std::span<const std::uint32_t> tables_;
};

}  // namespace portcullis::hash

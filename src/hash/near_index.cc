#include "hash/near_index.h"

#include <algorithm>

#include "base/fd.h"

namespace portcullis::hash {

namespace {

// Below this many entries reading all is quicker; from the second number on, fewer and wider slots
// are, although they need more probes. hash_bench prints what these rest on.
constexpr std::size_t kFewestIndexed = 8'000, kFewestForWideSlots = 2'000'000;

// The widest radius that the tables are made for.
constexpr int kWidestRadius = 31;

// Comparing a candidate is a jump in memory and costs about twice as much as comparing the next
// entry. After this share of all entries, reading all is as quick.
constexpr std::size_t kCandidatesShare = 4;

// Candidates that are on their way from memory while an earlier one is compared.
constexpr std::size_t kUnderWay = 32;

// Values within two bits of one of 22 bits.
constexpr std::size_t kMostProbes = 1 + 22 + 22 * 21 / 2;
static_assert(256 / Slots::kFewest + 1 == 22 && (kWidestRadius + 1) / Slots::kFewest + 1 == 3);

// The functions with this attribute become part of a caller that may use the processor's popcnt
// instruction, and of one that may not.
#define PORTCULLIS_INLINE [[gnu::always_inline]] inline

PORTCULLIS_INLINE int bits_between(const PdqHash& a, const PdqHash& b) {
  return std::popcount(a.words[0] ^ b.words[0]) + std::popcount(a.words[1] ^ b.words[1]) +
         std::popcount(a.words[2] ^ b.words[2]) + std::popcount(a.words[3] ^ b.words[3]);
}

// What was found so far; at first, just more than what is looked for.
struct Best {
  int distance;
  int orientation = 8;
};

PORTCULLIS_INLINE void compare_all(std::span<const PdqHash> entries,
                                   const std::array<PdqHash, 8>& query, Best& best) {
  for (const PdqHash& entry : entries)
    for (int i = 0; i < 8; ++i) {
      const PdqHash& hash = query[static_cast<std::size_t>(i)];
      // Half of the bits nearly always suffice.
      if (std::popcount(hash.words[0] ^ entry.words[0]) +
              std::popcount(hash.words[1] ^ entry.words[1]) >
          best.distance)
        continue;
      const int bits = bits_between(hash, entry);
      if (bits < best.distance || (bits == best.distance && i < best.orientation)) best = {bits, i};
    }
}

// All values within `bits` (0..2) bits of `value`; gives their number.
PORTCULLIS_INLINE std::size_t values_near(std::uint32_t value, unsigned width, unsigned bits,
                                          std::array<std::uint32_t, kMostProbes>& values) {
  std::size_t count = 0;
  values[count++] = value;
  for (unsigned i = 0; bits > 0 && i < width; ++i) {
    const std::uint32_t one = value ^ std::uint32_t{1} << i;
    values[count++] = one;
    for (unsigned j = 0; bits > 1 && j < i; ++j) values[count++] = one ^ std::uint32_t{1} << j;
  }
  return count;
}

struct Table {
  const std::uint32_t* offsets;
  const std::uint32_t* numbers;
};

// Compares the entries of those values. False when that would be more than `allowance`, from which
// they are taken.
PORTCULLIS_INLINE bool compare_probed(std::span<const PdqHash> entries, const Table& table,
                                      std::span<const std::uint32_t> values, const PdqHash& hash,
                                      int orientation, std::size_t& allowance, Best& best) {
  // Three rounds, each of which asks memory for what the next one reads.
  struct Range {
    std::uint32_t begin, end;
  };
  std::array<Range, kMostProbes> ranges;
  std::size_t count = 0;
  for (const std::uint32_t value : values) __builtin_prefetch(table.offsets + value);
  for (const std::uint32_t value : values) {
    const Range range{table.offsets[value], table.offsets[value + 1]};
    if (range.begin == range.end) continue;
    if (range.end - range.begin > allowance) return false;
    allowance -= range.end - range.begin;
    __builtin_prefetch(table.numbers + range.begin);
    ranges[count++] = range;
  }
  std::array<const PdqHash*, kUnderWay> under_way;
  std::size_t asked = 0;
  const auto compare = [&](const PdqHash* entry) __attribute__((always_inline)) {
    const int bits = bits_between(hash, *entry);
    if (bits < best.distance) best = {bits, orientation};
  };
  for (const Range& range : std::span(ranges).first(count))
    for (std::uint32_t i = range.begin; i < range.end; ++i) {
      const PdqHash* entry = entries.data() + table.numbers[i];
      __builtin_prefetch(entry);
      const PdqHash*& place = under_way[asked++ % kUnderWay];
      if (asked > kUnderWay) compare(place);
      place = entry;
    }
  for (std::size_t i = 0; i < std::min(asked, kUnderWay); ++i) compare(under_way[i]);
  return true;
}

struct Lookup {
  std::span<const PdqHash> entries;
  Slots slots;
  const std::uint32_t* tables;
  const std::array<PdqHash, 8>& query;
};

PORTCULLIS_INLINE Best look_up(const Lookup& lookup, int radius) {
  const Best nothing{radius + 1};
  Best best = nothing;
  const Slots slots = lookup.slots;
  if (slots.count() == 0 || radius > kWidestRadius) {
    compare_all(lookup.entries, lookup.query, best);
    return best;
  }
  std::size_t allowance = lookup.entries.size() / kCandidatesShare;
  std::array<std::uint32_t, kMostProbes> values;
  for (int i = 0; i < 8; ++i) {
    const PdqHash& hash = lookup.query[static_cast<std::size_t>(i)];
    const std::uint32_t* at = lookup.tables;
    for (unsigned slot = 0; slot < slots.count(); ++slot) {
      const Table table{at, at + slots.offsets(slot)};
      at = table.numbers + lookup.entries.size();
      // What is looked for is nearer than `best.distance`. That it gets less on the way is no harm:
      // the slots before this one were then asked for more than their share.
      const auto distance = static_cast<unsigned>(best.distance);
      const unsigned share = distance / slots.count() + (slot < distance % slots.count() ? 1U : 0U);
      if (share == 0) continue;
      const std::size_t count =
          values_near(slots.value(hash, slot), slots.width(slot), share - 1, values);
      if (!compare_probed(lookup.entries, table, std::span(values).first(count), hash, i, allowance,
                          best)) {
        best = nothing;
        compare_all(lookup.entries, lookup.query, best);
        return best;
      }
    }
  }
  return best;
}

Best look_up_anywhere(const Lookup& lookup, int radius) { return look_up(lookup, radius); }
#if defined(__x86_64__)
[[gnu::target("popcnt")]] Best look_up_with_popcnt(const Lookup& lookup, int radius) {
  return look_up(lookup, radius);
}
bool has_popcnt() { return __builtin_cpu_supports("popcnt") != 0; }
#else
Best look_up_with_popcnt(const Lookup& lookup, int radius) { return look_up(lookup, radius); }
bool has_popcnt() { return false; }
#endif

}  // namespace

Slots Slots::for_entries(std::size_t entries) {
  if (entries < kFewestIndexed) return Slots(0);
  return Slots(entries < kFewestForWideSlots ? 16 : 12);
}

std::uint32_t Slots::value(const PdqHash& hash, unsigned slot) const {
  std::uint32_t value = 0;
  for (unsigned bit = slot, place = 0; bit < 256; bit += count_, ++place)
    value |= static_cast<std::uint32_t>(hash.words[bit / 64] >> bit % 64 & 1) << place;
  return value;
}

std::uint64_t Slots::words(std::uint64_t entries) const {
  std::uint64_t words = count_ * entries;
  for (unsigned slot = 0; slot < count_; ++slot) words += offsets(slot);
  return words;
}

Status write_near_index(std::span<const PdqHash> entries, Slots slots, int fd) {
  PORTCULLIS_CHECK(entries.size() <= Slots::kMostEntries);
  std::vector<std::uint32_t> values(entries.size()), numbers(entries.size());
  for (unsigned slot = 0; slot < slots.count(); ++slot) {
    // Counting sort: each value's count, then where its entries end, then, filled from behind,
    // where they begin.
    std::vector<std::uint32_t> offsets(slots.offsets(slot));
    for (std::size_t i = 0; i < entries.size(); ++i)
      ++offsets[values[i] = slots.value(entries[i], slot)];
    std::uint32_t end = 0;
    for (std::uint32_t& offset : offsets) offset = end += offset;
    for (std::size_t i = entries.size(); i-- > 0;)
      numbers[--offsets[values[i]]] = static_cast<std::uint32_t>(i);
    TRY(write_all(fd, std::as_bytes(std::span(offsets))));
    TRY(write_all(fd, std::as_bytes(std::span(numbers))));
  }
  return {};
}

std::optional<NearIndex> NearIndex::over(std::span<const PdqHash> entries, Slots slots,
                                         std::span<const std::uint32_t> tables) {
  if (tables.size() != slots.words(entries.size())) return std::nullopt;
  std::span<const std::uint32_t> left = tables;
  for (unsigned slot = 0; slot < slots.count(); ++slot) {
    const auto offsets = left.first(slots.offsets(slot));
    const auto numbers = left.subspan(offsets.size(), entries.size());
    left = left.subspan(offsets.size() + numbers.size());
    if (offsets.front() != 0 || offsets.back() != entries.size()) return std::nullopt;
    bool good = true;  // without leaving early, so that several are looked at in one step
    for (std::size_t i = 1; i < offsets.size(); ++i) good &= offsets[i - 1] <= offsets[i];
    for (const std::uint32_t number : numbers) good &= number < entries.size();
    if (!good) return std::nullopt;
  }
  NearIndex index;
  index.entries_ = entries;
  index.slots_ = slots;
  index.tables_ = tables;
  return index;
}

std::optional<HashList::Near> NearIndex::nearest(const std::array<PdqHash, 8>& query,
                                                 int radius) const {
  if (radius < 0 || entries_.empty()) return std::nullopt;
  static const auto look = has_popcnt() ? look_up_with_popcnt : look_up_anywhere;
  const Best best = look({entries_, slots_, tables_.data(), query}, radius);
  if (best.distance > radius) return std::nullopt;
  return HashList::Near{best.distance, best.orientation};
}

}  // namespace portcullis::hash

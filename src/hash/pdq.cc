// PDQ: which instructions its steps (pdq_steps.h) are compiled for, and from the DCT to the bits of
// eight orientations.
#include <algorithm>
#include <cmath>

#include "hash/pdq_path.h"
#include "hash/pdq_steps.h"

namespace portcullis::hash {

namespace pdq {

const Cosines& cosines() {
  static const Cosines made = [] {
    Cosines matrix{};
    const float scale = std::sqrt(2.0f / kSide);
    for (int i = 0; i < kBits; ++i)
      for (int j = 0; j < kSide; ++j)
        matrix.rows[i][j] = matrix.columns[j][i] =
            static_cast<float>(scale * std::cos((M_PI / 2 / kSide) * (i + 1) * (2 * j + 1)));
    return matrix;
  }();
  return made;
}

namespace {

int look_portable(const std::uint8_t* rgb, int width, int height, Dct& values) {
  return look(rgb, width, height, values);
}
#ifdef __x86_64__
[[gnu::target("avx2")]] int look_avx2(const std::uint8_t* rgb, int width, int height, Dct& values) {
  return look(rgb, width, height, values);
}
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl")]] int look_avx512(const std::uint8_t* rgb,
                                                                      int width, int height,
                                                                      Dct& values) {
  return look(rgb, width, height, values);
}
#endif

using Values = std::array<float, kBits * kBits>;  // row by row

// Half of the values are above the lower median, or fewer when some are equal to it.
float lower_median(Values values) {
  const auto middle = values.begin() + values.size() / 2 - 1;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Both {
  PdqHash straight, swapped;
};

// The DCT of a turned or mirrored picture follows from that of the picture: some values negated,
// and perhaps rows and columns swapped, which leaves the median as it is. A bit is set where the
// value is above it.
template <class Negate>
Both bits_of(const Values& values, Negate negate) {
  Values changed;
  for (int i = 0; i < kBits; ++i)
    for (int j = 0; j < kBits; ++j) {
      const auto at = static_cast<std::size_t>(i * kBits + j);
      changed[at] = negate(i, j) ? -values[at] : values[at];
    }
  const float median = lower_median(changed);
  Both hashes;
  for (unsigned i = 0; i < kBits; ++i)
    for (unsigned j = 0; j < kBits; ++j) {
      const std::uint64_t bit = changed[i * kBits + j] > median;
      hashes.straight.words[i / 4] |= bit << (i % 4 * kBits + j);
      hashes.swapped.words[j / 4] |= bit << (j % 4 * kBits + i);
    }
  return hashes;
}

}  // namespace

}  // namespace pdq

namespace {

constexpr int kSmallest = 5;  // a picture smaller than this on either side has no hash
constexpr int kShrinkAbove = 512;

}  // namespace

std::string_view name(PdqPath path) {
  switch (path) {
    case PdqPath::portable:
      return "portable";
    case PdqPath::avx2:
      return "avx2";
    case PdqPath::avx512:
      return "avx512";
  }
  return "unknown";
}

bool can_take(PdqPath path) {
  switch (path) {
    case PdqPath::portable:
      return true;
#ifdef __x86_64__
    case PdqPath::avx2:
      return __builtin_cpu_supports("avx2");
    case PdqPath::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    default:
      return false;
#endif
  }
  return false;
}

PdqPath best_pdq_path() {
  for (const PdqPath path : {PdqPath::avx512, PdqPath::avx2})
    if (can_take(path)) return path;
  return PdqPath::portable;
}

Size pdq_input_size(int width, int height) {
  return width > kShrinkAbove || height > kShrinkAbove ? Size{kShrinkAbove, kShrinkAbove}
                                                       : Size{width, height};
}

Dihedral pdq_dihedral(std::span<const std::uint8_t> rgb, int width, int height, PdqPath path) {
  PORTCULLIS_CHECK(width >= 0 && height >= 0 &&
                   rgb.size() == std::size_t(width) * std::size_t(height) * 3);
  PORTCULLIS_CHECK(can_take(path));
  Dihedral result{};
  if (width < kSmallest || height < kSmallest) return result;
  pdq::Dct dct;
  auto* look = &pdq::look_portable;
#ifdef __x86_64__
  if (path == PdqPath::avx2) look = &pdq::look_avx2;
  if (path == PdqPath::avx512) look = &pdq::look_avx512;
#endif
  result.quality = look(rgb.data(), width, height, dct);

  const auto values = std::bit_cast<pdq::Values>(dct);
  const auto even = [](int i) { return i % 2 == 0; };
  const auto as_is = pdq::bits_of(values, [](int, int) { return false; }),
             rows = pdq::bits_of(values, [&](int i, int) { return even(i); }),
             columns = pdq::bits_of(values, [&](int, int j) { return even(j); }),
             checks = pdq::bits_of(values, [&](int i, int j) { return !even(i + j); });
  result.pdq = {as_is.straight, columns.swapped,  checks.straight, rows.swapped,
                rows.straight,  columns.straight, as_is.swapped,   checks.swapped};
  return result;
}

Dihedral pdq_dihedral(std::span<const std::uint8_t> rgb, int width, int height) {
  static const PdqPath best = best_pdq_path();
  return pdq_dihedral(rgb, width, height, best);
}

}  // namespace portcullis::hash

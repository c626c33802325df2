// PDQ after ThreatExchange pdq/cpp (hashing/pdqhashing.cpp, downscaling/downscaling.cpp), in 32-bit
// floats and in the reference's order of operations, so that hashes are equal bit for bit. Never
// fuse a multiplication with an addition here (the pragma below).
#include <algorithm>
#include <cmath>
#include <memory>

#include "hash/hash.h"

#pragma clang fp contract(off)

namespace portcullis::hash {

namespace {

constexpr int kSide = 64;     // of the picture the DCT is taken of
constexpr int kBits = 16;     // of the hash, on each side
constexpr int kSmallest = 5;  // a picture smaller than this on either side has no hash
constexpr int kShrinkAbove = 512;

using Block = std::array<std::array<float, kSide>, kSide>;
using Dct = std::array<std::array<float, kBits>, kBits>;

// Width of the box whose two passes make a tent as wide as one pixel of the small picture.
int window(int size) { return (size + 2 * kSide - 1) / (2 * kSide); }

// Means over a sliding window of `width` along lines of `count` values, the window cut at the ends.
// Lines are worked on kLanes side by side, because one alone waits for its own sum; their order of
// additions stays that of the reference. A line's next value is `stride` away, the next line's same
// value `lane`.
template <int kLanes, bool kAdjacent>
void box(const float* in, float* out, int count, std::ptrdiff_t stride, std::ptrdiff_t lane_stride,
         int width) {
  const std::ptrdiff_t lane = kAdjacent ? 1 : lane_stride;
  const int half = (width + 2) / 2;
  const float* left = in;
  const float* right = in;
  int size = 0;
  std::array<float, kLanes> sum{};
  const auto add = [&] {
    for (int i = 0; i < kLanes; ++i) sum[i] += right[i * lane];
    right += stride;
  };
  const auto subtract = [&] {
    for (int i = 0; i < kLanes; ++i) sum[i] -= left[i * lane];
    left += stride;
  };
  const auto write = [&] {
    const auto divisor = static_cast<float>(size);
    for (int i = 0; i < kLanes; ++i) out[i * lane] = sum[i] / divisor;
    out += stride;
  };
  for (int i = 0; i < half - 1; ++i) add(), ++size;
  for (int i = 0; i < width - half + 1; ++i) add(), ++size, write();
  for (int i = 0; i < count - width; ++i) add(), subtract(), write();
  for (int i = 0; i < half - 1; ++i) subtract(), --size, write();
}

// `lines` lines, each box()ed.
template <bool kAdjacent>
void boxes(const float* in, float* out, int lines, int count, std::ptrdiff_t stride,
           std::ptrdiff_t lane, int width) {
  constexpr int kLanes = 8;
  int line = 0;
  for (; line + kLanes <= lines; line += kLanes)
    box<kLanes, kAdjacent>(in + line * lane, out + line * lane, count, stride, lane, width);
  for (; line < lines; ++line)
    box<1, kAdjacent>(in + line * lane, out + line * lane, count, stride, lane, width);
}

// The places of a line of `count` that the small picture is made of: its pixels' middles.
std::array<std::size_t, kSide> picked(int count) {
  std::array<std::size_t, kSide> places{};
  for (int i = 0; i < kSide; ++i) places[i] = static_cast<std::size_t>(((i + 0.5) * count) / kSide);
  return places;
}

// One allocation for all steps, and not filled with zeros: page faults would cost as much as the
// arithmetic.
class Scratch {
 public:
  Scratch(int width, int height)
      : full_(std::size_t(width) * height),
        narrow_(std::size_t{kSide} * height),
        values_(std::make_unique_for_overwrite<float[]>(2 * full_ + 2 * narrow_)) {}
  float* luma() { return values_.get(); }
  float* other() { return luma() + full_; }
  float* narrow() { return other() + full_; }  // kSide columns only
  float* other_narrow() { return narrow() + narrow_; }

 private:
  std::size_t full_, narrow_;
  std::unique_ptr<float[]> values_;
};

// Blurs along rows, columns, rows and columns, then picks. The last blur leaves out columns that
// are not picked: each depends on itself alone.
Block shrink(Scratch& scratch, int width, int height) {
  const int along_rows = window(width), along_columns = window(height);
  const auto columns = picked(width), rows = picked(height);
  boxes<false>(scratch.luma(), scratch.other(), height, width, 1, width, along_rows);
  boxes<true>(scratch.other(), scratch.luma(), width, height, width, 1, along_columns);
  boxes<false>(scratch.luma(), scratch.other(), height, width, 1, width, along_rows);
  for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y)
    for (std::size_t j = 0; j < kSide; ++j)
      scratch.narrow()[y * kSide + j] = scratch.other()[y * width + columns[j]];
  boxes<true>(scratch.narrow(), scratch.other_narrow(), kSide, height, kSide, 1, along_columns);
  Block block;
  for (std::size_t i = 0; i < kSide; ++i)
    std::copy_n(scratch.other_narrow() + rows[i] * kSide, kSide, block[i].begin());
  return block;
}

// 0..100: how much neighbouring pixels differ; low for flat pictures, whose hashes are noise.
int quality_of(const Block& block) {
  int sum = 0;
  const auto add = [&sum](float a, float b) {
    sum += std::abs(static_cast<int>(((a - b) * 100) / 255));
  };
  for (int i = 0; i + 1 < kSide; ++i)
    for (int j = 0; j < kSide; ++j) add(block[i][j], block[i + 1][j]);
  for (int i = 0; i < kSide; ++i)
    for (int j = 0; j + 1 < kSide; ++j) add(block[i][j], block[i][j + 1]);
  return std::min(100, sum / 90);
}

// Rows 1..16 of the DCT-II; the row of the mean is left out.
const std::array<std::array<float, kSide>, kBits>& dct_matrix() {
  static const auto matrix = [] {
    std::array<std::array<float, kSide>, kBits> made{};
    const float scale = std::sqrt(2.0f / kSide);
    for (int i = 0; i < kBits; ++i)
      for (int j = 0; j < kSide; ++j)
        made[i][j] =
            static_cast<float>(scale * std::cos((M_PI / 2 / kSide) * (i + 1) * (2 * j + 1)));
    return made;
  }();
  return matrix;
}

// Each sum runs over k in order; the loops are nested so that neighbouring sums grow side by side.
Dct dct(const Block& block) {
  const auto& matrix = dct_matrix();
  Dct result{};
  for (int i = 0; i < kBits; ++i) {
    std::array<float, kSide> row{};
    for (int k = 0; k < kSide; ++k)
      for (int j = 0; j < kSide; ++j) row[j] += matrix[i][k] * block[k][j];
    for (int k = 0; k < kSide; ++k)
      for (int j = 0; j < kBits; ++j) result[i][j] += row[k] * matrix[j][k];
  }
  return result;
}

// A bit is set where the value is above the lower median.
PdqHash threshold(const Dct& values) {
  std::array<float, kBits * kBits> sorted;
  for (int i = 0; i < kBits; ++i)
    std::copy(values[i].begin(), values[i].end(), sorted.begin() + i * kBits);
  const auto middle = sorted.begin() + sorted.size() / 2 - 1;
  std::nth_element(sorted.begin(), middle, sorted.end());
  const float median = *middle;
  PdqHash hash;
  for (int i = 0; i < kBits; ++i)
    for (int j = 0; j < kBits; ++j)
      if (values[i][j] > median) {
        const int bit = i * kBits + j;
        hash.words[bit / 64] |= std::uint64_t{1} << (bit % 64);
      }
  return hash;
}

// The DCT of a turned or mirrored picture follows from that of the picture: negated places, and the
// axes swapped.
template <class Negate>
Dct turned(const Dct& from, bool swap, Negate negate) {
  Dct to{};
  for (int i = 0; i < kBits; ++i)
    for (int j = 0; j < kBits; ++j) {
      const float value = negate(i, j) ? -from[i][j] : from[i][j];
      (swap ? to[j][i] : to[i][j]) = value;
    }
  return to;
}

bool even(int value) { return value % 2 == 0; }

}  // namespace

Size pdq_input_size(int width, int height) {
  return width > kShrinkAbove || height > kShrinkAbove ? Size{kShrinkAbove, kShrinkAbove}
                                                       : Size{width, height};
}

Dihedral pdq_dihedral(std::span<const std::uint8_t> rgb, int width, int height) {
  PORTCULLIS_CHECK(width >= 0 && height >= 0 &&
                   rgb.size() == std::size_t(width) * std::size_t(height) * 3);
  Dihedral result{};
  if (width < kSmallest || height < kSmallest) return result;
  // Rounded once, as pdqhash does it, so that grey stays the same grey. Sums of floats, as in the
  // C++ tools, differ in the last bit, which turns a bit of the hash in about one picture of five
  // hundred, and in most blocky ones.
  Scratch scratch(width, height);
  float* luma = scratch.luma();
  for (std::size_t i = 0; i < rgb.size() / 3; ++i)
    luma[i] =
        static_cast<float>(0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2]);

  const Block block = shrink(scratch, width, height);
  result.quality = quality_of(block);
  const Dct original = dct(block);
  result.pdq = {
      threshold(original),
      threshold(turned(original, true, [](int, int j) { return even(j); })),  // rotated by 90
      threshold(turned(original, false, [](int i, int j) { return !even(i + j); })),  // 180
      threshold(turned(original, true, [](int i, int) { return even(i); })),          // 270
      threshold(turned(original, false, [](int i, int) { return even(i); })),         // flipX
      threshold(turned(original, false, [](int, int j) { return even(j); })),         // flipY
      threshold(turned(original, true, [](int, int) { return false; })),              // flipPlus1
      threshold(turned(original, true, [](int i, int j) { return !even(i + j); })),   // flipMinus1
  };
  return result;
}

}  // namespace portcullis::hash

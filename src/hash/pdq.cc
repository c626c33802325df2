// PDQ after ThreatExchange pdq/cpp (hashing/pdqhashing.cpp, downscaling/downscaling.cpp), in 32-bit
// floats and in the reference's order of operations, so that hashes are equal bit for bit.
#include <algorithm>
#include <cmath>
#include <vector>

#include "hash/hash.h"

#pragma clang fp contract(off)

namespace portcullis::hash {

namespace {

constexpr int kSide = 64;     // of the picture the DCT is taken of
constexpr int kBits = 16;     // of the hash, on each side
constexpr int kSmallest = 5;  // a picture smaller than this on either side has no hash
constexpr int kPasses = 2;
constexpr int kShrinkAbove = 512;

using Block = std::array<std::array<float, kSide>, kSide>;
using Dct = std::array<std::array<float, kBits>, kBits>;

// Width of the box whose two passes make a tent as wide as one pixel of the small picture.
int window(int size) { return (size + 2 * kSide - 1) / (2 * kSide); }

// Mean over a sliding window of `width` of `count` values, `stride` apart; the window is cut at the
// ends.
void box(const float* in, float* out, int count, int stride, int width) {
  const int half = (width + 2) / 2;
  const int first = half - 1;           // values added before the first output
  const int second = width - half + 1;  // outputs while the window grows
  const int third = count - width;      // outputs of a whole window
  const int fourth = half - 1;          // outputs while it shrinks
  int left = 0, right = 0, to = 0, size = 0;
  float sum = 0;
  const auto step = [stride](int& index) { index += stride; };
  for (int i = 0; i < first; ++i) sum += in[right], ++size, step(right);
  for (int i = 0; i < second; ++i) {
    sum += in[right], ++size;
    out[to] = sum / static_cast<float>(size);
    step(right), step(to);
  }
  for (int i = 0; i < third; ++i) {
    sum += in[right];
    sum -= in[left];
    out[to] = sum / static_cast<float>(size);
    step(left), step(right), step(to);
  }
  for (int i = 0; i < fourth; ++i) {
    sum -= in[left], --size;
    out[to] = sum / static_cast<float>(size);
    step(left), step(to);
  }
}

Block shrink(std::vector<float> luma, int width, int height) {
  const int along_rows = window(width), along_columns = window(height);
  std::vector<float> other(luma.size());
  for (int pass = 0; pass < kPasses; ++pass) {
    for (int y = 0; y < height; ++y)
      box(&luma[std::size_t(y) * width], &other[std::size_t(y) * width], width, 1, along_rows);
    for (int x = 0; x < width; ++x) box(&other[x], &luma[x], height, width, along_columns);
  }
  Block block;
  for (int i = 0; i < kSide; ++i) {
    const int y = static_cast<int>(((i + 0.5) * height) / kSide);
    for (int j = 0; j < kSide; ++j) {
      const int x = static_cast<int>(((j + 0.5) * width) / kSide);
      block[i][j] = luma[std::size_t(y) * width + x];
    }
  }
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

Dct dct(const Block& block) {
  const auto& matrix = dct_matrix();
  std::array<std::array<float, kSide>, kBits> half{};
  for (int i = 0; i < kBits; ++i)
    for (int j = 0; j < kSide; ++j) {
      float sum = 0;
      for (int k = 0; k < kSide; ++k) sum += matrix[i][k] * block[k][j];
      half[i][j] = sum;
    }
  Dct result{};
  for (int i = 0; i < kBits; ++i)
    for (int j = 0; j < kBits; ++j) {
      float sum = 0;
      for (int k = 0; k < kSide; ++k) sum += half[i][k] * matrix[j][k];
      result[i][j] = sum;
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
  std::vector<float> luma(std::size_t(width) * height);
  for (std::size_t i = 0; i < luma.size(); ++i)
    luma[i] = 0.299f * rgb[3 * i] + 0.587f * rgb[3 * i + 1] + 0.114f * rgb[3 * i + 2];

  const Block block = shrink(std::move(luma), width, height);
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

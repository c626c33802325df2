// hash/pdq_steps.h: PDQ from pixels to its bits, in code that becomes the vector instructions of
// whichever function it is inlined into. Private to the room; pdq.cc compiles it once a path.
//
// After ThreatExchange pdq/cpp (hashing/pdqhashing.cpp, downscaling/downscaling.cpp), in 32-bit
// floats and in the reference's order of additions, so that hashes are equal bit for bit on every
// path: lanes hold sums that are independent of each other, no sum is split among lanes, and
// nothing is fused (the pragma below).
//
// A picture goes through in strips of kLanes rows, so that it stays in the processor's caches:
//
//   luma -> across -> box along rows -> back -> box along columns -> across -> box along rows,
//   of which only the picked columns are kept -> back -> box along columns, picked rows
//
// where "across" turns a strip so that kLanes rows lie side by side, each in a lane of its own.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "hash/hash.h"

// All of it is inlined, also in a debug build: a function of its own would be compiled for the
// least of processors, once, whatever its caller may use.
#define PDQ_STEP [[gnu::always_inline]] inline

#pragma clang fp contract(off)

namespace portcullis::hash::pdq {

inline constexpr int kSide = 64;  // of the picture the DCT is taken of
inline constexpr int kBits = 16;  // of the hash, on each side
inline constexpr int kLanes = 16;

using Lanes [[gnu::vector_size(kLanes * sizeof(float))]] = float;
using Four [[gnu::vector_size(4 * sizeof(float))]] = float;

using Block = std::array<std::array<float, kSide>, kSide>;
using Dct = std::array<std::array<float, kBits>, kBits>;

// The width of the box whose two passes make a tent as wide as one pixel of the small picture.
PDQ_STEP int window(int size) { return (size + 2 * kSide - 1) / (2 * kSide); }

PDQ_STEP std::size_t rounded_up(int count) {
  return (static_cast<std::size_t>(count) + kLanes - 1) / kLanes * kLanes;
}

// The places of a line of `count` that the small picture is made of: its pixels' middles.
PDQ_STEP std::array<int, kSide> picked(int count) {
  std::array<int, kSide> places{};
  for (int i = 0; i < kSide; ++i) places[i] = static_cast<int>(((i + 0.5) * count) / kSide);
  return places;
}

// 0.299 R + 0.587 G + 0.114 B, rounded once, as pdqhash does it, so that grey stays the same grey.
// (Sums of floats, as in the C++ tools, differ in the last bit, which turns a bit of the hash in
// about one picture of five hundred, and in most blocky ones.) The sum of whole numbers and 1000
// are floats without rounding, so the division's is the only one.
PDQ_STEP float luma(int red, int green, int blue) {
  return static_cast<float>(299 * red + 587 * green + 114 * blue) / 1000.0f;
}
PDQ_STEP void luma_of_row(const std::uint8_t* rgb, float* row, int count) {
  for (int i = 0; i < count; ++i) row[i] = luma(rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]);
}

template <class Vector>
PDQ_STEP void load(Vector& into, const float* from) {
  std::memcpy(&into, from, sizeof into);
}
template <class Vector>
PDQ_STEP void store(const Vector& from, float* into) {
  std::memcpy(into, &from, sizeof from);
}

// Turns four by four values: lines `from_stride` apart become lines `into_stride` apart.
PDQ_STEP void turn_four(const float* from, std::size_t from_stride, float* into,
                        std::size_t into_stride) {
  Four a, b, c, d;
  load(a, from);
  load(b, from + from_stride);
  load(c, from + 2 * from_stride);
  load(d, from + 3 * from_stride);
  const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5),
             ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7),
             cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5),
             cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(__builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5), into);
  store(__builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7), into + into_stride);
  store(__builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5), into + 2 * into_stride);
  store(__builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7), into + 3 * into_stride);
}

// kLanes rows of `stride` values become `count` columns of kLanes, and back. Whole fours are
// turned: what is beyond `count` is never looked at.
PDQ_STEP void turn_across(const float* rows, std::size_t stride, Lanes* columns, int count) {
  auto* into = reinterpret_cast<float*>(columns);
  for (std::size_t x = 0; x < static_cast<std::size_t>(count); x += 4)
    for (std::size_t lane = 0; lane < kLanes; lane += 4)
      turn_four(rows + lane * stride + x, stride, into + x * kLanes + lane, kLanes);
}
PDQ_STEP void turn_back(const Lanes* columns, int count, float* rows, std::size_t stride) {
  const auto* from = reinterpret_cast<const float*>(columns);
  for (std::size_t x = 0; x < static_cast<std::size_t>(count); x += 4)
    for (std::size_t lane = 0; lane < kLanes; lane += 4)
      turn_four(from + x * kLanes + lane, kLanes, rows + lane * stride + x, stride);
}

// Division by how many values a sum is of. By a power of two it is the same as a multiplication,
// which is quicker.
struct Mean {
  float size, part;
  bool is_exact;
  PDQ_STEP explicit Mean(int count)
      : size(static_cast<float>(count)),
        part(1.0f / size),
        is_exact(std::has_single_bit(static_cast<unsigned>(count))) {}
};

// The box: output i is the mean of the inputs i - (width - half) .. i + half - 1 that there are,
// as a sum that takes in a value on the right and lets one go on the left. So step k, counted from
// 0, takes in value k while there is one, lets go value k - width when there is one, and gives
// output k - (half - 1).
struct Box {
  int count, width, half;
  PDQ_STEP explicit Box(int values) : count(values), width(window(values)), half((width + 2) / 2) {}
  PDQ_STEP int steps() const { return count + half - 1; }
  // How many values the sum is of after step k.
  PDQ_STEP int size_after(int k) const {
    return k < count ? std::min(k + 1, width) : width - (k - count + 1);
  }
};

// Along lines that lie side by side, one a lane. Sums or means.
template <bool kMeans>
PDQ_STEP void box_along(const Box& box, const Lanes* in, Lanes* out) {
  Lanes sum{};
  const auto write = [&] [[gnu::always_inline]] (int k, const Mean& mean) {
    Lanes& into = out[k - (box.half - 1)];
    if constexpr (!kMeans)
      into = sum;
    else if (mean.is_exact)
      into = sum * mean.part;
    else
      into = sum / mean.size;
  };
  int k = 0;
  for (; k < box.width; ++k) {
    sum += in[k];
    if (k >= box.half - 1) write(k, Mean(k + 1));
  }
  for (const Mean mean(box.width); k < box.count; ++k) {
    sum += in[k];
    sum -= in[k - box.width];
    write(k, mean);
  }
  for (; k < box.steps(); ++k) {
    sum -= in[k - box.width];
    write(k, Mean(box.size_after(k)));
  }
}

// One row in, one out, of the box along columns; all columns at once.
template <bool kTakes, bool kLetsGo>
PDQ_STEP void slide(std::size_t columns, float* sums, const float* right, const float* left,
                    float* out, int size) {
  const Mean mean(size);
  for (std::size_t x = 0; x < columns; x += kLanes) {
    Lanes sum, value;
    load(sum, sums + x);
    if constexpr (kTakes) {
      load(value, right + x);
      sum += value;
    }
    if constexpr (kLetsGo) {
      load(value, left + x);
      sum -= value;
    }
    store(sum, sums + x);
    if (out == nullptr) continue;
    store(mean.is_exact ? sum * mean.part : sum / mean.size, out + x);
  }
}

// The box along columns, as rows come. They are put into a ring, which keeps those that are still
// needed and takes a strip at once.
class Down {
 public:
  PDQ_STEP Down(const Box& box, std::size_t columns)
      : box_(box),
        columns_(columns),
        mask_(static_cast<int>(std::bit_ceil(static_cast<unsigned>(box.width) + kLanes)) - 1) {}
  PDQ_STEP std::size_t memory() const { return columns_ * (static_cast<std::size_t>(mask_) + 2); }
  PDQ_STEP void lie_at(float* zeros) { sums_ = zeros, ring_ = zeros + columns_; }
  // Where row `index` is put; rows of one strip lie behind each other.
  PDQ_STEP float* row(int index) const {
    return ring_ + columns_ * static_cast<std::size_t>(index & mask_);
  }
  // Rows before `until` have been put, or all. Calls place_of(row) for where the next output row
  // goes, null if nobody wants it, then done(row).
  template <class PlaceOf, class Done>
  PDQ_STEP void go_on(int until, PlaceOf place_of, Done done) {
    if (until == box_.count) until = box_.steps();
    for (; step_ < until; ++step_) {
      const int output = step_ - (box_.half - 1), size = box_.size_after(step_);
      float* out = output < 0 ? nullptr : place_of(output);
      if (step_ < box_.width)
        slide<true, false>(columns_, sums_, row(step_), nullptr, out, size);
      else if (step_ < box_.count)
        slide<true, true>(columns_, sums_, row(step_), row(step_ - box_.width), out, size);
      else
        slide<false, true>(columns_, sums_, nullptr, row(step_ - box_.width), out, size);
      if (output >= 0) done(output);
    }
  }

 private:
  Box box_;
  std::size_t columns_;
  int mask_;
  int step_ = 0;
  float* sums_ = nullptr;
  float* ring_ = nullptr;
};

// Blurs along rows, columns, rows and columns, then picks. What is not picked is left out as soon
// as nothing depends on it.
PDQ_STEP void shrink(const std::uint8_t* rgb, int width, int height, Block& block) {
  const Box along(width);
  const auto columns = picked(width), rows = picked(height);
  const std::size_t stride = rounded_up(width), strip = stride * kLanes;
  Down wide(Box(height), stride), narrow(Box(height), kSide);

  const auto memory = std::make_unique<Lanes[]>(
      (4 * strip + kSide * kLanes + wide.memory() + narrow.memory()) / kLanes);
  Lanes* across = memory.get();  // a strip whose rows lie side by side
  Lanes* boxed = across + stride;
  Lanes* kept = boxed + stride;
  auto* light = reinterpret_cast<float*>(kept + kSide);
  float* blurred = light + strip;  // a strip of rows after the first two boxes
  wide.lie_at(blurred + strip);
  narrow.lie_at(blurred + strip + wide.memory());

  int next = 0;  // row of the small picture
  const auto place_of_picked = [&] [[gnu::always_inline]] (int row) -> float* {
    return next < kSide && rows[next] == row ? block[next].data() : nullptr;
  };
  const auto picked_row = [&] [[gnu::always_inline]] (int row) {
    if (next == kSide || rows[next] != row) return;
    const int first = next;
    while (++next < kSide && rows[next] == row) block[next] = block[first];
  };
  const auto place_of_blurred = [&] [[gnu::always_inline]] (int row) {
    return blurred + stride * static_cast<std::size_t>(row % kLanes);
  };
  const auto blurred_row = [&] [[gnu::always_inline]] (int row) {
    if (row % kLanes != kLanes - 1 && row != height - 1) return;
    turn_across(blurred, stride, across, width);
    box_along<false>(along, across, boxed);
    for (int j = 0; j < kSide; ++j)
      kept[j] = boxed[columns[j]] / Mean(along.size_after(columns[j] + along.half - 1)).size;
    turn_back(kept, kSide, narrow.row(row - row % kLanes), kSide);
    narrow.go_on(row + 1, place_of_picked, picked_row);
  };
  for (int top = 0; top < height; top += kLanes) {
    const int bottom = std::min(top + kLanes, height);
    for (int y = top; y < bottom; ++y)
      luma_of_row(
          rgb + std::size_t{3} * static_cast<std::size_t>(y) * static_cast<std::size_t>(width),
          light + stride * static_cast<std::size_t>(y - top), width);
    turn_across(light, stride, across, width);
    box_along<true>(along, across, boxed);
    turn_back(boxed, width, wide.row(top), stride);
    wide.go_on(bottom, place_of_blurred, blurred_row);
  }
}

// 0..100: how much neighbouring pixels differ; low for flat pictures, whose hashes are noise.
PDQ_STEP int quality_of(const Block& block) {
  int sum = 0;
  const auto add = [&sum] [[gnu::always_inline]] (float a, float b) {
    sum += std::abs(static_cast<int>(((a - b) * 100) / 255));
  };
  for (int i = 0; i + 1 < kSide; ++i)
    for (int j = 0; j < kSide; ++j) add(block[i][j], block[i + 1][j]);
  for (int i = 0; i < kSide; ++i)
    for (int j = 0; j + 1 < kSide; ++j) add(block[i][j], block[i][j + 1]);
  return std::min(100, sum / 90);
}

// Rows 1..16 of the DCT-II; the row of the mean is left out.
struct Cosines {
  std::array<std::array<float, kSide>, kBits> rows;
  std::array<std::array<float, kBits>, kSide> columns;  // the same, turned
};
const Cosines& cosines();

// Each sum runs over k in order; the loops are nested so that neighbouring sums grow side by side.
PDQ_STEP void dct(const Block& block, Dct& result) {
  const Cosines& matrix = cosines();
  for (int i = 0; i < kBits; ++i) {
    std::array<float, kSide> row{};
    for (int k = 0; k < kSide; ++k)
      for (int j = 0; j < kSide; ++j) row[j] += matrix.rows[i][k] * block[k][j];
    result[i] = {};
    for (int k = 0; k < kSide; ++k)
      for (int j = 0; j < kBits; ++j) result[i][j] += row[k] * matrix.columns[k][j];
  }
}

// All that depends on the path.
PDQ_STEP int look(const std::uint8_t* rgb, int width, int height, Dct& values) {
  Block block;
  shrink(rgb, width, height, block);
  dct(block, values);
  return quality_of(block);
}

}  // namespace portcullis::hash::pdq

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "hash/hash.h"

namespace portcullis::hash {
namespace {

// Soft noise at several scales, as photographs have: from a number, the same each time.
class Photo {
 public:
  explicit Photo(unsigned seed) : seed_(seed) {
    for (int y = 0; y < kSide; ++y)
      for (int x = 0; x < kSide; ++x) grey_.push_back(value((x + 0.5) / kSide, (y + 0.5) / kSide));
  }

  // The part of it from (left, top) to (right, bottom), each 0..1, as `side` x `side` pixels.
  // Beyond 0 and 1 it is `grey`.
  std::vector<std::uint8_t> view(int side, double left, double top, double right, double bottom,
                                 int grey = 0) const {
    std::vector<std::uint8_t> rgb;
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x) {
        const double u = left + (right - left) * (x + 0.5) / side;
        const double v = top + (bottom - top) * (y + 0.5) / side;
        const bool inside = u >= 0 && u < 1 && v >= 0 && v < 1;
        rgb.insert(rgb.end(), 3, static_cast<std::uint8_t>(inside ? shade(u, v) : grey));
      }
    return rgb;
  }
  std::vector<std::uint8_t> whole() const { return view(512, 0, 0, 1, 1); }

 private:
  static constexpr int kSide = 512;
  // Between the four pixels around a place.
  double shade(double u, double v) const {
    const double x = std::clamp(u * kSide - 0.5, 0., kSide - 1.001);
    const double y = std::clamp(v * kSide - 0.5, 0., kSide - 1.001);
    const auto column = static_cast<std::size_t>(x), row = static_cast<std::size_t>(y);
    const double a = x - static_cast<double>(column), b = y - static_cast<double>(row);
    const auto at = [&](std::size_t i, std::size_t j) { return grey_[j * kSide + i]; };
    return (at(column, row) * (1 - a) + at(column + 1, row) * a) * (1 - b) +
           (at(column, row + 1) * (1 - a) + at(column + 1, row + 1) * a) * b;
  }
  double value(double u, double v) const {
    double sum = 128;
    for (const auto& [cells, weight] : {std::pair(4, 90.), {9, 90.}, {20, 70.}, {60, 40.}})
      sum += smooth(u * cells, v * cells, static_cast<unsigned>(cells)) * weight;
    return std::clamp(sum, 0., 255.);
  }
  double smooth(double u, double v, unsigned layer) const {
    const double x = std::floor(u), y = std::floor(v);
    const auto ease = [](double t) { return t * t * (3 - 2 * t); };
    const double a = ease(u - x), b = ease(v - y);
    const auto mix = [](double from, double to, double t) { return from + (to - from) * t; };
    return mix(mix(at(x, y, layer), at(x + 1, y, layer), a),
               mix(at(x, y + 1, layer), at(x + 1, y + 1, layer), a), b);
  }
  double at(double x, double y, unsigned layer) const {
    std::uint32_t h = seed_ * 2654435761u + layer * 2246822519u +
                      static_cast<std::uint32_t>(x) * 3266489917u +
                      static_cast<std::uint32_t>(y) * 668265263u;
    h ^= h >> 15;
    h *= 2246822519u;
    h ^= h >> 13;
    h *= 3266489917u;
    h ^= h >> 16;
    return static_cast<double>(h) / 4294967295. * 2 - 1;
  }
  unsigned seed_;
  std::vector<double> grey_;
};

constexpr int kCopy = 128;  // pixels of a side of a copy

int nearest(const std::vector<PdqHash>& hashes, const std::vector<std::uint8_t>& rgb) {
  const int side = rgb.size() == std::size_t{kCopy} * kCopy * 3 ? kCopy : 512;
  const PdqHash query = pdq_dihedral(rgb, side, side).pdq[0];
  int least = 256;
  for (const PdqHash& hash : hashes) least = std::min(least, distance(hash, query));
  return least;
}

TEST(BanHashes, find_copies_with_any_edge_cut_or_bordered_by_up_to_a_tenth) {
  struct Edges {
    const char* what;
    int left, top, right, bottom;
  };
  constexpr Edges kSides[] = {{"all", 1, 1, 1, 1},           {"left", 1, 0, 0, 0},
                              {"top", 0, 1, 0, 0},           {"right", 0, 0, 1, 0},
                              {"bottom", 0, 0, 0, 1},        {"top and bottom", 0, 1, 0, 1},
                              {"left and right", 1, 0, 1, 0}};
  int looked = 0, found = 0;
  for (const unsigned seed : {1u, 2u}) {
    const Photo photo(seed);
    const auto bans = ban_hashes(photo.whole(), 512, 512);
    EXPECT_EQ(bans.size(), 67u);
    ASSERT_LE(bans.size(), kMostBans);
    for (const Edges& one : kSides)
      for (const double p : {0.01, 0.022, 0.036, 0.066, 0.1}) {
        ++looked;
        found += nearest(bans, photo.view(kCopy, p * one.left, p * one.top, 1 - p * one.right,
                                          1 - p * one.bottom)) <= 31;
        for (const int grey : {0, 255}) {
          const double q = p / (1 - p * (one.left + one.right));
          const double r = p / (1 - p * (one.top + one.bottom));
          ++looked;
          const int bits = nearest(bans, photo.view(kCopy, -q * one.left, -r * one.top,
                                                    1 + q * one.right, 1 + r * one.bottom, grey));
          found += bits <= 31;
        }
      }
  }
  EXPECT_GE(found, looked * 98 / 100) << found << " of " << looked;
}

TEST(BanHashes, find_no_other_picture) {
  const auto bans = ban_hashes(Photo(1).whole(), 512, 512);
  for (unsigned seed = 10; seed < 30; ++seed)
    EXPECT_GT(nearest(bans, Photo(seed).view(kCopy, 0, 0, 1, 1)), 60) << seed;
}

TEST(BanHashes, of_a_flat_picture_are_none) {
  const std::vector<std::uint8_t> grey(std::size_t{512} * 512 * 3, 90);
  EXPECT_TRUE(ban_hashes(grey, 512, 512).empty());
}

TEST(BanHashes, begin_with_the_picture_itself) {
  const auto rgb = Photo(5).whole();
  EXPECT_EQ(nearest(ban_hashes(rgb, 512, 512), rgb), 0);
  const auto few = ban_hashes(rgb, 512, 512, 101);
  EXPECT_TRUE(few.empty()) << "no picture has that quality";
}

}  // namespace
}  // namespace portcullis::hash

// Which cut and bordered copies of a picture are hashed when it is banned, and why these.
//
// A PDQ at distance 31 tells pictures apart whose edges differ by about 1 % on all four sides, or
// by about 1.5 % on one or two (measured; hash_bench measures it again). So one hash in the middle
// of each such stretch, up to a tenth of a side, finds every copy in between: every 1.5 % for all
// sides at once, every 3 % for single sides and pairs of them. What is cut or added by more than
// that, or by much on one side and little on another, is not found.
#include <algorithm>
#include <cmath>

#include "hash/hash.h"

namespace portcullis::hash {

namespace {

constexpr int kChannels = 3;

// Fractions of the sides of the picture that was cut, or of the one with the border.
struct Edges {
  double left = 0, top = 0, right = 0, bottom = 0;
};

struct Pixels {
  std::vector<std::uint8_t> rgb;
  int width = 0, height = 0;
};

Pixels cut(std::span<const std::uint8_t> rgb, int width, int height, const Edges& edges) {
  const auto part = [](int side, double fraction) {
    return static_cast<int>(std::lround(side * fraction));
  };
  const int left = part(width, edges.left), top = part(height, edges.top);
  Pixels result{.rgb = {},
                .width = width - part(width, edges.right) - left,
                .height = height - part(height, edges.bottom) - top};
  const auto row = static_cast<std::size_t>(result.width * kChannels);
  result.rgb.reserve(row * static_cast<std::size_t>(result.height));
  for (int y = top; y < top + result.height; ++y) {
    const auto from = rgb.subspan(static_cast<std::size_t>((y * width + left) * kChannels), row);
    result.rgb.insert(result.rgb.end(), from.begin(), from.end());
  }
  return result;
}

// Half its size, so that a picture with a border is still within PDQ's 512.
Pixels halved(std::span<const std::uint8_t> rgb, int width, int height) {
  Pixels result{.rgb = {}, .width = width / 2, .height = height / 2};
  result.rgb.reserve(static_cast<std::size_t>(result.width * result.height * kChannels));
  const auto at = [&](int x, int y, int channel) {
    return static_cast<unsigned>(
        rgb[static_cast<std::size_t>((y * width + x) * kChannels + channel)]);
  };
  for (int y = 0; y < result.height; ++y)
    for (int x = 0; x < result.width; ++x)
      for (int channel = 0; channel < kChannels; ++channel)
        result.rgb.push_back(static_cast<std::uint8_t>(
            (at(2 * x, 2 * y, channel) + at(2 * x + 1, 2 * y, channel) +
             at(2 * x, 2 * y + 1, channel) + at(2 * x + 1, 2 * y + 1, channel) + 2) /
            4));
  return result;
}

Pixels bordered(const Pixels& picture, const Edges& edges, std::uint8_t grey) {
  const auto whole = [](int side, double fraction) {
    return static_cast<int>(std::lround(side / (1 - fraction)));
  };
  Pixels result{.rgb = {},
                .width = whole(picture.width, edges.left + edges.right),
                .height = whole(picture.height, edges.top + edges.bottom)};
  const int left = static_cast<int>(std::lround(result.width * edges.left));
  const int top = static_cast<int>(std::lround(result.height * edges.top));
  result.rgb.assign(static_cast<std::size_t>(result.width * result.height * kChannels), grey);
  const auto row = static_cast<std::ptrdiff_t>(picture.width) * kChannels;
  for (int y = 0; y < picture.height; ++y)
    std::copy_n(picture.rgb.begin() + y * row, row,
                result.rgb.begin() +
                    static_cast<std::ptrdiff_t>((top + y) * result.width + left) * kChannels);
  return result;
}

constexpr double kMost = 0.1;
constexpr double kStepOfAll = 0.015, kStepOfSome = 0.03;

std::vector<Edges> all_sides() {
  std::vector<Edges> list;
  for (double p = kStepOfAll; p < kMost; p += kStepOfAll) list.push_back({p, p, p, p});
  return list;
}
std::vector<Edges> some_sides() {
  std::vector<Edges> list;
  for (double p = kStepOfSome; p < kMost; p += kStepOfSome)
    for (const Edges& edges :
         {Edges{p, 0, p, 0}, Edges{0, p, 0, p},  //
          Edges{p, 0, 0, 0}, Edges{0, p, 0, 0}, Edges{0, 0, p, 0}, Edges{0, 0, 0, p}})
      list.push_back(edges);
  return list;
}
std::vector<Edges> corners() {
  std::vector<Edges> list;
  for (double p = kStepOfSome; p < kMost; p += kStepOfSome)
    for (const Edges& edges :
         {Edges{p, p, 0, 0}, Edges{0, p, p, 0}, Edges{p, 0, 0, p}, Edges{0, 0, p, p}})
      list.push_back(edges);
  return list;
}

}  // namespace

std::vector<PdqHash> ban_hashes(std::span<const std::uint8_t> rgb, int width, int height,
                                int min_quality) {
  PORTCULLIS_CHECK(width >= 64 && height >= 64 && width <= 512 && height <= 512);
  PORTCULLIS_CHECK(rgb.size() == static_cast<std::size_t>(width) * height * kChannels);
  std::vector<PdqHash> hashes;
  const auto take = [&](std::span<const std::uint8_t> pixels, int columns, int rows) {
    const Dihedral print = pdq_dihedral(pixels, columns, rows);
    if (print.quality < min_quality || !is_plausible(print.pdq[0])) return false;
    hashes.push_back(print.pdq[0]);
    return true;
  };
  // A picture without structure stays out: a border would only lend it some, and every other
  // flat picture with such a border would match.
  if (!take(rgb, width, height)) return {};

  std::vector<Edges> edges = all_sides();
  std::ranges::copy(some_sides(), std::back_inserter(edges));
  std::ranges::copy(corners(), std::back_inserter(edges));
  for (const Edges& one : edges) {
    const Pixels pixels = cut(rgb, width, height, one);
    take(pixels.rgb, pixels.width, pixels.height);
  }
  const Pixels half = halved(rgb, width, height);
  const auto take_bordered = [&](const Edges& one, std::uint8_t grey) {
    const Pixels pixels = bordered(half, one, grey);
    take(pixels.rgb, pixels.width, pixels.height);
  };
  for (const Edges& one : all_sides()) {
    take_bordered(one, 0);
    take_bordered(one, 255);
  }
  // A band along a whole side adds nothing to the coefficients that PDQ keeps but for the edge it
  // makes, whatever its colour: DCT-II of a constant is 0 but for the first, which is left out.
  for (const Edges& one : some_sides()) take_bordered(one, 0);
  std::ranges::sort(hashes);
  const auto rest = std::ranges::unique(hashes);
  hashes.erase(rest.begin(), rest.end());
  PORTCULLIS_CHECK(hashes.size() <= kMostBans);
  return hashes;
}

}  // namespace portcullis::hash

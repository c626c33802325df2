#include "decoder/worker/trims.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace portcullis::decoder {

namespace {

// How far a pixel of an edge may be from the edge's colour in any channel: what JPEG makes of a
// picture at the border of a black bar.
constexpr int kTolerance = 24;
// Of how many pixels in a hundred that may not hold in a line that is an edge: specks.
constexpr int kSpecks = 3;
// Of how many in a line of a band between two such lines: letters.
constexpr int kInterruption = 50;
constexpr int kMaxFrames = 3;   // that lie within each other
constexpr int kLeastSide = 32;  // of what is left, in pixels
constexpr int kLeastPart = 8;   // and one of so many parts of the whole side
constexpr int kTinyPart = 128;  // less than one of so many parts makes no difference

using Colour = std::array<std::uint8_t, 3>;
enum Side { top, bottom, left, right };
constexpr Side kSides[] = {top, bottom, left, right};
// Lines off each side.
using Margins = std::array<int, 4>;

class Lines {
 public:
  Lines(std::span<const std::uint8_t> rgb, int width, int height)
      : rgb_(rgb), width_(width), height_(height) {}

  int width() const { return width_; }
  int height() const { return height_; }
  Area without(const Margins& off) const {
    return {off[left], off[top], width_ - off[left] - off[right], height_ - off[top] - off[bottom]};
  }

  // Calls look(pixel) for each pixel of the outermost line of a side of what `off` leaves.
  template <class Look>
  void each_of_line(const Margins& off, Side side, Look look) const {
    const Area area = without(off);
    const bool is_row = side == top || side == bottom;
    const int x = side == right ? area.left + area.width - 1 : area.left;
    const int y = side == bottom ? area.top + area.height - 1 : area.top;
    const std::size_t step = is_row ? 3 : std::size_t{3} * static_cast<std::size_t>(width_);
    std::size_t at = (static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) +
                      static_cast<std::size_t>(x)) *
                     3;
    for (int i = is_row ? area.width : area.height; i > 0; --i, at += step) look(&rgb_[at]);
  }

  // The middle value of each channel.
  Colour colour_of_line(const Margins& off, Side side) const {
    std::array<std::array<int, 256>, 3> counts{};
    int length = 0;
    each_of_line(off, side, [&](const std::uint8_t* pixel) {
      for (std::size_t c = 0; c < 3; ++c) ++counts[c][pixel[c]];
      ++length;
    });
    Colour colour{};
    for (std::size_t c = 0; c < 3; ++c) {
      int below = 0, value = 0;
      while (value < 255 && (below += counts[c][static_cast<std::size_t>(value)]) * 2 < length)
        ++value;
      colour[c] = static_cast<std::uint8_t>(value);
    }
    return colour;
  }

  // How many pixels in a hundred of that line are of another colour, rounded up.
  int others_of_line(const Margins& off, Side side, const Colour& colour) const {
    int length = 0, others = 0;
    each_of_line(off, side, [&](const std::uint8_t* pixel) {
      int furthest = 0;
      for (std::size_t c = 0; c < 3; ++c)
        furthest = std::max(furthest, std::abs(pixel[c] - colour[c]));
      others += furthest > kTolerance;
      ++length;
    });
    return (others * 100 + length - 1) / length;
  }

 private:
  std::span<const std::uint8_t> rgb_;
  int width_, height_;
};

bool is_empty(const Area& area) { return area.width <= 0 || area.height <= 0; }

// Takes lines of the colour of the outermost one off a side, as long as there are any. With
// `interruption`, lines of which so much is of another colour may lie between them, but not behind
// the last.
void take_off(const Lines& picture, Margins& off, Side side, int interruption) {
  const Colour colour = picture.colour_of_line(off, side);
  Margins further = off;
  while (!is_empty(picture.without(further))) {
    const int others = picture.others_of_line(further, side, colour);
    if (others > std::max(interruption, kSpecks)) break;
    ++further[side];
    if (others <= kSpecks) off = further;
  }
}

// Every side once; false when nothing is left.
bool take_off_all(const Lines& picture, Margins& off, int interruption) {
  for (const Side side : kSides) {
    take_off(picture, off, side, interruption);
    if (is_empty(picture.without(off))) return false;
  }
  return true;
}

// Whether one side is moved by enough to make a difference.
bool differ(const Margins& a, const Margins& b, const Lines& picture) {
  const auto moved = [&](Side first, Side second, int length) {
    return std::abs(a[first] - b[first]) + std::abs(a[second] - b[second]) >=
           std::max(2, length / kTinyPart);
  };
  return moved(top, bottom, picture.height()) || moved(left, right, picture.width());
}

bool is_large_enough(const Area& area, const Lines& picture) {
  return area.width >= std::max(kLeastSide, picture.width() / kLeastPart) &&
         area.height >= std::max(kLeastSide, picture.height() / kLeastPart);
}

}  // namespace

std::vector<Area> trims_of(std::span<const std::uint8_t> rgb, int width, int height) {
  PORTCULLIS_CHECK(width > 0 && height > 0 &&
                   rgb.size() ==
                       static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  const Lines picture(rgb, width, height);
  Margins once{};
  if (!take_off_all(picture, once, 0)) return {};  // of one colour

  std::vector<Margins> found = {Margins{}};
  const auto add = [&](const Margins& off) {
    if (found.size() <= kMaxTrims && is_large_enough(picture.without(off), picture) &&
        std::ranges::all_of(found, [&](const Margins& one) { return differ(one, off, picture); }))
      found.push_back(off);
  };
  add(once);
  if (Margins bands{}; take_off_all(picture, bands, kInterruption)) add(bands);
  Margins all = once;
  for (int frame = 1; frame < kMaxFrames; ++frame) {
    const Margins before = all;
    if (!take_off_all(picture, all, 0) || all == before) break;
  }
  if (!is_empty(picture.without(all))) add(all);
  const int rows = std::min(once[top], once[bottom]), columns = std::min(once[left], once[right]);
  add({rows, rows, columns, columns});

  std::vector<Area> areas;
  for (const Margins& off : std::span(found).subspan(1)) areas.push_back(picture.without(off));
  return areas;
}

}  // namespace portcullis::decoder

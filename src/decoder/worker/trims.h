// decoder/worker/trims.h: what is left of a picture when its uniform edges are taken off. Pure.
//
// PDQ does not find a picture again that was framed or letterboxed: a border of 2 % on each side is
// enough (docs/screening.md). So the fingerprints of what such edges enclose are asked as well.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "decoder/protocol.h"

namespace portcullis::decoder {

struct Area {
  int left = 0, top = 0, width = 0, height = 0;
  bool operator==(const Area&) const = default;
};

// The parts of a picture that deserve a fingerprint of their own, the likeliest first, at most
// kMaxTrims: without the edges of one colour (each side has its own); without bands that are
// interrupted, as by a caption or a logo; without all frames of several that lie within each
// other; and without the same on opposite sides, because a dark picture goes on where a black bar
// ends. None for a picture without such edges or of one colour; none that is nearly the whole or
// another one of them, or shorter than an eighth of a side.
// `rgb` holds width * height * 3 bytes, row by row.
std::vector<Area> trims_of(std::span<const std::uint8_t> rgb, int width, int height);

}  // namespace portcullis::decoder

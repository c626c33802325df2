// decoder/worker/pictures.h: from bytes to frames in memory. Only here and in the files beside it
// is libvips.
#pragma once

#include <vips/vips8>

#include <cstdint>
#include <string>
#include <vector>

#include "decoder/protocol.h"

namespace portcullis::decoder {

// The picture is at fault; becomes the reply. Thrown, because libvips throws as well and both end a
// job in one place.
struct NotTaken {
  std::string code;
  std::string what;
};

// Starts libvips with the loaders and savers of the six formats and no others.
void start_vips();
// Every codec once, so that whatever it opens is open before the lock.
void warm_up();
std::string vips_versions();

// What the header says; no pixel was decoded.
struct Head {
  Format format = Format::jpeg;
  std::uint32_t width = 0, height = 0;  // as stored
  std::uint32_t frames = 1;
  int orientation = 1;  // EXIF's 1..8
};
// Throws NotTaken when the job's formats or limits say no, vips::VError when the header is damaged.
Head read_head(ByteView bytes, const WireJob& job);

// All frames below each other, in sRGB, 8 or 16 bits, with or without alpha, turned upright, in
// memory.
struct Frames {
  vips::VImage strip;
  int width = 0, height = 0;  // of one frame
  int count = 1;
  std::vector<int> delays;  // milliseconds; empty for a still
  int loop = 0;
  bool has_alpha = false;      // some pixel is not opaque
  bool srgb_as_stored = true;  // no colour conversion was needed
  vips::VImage frame(int index) const {
    return count == 1 ? strip : strip.extract_area(0, index * height, width, height);
  }
};
// Decodes everything. `smallest_side` > 0: a JPEG may be decoded smaller, as long as both sides
// stay at least that.
Frames decode(ByteView bytes, const Head& head, int smallest_side);

// A frame over a background, 8 bits, three channels.
vips::VImage flat(const Frames& frames, int index, double background);
// Resized without keeping the aspect, antialiased.
vips::VImage resized(const vips::VImage& image, int width, int height);
Bytes rgb_of(const vips::VImage& image);

// The rendition's bytes (rendition.cc).
Bytes make_rendition(ByteView bytes, const Head& head, const Frames& frames);

}  // namespace portcullis::decoder

// decoder/worker/pictures.h: from bytes to frames in memory. Only here and in the files beside it
// is libvips.
//
// The rule that everything here serves: what is fingerprinted and shown to models is what the
// rendition shows. So a picture is decoded whole (a JPEG decoded smaller ignores coefficients that
// a browser does not), made sRGB by one judgement of its profile, and only then shrunk.
#pragma once

#include <vips/vips8>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "decoder/protocol.h"
#include "decoder/worker/profiles.h"

namespace portcullis::decoder {

// The picture is at fault; becomes the reply. Thrown, because libvips throws as well and both end a
// job in one place.
struct NotTaken {
  std::string code;
  std::string what;
};

// Starts libvips with the loaders and savers of its six formats and no others, and silences libav.
// Once; a second call does nothing.
void start_vips();
// Every codec once, so that whatever it opens is open before the lock.
void warm_up();
// Ours, libvips's, and a digest of the builds of all that is loaded now; call it after warm_up().
std::string versions();

// What the header says; no pixel was decoded.
struct Head {
  Format format = Format::jpeg;
  std::uint32_t width = 0, height = 0;  // as stored
  std::uint32_t frames = 1;
  int orientation = 1;   // EXIF's 1..8
  bool is_deep = false;  // 16 bits a channel
  bool is_cmyk = false;
  KnownProfile profile = KnownProfile::none;

  bool is_turned() const { return frames == 1 && orientation >= 5; }
  std::uint32_t shown_width() const { return is_turned() ? height : width; }
  std::uint32_t shown_height() const { return is_turned() ? width : height; }
};
// The format by the first bytes and, for PNG, by whether it moves. Throws NotTaken when it is none
// or when the job does not allow it.
Format format_of(ByteView bytes, const WireJob& job);
// Throws NotTaken when the job's formats or limits say no, or when the worker's memory could not
// hold the work; vips::VError when the header is damaged.
Head read_head(ByteView bytes, const WireJob& job);
// The header alone, by the format's own loader.
vips::VImage open_header(Format format, ByteView bytes);
std::uint32_t frames_of(const vips::VImage& header);

// All frames below each other, in sRGB, 8 or 16 bits, with or without alpha, turned upright, in
// memory. Where alpha is 0 the colour is 0 as well.
struct Frames {
  vips::VImage strip;
  int width = 0, height = 0;  // of one frame
  int count = 1;
  std::vector<int> delays;  // milliseconds; empty for a still
  int loop = 0;
  bool has_alpha = false;  // some pixel is not opaque
  vips::VImage frame(int index) const {
    return count == 1 ? strip : strip.extract_area(0, index * height, width, height);
  }
};
Frames decode(ByteView bytes, const Head& head);
// A JPEG from fewer of its coefficients: every side divided by a power of two, still at least twice
// as long as what the job's first operation makes of it. Nothing when that is not possible.
std::optional<Frames> decode_smaller(ByteView bytes, const Head& head, const WireJob& job);
// The first frame as a still.
Frames decode_first(ByteView bytes, const Head& head);

// The first of frames that are decoded, as a still.
Frames first_of(const Frames& frames);

// A frame over a background, 8 bits, three channels, in memory.
vips::VImage flat(const Frames& frames, int index, double background);
// Means over boxes of pixels, whole ones, of which none is left out. `picture` is 8 bits, three
// channels, in memory, and at least as large as the result.
vips::VImage box_means(const vips::VImage& picture, int width, int height);
// Shrunk by a whole number on each axis that stays at least `side` long; what resized() then has to
// do is little.
vips::VImage box_shrunk(const vips::VImage& picture, int side);
// Resized without keeping the aspect, antialiased.
vips::VImage resized(const vips::VImage& picture, int width, int height);
Bytes rgb_of(const vips::VImage& picture);

// The job's operations, one after the other, on every frame (operations.cc). `whole` is the size
// of the picture, which the frames may be a smaller version of.
Frames apply_operations(const Frames& frames, const WireJob& job, Size whole);

// Four by three components of the first frame over white.
std::string blurhash_of(const Frames& frames);

// Whether a picture with several frames is made into one that has as many.
bool keeps_frames(const Head& head, const WireJob& job);

struct Made {
  Bytes bytes;
  Format format = Format::jpeg;
  int width = 0, height = 0, frames = 1;
  std::string blurhash;  // of the first frame
};
// The rendition (rendition.cc): the frames after the job's operations, in the job's format. Throws
// NotTaken when it cannot be made.
Made make_rendition(ByteView bytes, const Head& head, const Frames& frames, const WireJob& job);
// The same of frames on which the job's operations were done already.
Made make_changed(ByteView bytes, const Head& head, const Frames& changed, const WireJob& job);

}  // namespace portcullis::decoder

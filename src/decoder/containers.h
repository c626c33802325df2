// decoder/containers.h: the little that must be known of a file's outer structure before or besides
// what libvips says. Pure, bounded by the size of the input. Private to the room.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace portcullis::decoder {

// An acTL chunk before the first IDAT makes a PNG an animation (APNG), of which libvips would show
// one frame only.
bool is_animated_png(ByteView bytes);

// Walks a GIF's blocks to its trailer. `whole` is false when it ends before that.
struct GifBlocks {
  bool whole = false;
  std::uint32_t frames = 0;
};
GifBlocks walk_gif(ByteView bytes);

// Whether a JPEG's frame is coded progressively.
bool is_progressive_jpeg(ByteView bytes);

// Whether a still WebP's picture is in a VP8L chunk.
bool is_lossless_webp(ByteView bytes);

// Whether everything in an AVIF's "meta" boxes is AV1, put together of AV1, or metadata. A brand
// says "avif" of whatever its writer likes, and libheif then hands HEVC to a decoder that is never
// to see a stranger's bytes. False for boxes that are damaged or none.
bool holds_only_av1(ByteView bytes);

// Where the JPEG segment that begins at `place` (its 0xFF) ends; 0 when there is no well-formed
// one.
std::size_t jpeg_segment_end(ByteView bytes, std::size_t place);

}  // namespace portcullis::decoder

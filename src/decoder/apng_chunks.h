// decoder/apng_chunks.h: the chunks of an animated PNG. Pure, bounded by the size of the input.
// Private to the room.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace portcullis::decoder {

struct Apng {
  std::uint32_t width = 0, height = 0;
  std::uint32_t plays = 0;  // 0: for ever
  std::vector<int> delays;  // milliseconds, of each frame
  // Header, palette, transparency and frames, and nothing else: no text, no profile, nothing after
  // the end, and no picture that is not part of the animation.
  Bytes bytes;
};
// Fails with "command-failure" when chunks are missing, truncated or contradict each other, and
// with "validate-frames" beyond `max_frames`.
Result<Apng> read_apng(ByteView bytes, std::uint32_t max_frames);

// A PNG with one picture as an animation of one frame.
Bytes as_apng(ByteView png);

}  // namespace portcullis::decoder

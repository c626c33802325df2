// decoder/coded_video.h: what of a video's coded data is pictures, and nothing else. Whatever no
// decoder needs (messages to the user, padding, pictures for other eyes) is left out. Pure, bounded
// by the size of the input. Private to the room.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace portcullis::decoder {

// The parameter sets of an H.264 track ("avcC").
struct H264Sets {
  std::size_t length_size = 4;  // bytes of a unit's length in a sample: 1, 2 or 4
  std::vector<Bytes> sequence, picture;
};
Result<H264Sets> read_avcc(ByteView bytes);
Bytes write_avcc(const H264Sets& sets);

// A sample with its slices alone, each with a length of four bytes. A parameter set in it must be
// one of the track's: a decoder that takes only those would show another picture.
Result<Bytes> clean_h264(ByteView sample, const H264Sets& sets);

// A temporal unit with its sequence header, frame headers and tiles alone.
Result<Bytes> clean_av1(ByteView unit);
// The same of "av1C".
Result<Bytes> clean_av1c(ByteView bytes);

// Vorbis's three headers as libav has them, with an empty comment.
Result<Bytes> clean_vorbis_headers(ByteView bytes);

}  // namespace portcullis::decoder

// decoder/movie_files.h: the outer structure of MP4 and WebM, before libav reads it: what makes one
// file show several things to several readers, or costs more memory than its size says, is refused.
// Pure, bounded by the size of the input. Private to the room.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace portcullis::decoder {

// An entry of a track's edit list: `duration` in the film's time (0: to the end), `start` in the
// track's, -1 for a pause.
struct Edit {
  std::uint64_t duration = 0;
  std::int64_t start = 0;
  std::uint32_t rate = 0x10000;  // 16.16
};

// The boxes of an MP4 or QuickTime file.
struct Mp4Outline {
  std::size_t end = 0;         // of the last box; what comes after is none
  std::size_t movie_size = 0;  // of "moov" in bytes
  std::uint32_t time_scale = 0;
  // Of the one track with pictures.
  std::uint32_t track_time_scale = 0;
  std::vector<Edit> edits;
};
// Fails with code "command-failure" unless there is one film with one track of pictures that is
// switched on, has one description and lies in this file; with "validate-frames" when its table
// counts more than `max_frames`.
Result<Mp4Outline> read_mp4_outline(ByteView bytes, std::uint32_t max_frames);

// Where the one segment of a WebM ends. Fails with "command-failure" when it is truncated or
// another follows it.
Result<std::size_t> webm_end(ByteView bytes);

}  // namespace portcullis::decoder

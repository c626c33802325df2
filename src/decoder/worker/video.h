// decoder/worker/video.h: MP4 and WebM. A video is not coded anew: its packets are taken out of the
// container, cleaned of what is no picture, and put into a new container, which holds nothing else.
//
// The rule of pictures.h holds here as well: what is looked at is decoded from the new container,
// every frame of it.
#pragma once

#include <functional>

#include "decoder/worker/libav.h"
#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

enum class Container : std::uint8_t { mp4, webm };

struct VideoRules {
  Limits limits;  // of the video as shown
  bool allow_audio = false;
  std::uint64_t memory = 0;  // bytes that the worker may use; 0: no limit
};

// A rebuilt video: one track of pictures, one of sound at most, and nothing else.
struct Video {
  Container container = Container::mp4;
  Bytes bytes;
  int width = 0, height = 0;  // as shown
  int turn = 0;               // clockwise, in degrees: 0, 90, 180 or 270
  std::uint32_t samples = 0;  // coded frames; some of VP8 and VP9 are never shown
  bool has_audio = false;
};

// Throws NotTaken with "validate-width", "validate-height", "validate-area", "validate-frames" or
// "validate-file-size" before a frame is decoded, and with "command-failure" for what is damaged,
// has other codecs, several tracks of pictures or several films, or hides frames by an edit list.
Video rebuild_video(ByteView bytes, Container container, const VideoRules& rules);

// Decodes all frames in the order in which they are shown. `on_frame` gets each with the time at
// which it is shown, in milliseconds, and returns false to see no more. Gives the number of frames
// that were shown. Throws NotTaken unless all are whole and of the same size and kind.
using OnVideoFrame = std::function<bool(const AVFrame& frame, std::int64_t time)>;
std::uint32_t each_frame(const Video& video, const OnVideoFrame& on_frame);

// Every decoder, container and conversion once, so that whatever it sets up is there before the
// lock.
void warm_up_video();

// A frame in sRGB, 8 bits, three channels, turned upright, in memory. With `shrink` its sides are
// that many times shorter, each pixel the mean of all that it stands for.
vips::VImage picture_of(const AVFrame& frame, int turn, int shrink = 1);
// The first frame as a still.
Frames first_frame(const Video& video);

}  // namespace portcullis::decoder

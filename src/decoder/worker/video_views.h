// decoder/worker/video_views.h: what is looked at of a video.
#pragma once

#include "decoder/worker/video.h"
#include "decoder/worker/views.h"

namespace portcullis::decoder {

// A job whose file is a video: fingerprints and views, and the rebuilt video or, for a still
// format, its first frame.
Done do_video_job(ByteView bytes, Format format, const WireJob& job);

}  // namespace portcullis::decoder

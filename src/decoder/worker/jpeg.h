// decoder/worker/jpeg.h: rebuilding a JPEG without touching its coded pixels.
#pragma once

#include <optional>

#include "base/bytes.h"

namespace portcullis::decoder {

// The same coefficients in a new stream, turned upright by `orientation` (EXIF's 1..8) when that
// loses nothing; no metadata, no second picture, nothing after the end. Nothing when it cannot be
// done without loss: then the caller encodes anew.
std::optional<Bytes> rebuild_jpeg(ByteView bytes, int orientation);

// `jpeg` with an ICC profile put in after its first segment.
Bytes with_profile(const Bytes& jpeg, ByteView profile);

}  // namespace portcullis::decoder

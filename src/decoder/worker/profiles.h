// decoder/worker/profiles.h: which colour profile a JPEG may keep.
#pragma once

#include <vips/vips8>

#include "base/bytes.h"

namespace portcullis::decoder {

enum class KnownProfile { none, srgb, display_p3, other };

// Judges the embedded profile by what it does to colours: one that moves no colour away from sRGB
// or from Display P3 by more than rounding is that space, whoever wrote it. `none`: there is no
// profile.
KnownProfile known_profile(const vips::VImage& image);

// Our own Display P3 profile, which takes the place of an embedded one of the same effect.
Bytes display_p3_profile();

}  // namespace portcullis::decoder

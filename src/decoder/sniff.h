// decoder/sniff.h: which format a file has, by its first bytes alone. Pure; reads at most
// kSniffBytes. Private to the room.
#pragma once

#include <optional>

#include "decoder/decoder.h"

namespace portcullis::decoder {

inline constexpr std::size_t kSniffBytes = 128;

// The formats that may be decoded; nothing for any other, HEIC and animated AVIF among them. An
// animated PNG is a PNG here: see is_animated_png().
std::optional<Format> sniff(ByteView head);

}  // namespace portcullis::decoder

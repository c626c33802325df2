// decoder/blurhash.h: a few words of text that stand for a blurred picture (the BlurHash format,
// blurha.sh). Private to the room. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace portcullis::decoder {

// `rgb`: 8-bit sRGB, width * height * 3 bytes; a few dozen pixels on each side say as much as more.
// Four components across and three down, or the other way round for a picture that is higher than
// wide.
std::string blurhash(ByteView rgb, int width, int height);

// Whether its length fits the number of components that its first character tells, and its
// characters are those of base 83.
bool is_blurhash(std::string_view text);

}  // namespace portcullis::decoder

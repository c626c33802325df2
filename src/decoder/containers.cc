#include "decoder/containers.h"

#include <algorithm>

namespace portcullis::decoder {

namespace {

unsigned at(ByteView bytes, std::size_t place) { return std::to_integer<unsigned>(bytes[place]); }

// Bytes of a colour table that `flags` announces.
std::size_t table_size(unsigned flags) {
  return (flags & 0x80) != 0 ? std::size_t{3} << ((flags & 7) + 1) : 0;
}

// Past a chain of sub-blocks, its empty last one included; beyond the end if there is none.
std::size_t skip_sub_blocks(ByteView bytes, std::size_t place) {
  while (place < bytes.size()) {
    const unsigned length = at(bytes, place);
    place += 1 + length;
    if (length == 0) return place;
  }
  return bytes.size() + 1;
}

}  // namespace

bool is_animated_png(ByteView bytes) {
  for (std::size_t place = 8; place + 12 <= bytes.size();) {
    const std::string_view kind = as_text(bytes.subspan(place + 4, 4));
    if (kind == "acTL") return true;
    if (kind == "IDAT") return false;
    const std::size_t length = std::size_t{at(bytes, place)} << 24 | at(bytes, place + 1) << 16 |
                               at(bytes, place + 2) << 8 | at(bytes, place + 3);
    place += 12 + length;
  }
  return false;
}

GifBlocks walk_gif(ByteView bytes) {
  GifBlocks found;
  if (bytes.size() < 13) return found;
  std::size_t place = 13 + table_size(at(bytes, 10));
  while (place < bytes.size()) {
    switch (at(bytes, place)) {
      case 0x3B:
        found.whole = true;
        return found;
      case 0x21:
        place = skip_sub_blocks(bytes, place + 2);
        break;
      case 0x2C:
        if (place + 11 > bytes.size()) return found;
        ++found.frames;
        place = skip_sub_blocks(bytes, place + 10 + table_size(at(bytes, place + 9)) + 1);
        break;
      default:
        return found;
    }
  }
  return found;
}

std::size_t jpeg_segment_end(ByteView bytes, std::size_t place) {
  if (place + 4 > bytes.size() || at(bytes, place) != 0xFF) return 0;
  const std::size_t length = at(bytes, place + 2) << 8 | at(bytes, place + 3);
  return length < 2 || place + 2 + length > bytes.size() ? 0 : place + 2 + length;
}

bool is_progressive_jpeg(ByteView bytes) {
  for (std::size_t place = 2; const std::size_t end = jpeg_segment_end(bytes, place); place = end) {
    const unsigned marker = at(bytes, place + 1);
    if (marker == 0xC2 || marker == 0xCA) return true;  // SOF2, SOF10
    if (marker == 0xDA || (marker >= 0xC0 && marker <= 0xC3))
      return false;  // SOS, SOF0, SOF1, SOF3
  }
  return false;
}

bool is_lossless_webp(ByteView bytes) {
  std::size_t place = 12;
  while (place + 8 <= bytes.size()) {
    const std::string_view kind = as_text(bytes.subspan(place, 4));
    if (kind == "VP8L") return true;
    if (kind == "VP8 ") return false;
    const std::size_t length = at(bytes, place + 4) | at(bytes, place + 5) << 8 |
                               at(bytes, place + 6) << 16 | std::size_t{at(bytes, place + 7)} << 24;
    place += 8 + length + length % 2;
  }
  return false;
}

}  // namespace portcullis::decoder

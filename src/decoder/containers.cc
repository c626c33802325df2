#include "decoder/containers.h"

#include <algorithm>
#include <array>
#include <optional>

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

// `length` bytes, the highest first; they must be there.
std::uint64_t number(ByteView bytes, std::size_t place, std::size_t length) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < length; ++i) value = value << 8 | at(bytes, place + i);
  return value;
}

// A box of ISO/IEC 14496-12.
struct Box {
  std::string_view kind;
  ByteView content;
};

// Takes the first box off `rest`; nothing when it does not fit.
std::optional<Box> take_box(ByteView& rest) {
  if (rest.size() < 8) return std::nullopt;
  std::uint64_t size = number(rest, 0, 4);
  std::size_t head = 8;
  if (size == 1) {
    if (rest.size() < 16) return std::nullopt;
    size = number(rest, 8, 8);
    head = 16;
  } else if (size == 0) {
    size = rest.size();  // to the end
  }
  if (size < head || size > rest.size()) return std::nullopt;
  const Box box{as_text(rest.subspan(4, 4)), rest.subspan(head, size - head)};
  rest = rest.subspan(size);
  return box;
}

// An entry of "iinf". Older versions of it cannot say what an item is.
bool is_known_item(const Box& box) {
  constexpr std::array<std::string_view, 8> kKnown{"av01", "grid", "iden", "iovl",
                                                   "tmap", "Exif", "mime", "uri "};
  if (box.kind != "infe" || box.content.size() < 4) return false;
  const unsigned version = at(box.content, 0);
  if (version != 2 && version != 3) return false;
  const std::size_t place = version == 2 ? 8 : 10;  // after flags, number and protection
  return box.content.size() >= place + 4 &&
         std::ranges::find(kKnown, as_text(box.content.subspan(place, 4))) != kKnown.end();
}

bool are_known_items(ByteView iinf) {
  if (iinf.empty()) return false;
  const std::size_t head = at(iinf, 0) == 0 ? 6 : 8;
  if (iinf.size() < head) return false;
  for (ByteView rest = iinf.subspan(head); !rest.empty();)
    if (const auto item = take_box(rest); !item || !is_known_item(*item)) return false;
  return true;
}

}  // namespace

bool holds_only_av1(ByteView bytes) {
  bool has_items = false;
  for (ByteView rest = bytes; !rest.empty();) {
    const auto box = take_box(rest);
    // What follows the last box is no concern of libheif's either, once there was a picture.
    if (!box) return has_items;
    if (box->kind != "meta") continue;
    if (box->content.size() < 4) return false;
    for (ByteView inner = box->content.subspan(4); !inner.empty();) {
      const auto part = take_box(inner);
      if (!part) return false;
      if (part->kind != "iinf") continue;
      if (!are_known_items(part->content)) return false;
      has_items = true;
    }
  }
  return has_items;
}

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

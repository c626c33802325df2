#include "decoder/sniff.h"

#include <algorithm>

namespace portcullis::decoder {

namespace {

using namespace std::string_view_literals;

// ISO base media: a "ftyp" box whose brands name AVIF. "avis" is a sequence of pictures, which
// nothing here can read.
bool is_avif(std::string_view head) {
  if (head.size() < 16 || head.substr(4, 4) != "ftyp") return false;
  const auto size = (static_cast<std::size_t>(static_cast<unsigned char>(head[2])) << 8) |
                    static_cast<unsigned char>(head[3]);
  if (head[0] != 0 || head[1] != 0 || size < 16) return false;
  const std::string_view box = head.substr(0, std::min(size, head.size()));
  bool still = box.substr(8, 4) == "avif";
  if (box.substr(8, 4) == "avis") return false;
  for (std::size_t at = 16; at + 4 <= box.size(); at += 4) {
    if (box.substr(at, 4) == "avis") return false;
    still = still || box.substr(at, 4) == "avif";
  }
  return still;
}

}  // namespace

std::optional<Format> sniff(ByteView bytes) {
  const std::string_view head = as_text(bytes.first(std::min(bytes.size(), kSniffBytes)));
  if (head.starts_with("\xFF\xD8\xFF"sv)) return Format::jpeg;
  if (head.starts_with("\x89PNG\r\n\x1A\n"sv)) return Format::png;
  if (head.starts_with("GIF87a"sv) || head.starts_with("GIF89a"sv)) return Format::gif;
  if (head.size() >= 16 && head.starts_with("RIFF"sv) && head.substr(8, 7) == "WEBPVP8"sv)
    return Format::webp;
  if (head.starts_with("\xFF\x0A"sv) || head.starts_with("\0\0\0\x0CJXL \r\n\x87\n"sv))
    return Format::jxl;
  if (is_avif(head)) return Format::avif;
  return std::nullopt;
}

}  // namespace portcullis::decoder

#include "decoder/sniff.h"

#include <algorithm>
#include <vector>

namespace portcullis::decoder {

namespace {

using namespace std::string_view_literals;

// ISO base media: a "ftyp" box, and the brands that it names, the first one foremost.
std::vector<std::string_view> brands_of(std::string_view head) {
  if (head.size() < 16 || head.substr(4, 4) != "ftyp") return {};
  const auto size = (static_cast<std::size_t>(static_cast<unsigned char>(head[2])) << 8) |
                    static_cast<unsigned char>(head[3]);
  if (head[0] != 0 || head[1] != 0 || size < 16) return {};
  const std::string_view box = head.substr(0, std::min(size, head.size()));
  std::vector<std::string_view> brands{box.substr(8, 4)};
  for (std::size_t at = 16; at + 4 <= box.size(); at += 4) brands.push_back(box.substr(at, 4));
  return brands;
}

bool names(const std::vector<std::string_view>& brands,
           std::initializer_list<std::string_view> wanted) {
  return std::ranges::find_first_of(brands, wanted) != brands.end();
}

// "avis" is a sequence of pictures, which nothing here can read; the others are of HEIF with codecs
// that are not taken.
std::optional<Format> base_media(std::string_view head) {
  const auto brands = brands_of(head);
  if (names(brands, {"avis"})) return std::nullopt;
  if (names(brands, {"avif"})) return Format::avif;
  if (names(brands, {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"}))
    return std::nullopt;
  if (names(brands,
            {"isom", "iso2", "iso3", "iso4", "iso5", "iso6", "iso7", "iso8", "iso9", "mp41",
             "mp42", "avc1", "av01", "M4V ", "M4VH", "M4VP", "f4v ", "MSNV", "dash", "qt  "}))
    return Format::mp4;
  return std::nullopt;
}

// EBML whose document type is "webm"; Matroska has others. Its length, 4, may be written in one to
// eight bytes, of which the first says how many there are.
bool is_webm(std::string_view head) {
  constexpr std::string_view kType = "\x42\x82"sv, kWebm = "webm"sv;
  if (!head.starts_with("\x1A\x45\xDF\xA3"sv)) return false;
  const auto type = head.find(kType);
  if (type == std::string_view::npos) return false;
  std::string_view length = head.substr(type + kType.size());
  for (std::size_t bytes = 1; bytes <= 8; ++bytes) {
    std::string written(bytes, '\0');
    written.front() = static_cast<char>(0x80 >> (bytes - 1));
    written.back() = static_cast<char>(written.back() | 4);
    if (length.starts_with(written + std::string(kWebm))) return true;
  }
  return false;
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
  if (is_webm(head)) return Format::webm;
  return base_media(head);
}

}  // namespace portcullis::decoder

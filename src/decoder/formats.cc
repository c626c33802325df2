#include "decoder/decoder.h"

namespace portcullis::decoder {

namespace {
struct Names {
  Format format;
  std::string_view name, extension, content_type;
};
constexpr Names kNames[kFormats] = {
    {Format::jpeg, "jpeg", ".jpeg", "image/jpeg"}, {Format::png, "png", ".png", "image/png"},
    {Format::webp, "webp", ".webp", "image/webp"}, {Format::gif, "gif", ".gif", "image/gif"},
    {Format::avif, "avif", ".avif", "image/avif"}, {Format::jxl, "jxl", ".jxl", "image/jxl"},
    {Format::apng, "apng", ".apng", "image/apng"}, {Format::mp4, "mp4", ".mp4", "video/mp4"},
    {Format::webm, "webm", ".webm", "video/webm"},
};
const Names& names_of(Format format) {
  PORTCULLIS_CHECK(static_cast<std::size_t>(format) < kFormats);
  return kNames[static_cast<std::size_t>(format)];
}
}  // namespace

std::string_view name(Format format) { return names_of(format).name; }
std::string_view extension(Format format) { return names_of(format).extension; }
std::string_view content_type(Format format) { return names_of(format).content_type; }

std::optional<Format> format_from(std::string_view name) {
  for (const Names& names : kNames)
    if (names.name == name) return names.format;
  return std::nullopt;
}

}  // namespace portcullis::decoder

// testing/pictures.h: ordinary pictures made by libvips, for tests of the decoder. Only those may
// include it.
#pragma once

#include <vips/vips8>

#include <boost/crc.hpp>
#include <vector>

#include "base/bytes.h"

namespace portcullis::testing {

inline Bytes bytes_of(VipsBlob* blob) {
  std::size_t size = 0;
  const auto* data = static_cast<const std::byte*>(vips_blob_get(blob, &size));
  Bytes bytes(data, data + size);
  vips_area_unref(VIPS_AREA(blob));
  return bytes;
}

// A soft landscape of colours with a dark square in one corner, so that no two turns of it are
// alike. sRGB, 8 bits.
inline vips::VImage landscape(int width, int height) {
  using vips::VImage;
  const VImage places = VImage::xyz(width, height);
  const VImage x = places.extract_band(0) * (6.28 / width),
               y = places.extract_band(1) * (6.28 / height);
  VImage image = ((x * 57.3).sin() * 90.0 + (y * 100.0).cos() * 30.0 + 128.0)
                     .bandjoin((x * 30.0 + y * 80.0).sin() * 100.0 + 128.0)
                     .bandjoin((y * 57.3).cos() * 100.0 + 120.0)
                     .cast(VIPS_FORMAT_UCHAR)
                     .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
                     .copy_memory();
  image.draw_rect({10, 10, 10}, width / 16, height / 16, width / 4, height / 4,
                  VImage::option()->set("fill", true));
  return image;
}

// The largest difference of any channel of any pixel; 255 when the shapes differ.
inline double difference(const vips::VImage& a, const vips::VImage& b) {
  if (a.width() != b.width() || a.height() != b.height() || a.bands() != b.bands()) return 255;
  return (a - b).abs().max();
}

inline vips::VImage opened(const Bytes& bytes) {
  return vips::VImage::new_from_buffer(bytes.data(), bytes.size(), "").copy_memory();
}

inline vips::VOption* option() { return vips::VImage::option(); }
inline Bytes jpeg(const vips::VImage& image, vips::VOption* options = option()) {
  return bytes_of(image.jpegsave_buffer(options));
}
inline Bytes png(const vips::VImage& image, vips::VOption* options = option()) {
  return bytes_of(image.pngsave_buffer(options));
}
inline Bytes webp(const vips::VImage& image, vips::VOption* options = option()) {
  return bytes_of(image.webpsave_buffer(options));
}
inline Bytes gif(const vips::VImage& image, vips::VOption* options = option()) {
  return bytes_of(image.gifsave_buffer(options));
}
inline Bytes avif(const vips::VImage& image, vips::VOption* options = option()) {
  return bytes_of(image.heifsave_buffer(
      options->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1)->set("effort", 0)));
}
inline Bytes jxl(const vips::VImage& image, vips::VOption* options = option()) {
  return bytes_of(image.jxlsave_buffer(options->set("effort", 3)));
}

// Each frame is the one before, moved; GIF and WebP are saved with as many.
inline vips::VImage animation(int frames, int width = 120, int height = 80) {
  vips::VImage strip = landscape(width, height);
  for (int i = 1; i < frames; ++i)
    strip = strip.join(landscape(width, height).wrap(option()->set("x", i * 7)),
                       VIPS_DIRECTION_VERTICAL);
  strip = strip.copy_memory().copy();
  strip.set(VIPS_META_PAGE_HEIGHT, height);
  strip.set("delay", std::vector<int>(static_cast<std::size_t>(frames), 80));
  return strip;
}

// The same with shapes on it: enough for PDQ to recognise even when it is small or in false
// colours.
inline vips::VImage drawing(int width, int height) {
  vips::VImage image = landscape(width, height);
  for (int i = 0; i < 12; ++i)
    image.draw_rect({i * 20.0, 255 - i * 20.0, i * 90 % 256 * 1.0}, i * 37 % 76 * width / 96,
                    i * 23 % 52 * height / 64, (8 + i) * width / 96, 12 * height / 64,
                    option()->set("fill", true));
  return image;
}

// Its green channel as a picture of greys.
inline vips::VImage grey_of(const vips::VImage& image) {
  return image.extract_band(1)
      .copy(option()->set("interpretation", VIPS_INTERPRETATION_B_W))
      .copy_memory();
}

// The same at 16 bits a channel.
inline vips::VImage deep(const vips::VImage& image) {
  return (image.cast(VIPS_FORMAT_USHORT) * 257)
      .cast(VIPS_FORMAT_USHORT)
      .copy(option()->set("interpretation", VIPS_INTERPRETATION_RGB16))
      .copy_memory();
}

inline void put(Bytes& into, ByteView bytes) {
  into.insert(into.end(), bytes.begin(), bytes.end());
}
inline void put(Bytes& into, std::string_view text) { put(into, as_bytes(text)); }
// The highest byte first.
inline void put_number(Bytes& into, std::uint64_t value, unsigned length = 4) {
  while (length-- > 0) into.push_back(static_cast<std::byte>(value >> 8 * length));
}
inline Bytes joined(std::initializer_list<ByteView> parts) {
  Bytes all;
  for (const ByteView part : parts) put(all, part);
  return all;
}

inline Bytes png_chunk(std::string_view kind, ByteView content) {
  Bytes bytes;
  put_number(bytes, content.size());
  put(bytes, kind);
  put(bytes, content);
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data() + 4, bytes.size() - 4);
  put_number(bytes, crc.checksum());
  return bytes;
}
// `png` with `chunks` after its header.
inline Bytes with_chunks(const Bytes& png, ByteView chunks) {
  constexpr std::size_t kHeaderEnd = 33;
  return joined({ByteView(png).first(kHeaderEnd), chunks, ByteView(png).subspan(kHeaderEnd)});
}

// `jpeg` with a segment before its first one. At most 65,533 bytes.
inline Bytes with_segment(const Bytes& jpeg, unsigned marker, ByteView content) {
  Bytes segment{std::byte{0xFF}, static_cast<std::byte>(marker)};
  put_number(segment, content.size() + 2, 2);
  put(segment, content);
  return joined({ByteView(jpeg).first(2), segment, ByteView(jpeg).subspan(2)});
}

// Stands for whatever is hidden in a file.
inline constexpr std::string_view kSecret = "SECRET-PAYLOAD-7f3a";

// Whether `needle` stands anywhere in `bytes`.
inline bool holds(const Bytes& bytes, std::string_view needle) {
  return as_text(bytes).find(needle) != std::string_view::npos;
}

}  // namespace portcullis::testing

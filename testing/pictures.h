// testing/pictures.h: ordinary pictures made by libvips, for tests of the decoder. Only those may
// include it.
#pragma once

#include <vips/vips8>

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

// Whether `needle` stands anywhere in `bytes`.
inline bool holds(const Bytes& bytes, std::string_view needle) {
  return as_text(bytes).find(needle) != std::string_view::npos;
}

}  // namespace portcullis::testing

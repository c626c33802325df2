#include "decoder/worker/profiles.h"

#include <algorithm>
#include <cstdint>

namespace portcullis::decoder {

using vips::VImage;

namespace {

constexpr double kRounding = 3;  // of 255; two profiles' tables round differently

// 9 x 9 x 9 colours, the corners and greys of the cube among them. The image owns its pixels.
VImage sample_colours() {
  constexpr std::size_t kSize = 9 * 9 * 9 * 3;
  auto* pixels = static_cast<std::uint8_t*>(g_malloc(kSize));
  std::uint8_t* next = pixels;
  for (int r = 0; r < 9; ++r)
    for (int g = 0; g < 9; ++g)
      for (int b = 0; b < 9; ++b)
        for (const int value : {r, g, b})
          *next++ = static_cast<std::uint8_t>(std::min(255, value * 32));
  return VImage::new_from_memory_steal(pixels, kSize, 81, 9, 3, VIPS_FORMAT_UCHAR)
      .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
}

VImage through(const VImage& colours, const void* profile, std::size_t size) {
  VImage tagged = colours.copy();
  tagged.set(VIPS_META_ICC_NAME, nullptr, const_cast<void*>(profile), size);
  return tagged
      .icc_transform("srgb",
                     VImage::option()->set("embedded", true)->set("intent", VIPS_INTENT_RELATIVE))
      .copy_memory();
}

bool equal(const VImage& a, const VImage& b) { return (a - b).abs().max() <= kRounding; }

}  // namespace

Bytes display_p3_profile() {
  VipsBlob* blob = nullptr;
  if (vips_profile_load("p3", &blob, nullptr) != 0) throw vips::VError();
  std::size_t size = 0;
  const void* data = vips_blob_get(blob, &size);
  const auto* from = static_cast<const std::byte*>(data);
  Bytes bytes(from, from + size);
  vips_area_unref(VIPS_AREA(blob));
  return bytes;
}

KnownProfile known_profile(const VImage& image) {
  if (image.get_typeof(VIPS_META_ICC_NAME) == 0) return KnownProfile::none;
  if (image.bands() < 3 || image.interpretation() == VIPS_INTERPRETATION_CMYK)
    return KnownProfile::other;
  std::size_t size = 0;
  const void* profile = image.get_blob(VIPS_META_ICC_NAME, &size);
  try {
    const VImage colours = sample_colours();
    const VImage seen = through(colours, profile, size);
    if (equal(seen, colours)) return KnownProfile::srgb;
    const Bytes p3 = display_p3_profile();
    if (equal(seen, through(colours, p3.data(), p3.size()))) return KnownProfile::display_p3;
  } catch (const vips::VError&) {
    vips_error_clear();  // a profile that cannot be used is some other one
  }
  return KnownProfile::other;
}

}  // namespace portcullis::decoder

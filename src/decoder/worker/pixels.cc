#include <algorithm>
#include <cstring>
#include <vector>

#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

using vips::VImage;

Frames first_of(const Frames& frames) {
  Frames first = frames;
  first.strip = frames.frame(0).copy_memory();
  first.count = 1;
  first.delays.clear();
  return first;
}

VImage flat(const Frames& frames, int index, double background) {
  VImage image = frames.frame(index);
  if (frames.count == 1 && image.format() == VIPS_FORMAT_UCHAR && image.bands() == 3)
    return image;  // is so already
  const bool deep = image.format() == VIPS_FORMAT_USHORT;
  if (image.has_alpha())
    image = image.flatten(
        VImage::option()
            ->set("background", std::vector<double>(3, deep ? background * 257 : background))
            ->set("max_alpha", deep ? 65535.0 : 255.0));
  if (deep) image = (image / 257.0).rint().cast(VIPS_FORMAT_UCHAR);
  return image.copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
      .copy_memory();
}

// libvips's own shrink takes ten times as long without generated code.
VImage box_means(const VImage& picture, int width, int height) {
  const auto from_width = static_cast<std::size_t>(picture.width()),
             from_height = static_cast<std::size_t>(picture.height()),
             columns = static_cast<std::size_t>(width), rows = static_cast<std::size_t>(height);
  if (columns == from_width && rows == from_height) return picture;
  PORTCULLIS_CHECK(columns > 0 && rows > 0 && columns <= from_width && rows <= from_height);

  constexpr std::size_t kBands = 3;
  const auto* from = static_cast<const std::uint8_t*>(picture.data());
  auto* pixels = static_cast<std::uint8_t*>(g_malloc(columns * rows * kBands));
  std::uint8_t* into = pixels;
  std::vector<std::uint32_t> sums(from_width * kBands);  // of the rows that make one
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t top = row * from_height / rows, bottom = (row + 1) * from_height / rows;
    std::ranges::fill(sums, 0);
    for (std::size_t y = top; y < bottom; ++y) {
      const std::uint8_t* channel = from + y * sums.size();
      std::uint32_t* const sum = sums.data();
      for (std::size_t i = 0; i < sums.size(); ++i) sum[i] += channel[i];
    }
    const std::uint32_t* sum = sums.data();
    std::size_t left = 0;
    for (std::size_t column = 0; column < columns; ++column) {
      const std::size_t right = (column + 1) * from_width / columns;
      const auto area = static_cast<std::uint32_t>((bottom - top) * (right - left));
      std::uint32_t red = 0, green = 0, blue = 0;
      for (; left < right; ++left, sum += kBands) {
        red += sum[0];
        green += sum[1];
        blue += sum[2];
      }
      for (const std::uint32_t total : {red, green, blue})
        *into++ = static_cast<std::uint8_t>((total + area / 2) / area);
    }
  }
  return VImage::new_from_memory_steal(pixels, columns * rows * kBands, width, height, kBands,
                                       VIPS_FORMAT_UCHAR)
      .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
}

VImage box_shrunk(const VImage& picture, int side) {
  const auto shorter = [side](int length) { return length / std::max(1, length / side); };
  return box_means(picture, shorter(picture.width()), shorter(picture.height()));
}

VImage resized(const VImage& picture, int width, int height) {
  if (picture.width() == width && picture.height() == height) return picture;
  VImage result = picture.resize(static_cast<double>(width) / picture.width(),
                                 VImage::option()
                                     ->set("vscale", static_cast<double>(height) / picture.height())
                                     ->set("kernel", VIPS_KERNEL_LINEAR));
  if (result.width() != width || result.height() != height)  // rounding
    result = result.gravity(VIPS_COMPASS_DIRECTION_CENTRE, width, height,
                            VImage::option()->set("extend", VIPS_EXTEND_COPY));
  return result;
}

Bytes rgb_of(const VImage& picture) {
  std::size_t size = 0;
  void* data = picture.write_to_memory(&size);
  Bytes bytes(size);
  std::memcpy(bytes.data(), data, size);
  g_free(data);
  if (picture.bands() != 3 || size != static_cast<std::size_t>(picture.width()) *
                                          static_cast<std::size_t>(picture.height()) * 3)
    throw NotTaken{"command-failure", "a picture of another shape"};
  return bytes;
}

}  // namespace portcullis::decoder

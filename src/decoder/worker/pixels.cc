#include <algorithm>
#include <cstring>
#include <vector>

#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

using vips::VImage;

VImage flat(const Frames& frames, int index, double background) {
  VImage image = frames.frame(index);
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
VImage box_shrunk(const VImage& picture, int side) {
  const auto width = static_cast<std::size_t>(picture.width()),
             height = static_cast<std::size_t>(picture.height()),
             least = static_cast<std::size_t>(side);
  const std::size_t columns = width / std::max<std::size_t>(1, width / least),
                    rows = height / std::max<std::size_t>(1, height / least);
  if (columns == width && rows == height) return picture;

  constexpr std::size_t kBands = 3;
  const auto* from = static_cast<const std::uint8_t*>(picture.data());
  auto* pixels = static_cast<std::uint8_t*>(g_malloc(columns * rows * kBands));
  std::uint8_t* into = pixels;
  std::vector<std::uint32_t> sums(columns * kBands);
  // Box i of n on an axis is [i * length / n, (i + 1) * length / n): no pixel is left out.
  std::vector<std::size_t> edges(columns + 1);
  for (std::size_t i = 0; i <= columns; ++i) edges[i] = i * width / columns;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t top = row * height / rows, bottom = (row + 1) * height / rows;
    std::ranges::fill(sums, 0);
    for (std::size_t y = top; y < bottom; ++y) {
      const std::uint8_t* pixel = from + y * width * kBands;
      for (std::size_t i = 0; i < columns; ++i) {
        std::uint32_t red = 0, green = 0, blue = 0;
        for (std::size_t x = edges[i]; x < edges[i + 1]; ++x, pixel += kBands) {
          red += pixel[0];
          green += pixel[1];
          blue += pixel[2];
        }
        sums[i * kBands] += red;
        sums[i * kBands + 1] += green;
        sums[i * kBands + 2] += blue;
      }
    }
    for (std::size_t i = 0; i < columns; ++i) {
      const auto area = static_cast<std::uint32_t>((bottom - top) * (edges[i + 1] - edges[i]));
      for (std::size_t band = 0; band < kBands; ++band)
        *into++ = static_cast<std::uint8_t>((sums[i * kBands + band] + area / 2) / area);
    }
  }
  return VImage::new_from_memory_steal(pixels, columns * rows * kBands, static_cast<int>(columns),
                                       static_cast<int>(rows), kBands, VIPS_FORMAT_UCHAR)
      .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
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

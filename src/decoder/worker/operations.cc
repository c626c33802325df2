#include <cmath>

#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

using vips::VImage;

namespace {

VipsKernel kernel_of(Kernel kernel) {
  switch (kernel) {
    case Kernel::lanczos2:
      return VIPS_KERNEL_LANCZOS2;
    case Kernel::lanczos3:
      return VIPS_KERNEL_LANCZOS3;
    case Kernel::mitchell:
      return VIPS_KERNEL_MITCHELL;
  }
  return VIPS_KERNEL_LANCZOS3;
}

// The colour of a pixel counts as much as it is seen.
template <class F>
VImage weighed_by_alpha(const VImage& image, F function) {
  if (!image.has_alpha()) return function(image);
  const double most = image.format() == VIPS_FORMAT_USHORT ? 65535 : 255;
  const auto options = [most] { return VImage::option()->set("max_alpha", most); };
  return function(image.premultiply(options())).unpremultiply(options()).cast(image.format());
}

// Whole boxes first, which is quick; what the kernel has left is less than one half.
VImage nearly(const VImage& image, int width, int height) {
  const int times = std::min(image.width() / width, image.height() / height);
  const bool is_plain = image.format() == VIPS_FORMAT_UCHAR && image.bands() == 3;
  if (times < 2 || !is_plain) return image;
  return box_means(image.copy_memory(), image.width() / times, image.height() / times);
}

VImage fitted(const VImage& whole, Size size, Kernel kernel) {
  const auto width = static_cast<int>(size.width), height = static_cast<int>(size.height);
  if (whole.width() == width && whole.height() == height) return whole;
  VImage image = nearly(whole, width, height);
  if (image.width() == width && image.height() == height) return image;
  return weighed_by_alpha(image, [&](const VImage& weighed) {
    VImage result = weighed.resize(static_cast<double>(width) / image.width(),
                                   VImage::option()
                                       ->set("vscale", static_cast<double>(height) / image.height())
                                       ->set("kernel", kernel_of(kernel)));
    if (result.width() != width || result.height() != height)  // rounding
      result = result.gravity(VIPS_COMPASS_DIRECTION_CENTRE, width, height,
                              VImage::option()->set("extend", VIPS_EXTEND_COPY));
    return result;
  });
}

VImage applied(VImage image, const WireJob& job, Size size) {
  for (std::size_t i = 0; i < job.operation_count; ++i) {
    const Operation& one = job.operations[i];
    size = size_after({one}, size);
    const auto width = static_cast<int>(size.width), height = static_cast<int>(size.height);
    switch (one.kind) {
      case Operation::Kind::fit:
      case Operation::Kind::fit_area:
        image = fitted(image, size, one.kernel);
        break;
      case Operation::Kind::crop:
        image = image.extract_area((image.width() - width) / 2, (image.height() - height) / 2,
                                   width, height);
        break;
      case Operation::Kind::blur:
        image = weighed_by_alpha(
            image, [&](const VImage& weighed) { return weighed.gaussblur(one.sigma); });
        break;
    }
  }
  return image;
}

}  // namespace

Frames apply_operations(const Frames& frames, const WireJob& job, Size whole) {
  if (job.operation_count == 0) return frames;
  Frames result = frames;
  std::vector<VImage> pictures;
  pictures.reserve(static_cast<std::size_t>(frames.count));
  for (int i = 0; i < frames.count; ++i)
    pictures.push_back(applied(frames.frame(i), job, whole).copy_memory());
  result.width = pictures.front().width();
  result.height = pictures.front().height();
  result.strip =
      frames.count == 1
          ? pictures.front()
          : VImage::arrayjoin(pictures, VImage::option()->set("across", 1)).copy_memory();
  return result;
}

}  // namespace portcullis::decoder

#include <cmath>
#include <cstring>

#include "decoder/containers.h"
#include "decoder/sniff.h"
#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

using vips::VImage;
using vips::VOption;

namespace {

// All frames of an animation together, decoded: what fits a worker's memory with room for encoding.
constexpr std::uint64_t kMostAnimationPixels = 60'000'000;

VipsBlob* blob_of(ByteView bytes) { return vips_blob_new(nullptr, bytes.data(), bytes.size()); }

// The format's own loader, never libvips's guess. Fails on the first error; a truncated file is an
// error.
VImage load(Format format, ByteView bytes, VOption* options) {
  VipsBlob* blob = blob_of(bytes);
  options->set("fail_on", VIPS_FAIL_ON_TRUNCATED);
  VImage image;
  try {
    switch (format) {
      case Format::jpeg:
        image = VImage::jpegload_buffer(blob, options);
        break;
      case Format::png:
        image = VImage::pngload_buffer(blob, options);
        break;
      case Format::webp:
        image = VImage::webpload_buffer(blob, options);
        break;
      case Format::gif:
        image = VImage::gifload_buffer(blob, options);
        break;
      case Format::avif:
        image = VImage::heifload_buffer(blob, options);
        break;
      case Format::jxl:
        image = VImage::jxlload_buffer(blob, options);
        break;
    }
  } catch (...) {
    vips_area_unref(VIPS_AREA(blob));
    throw;
  }
  vips_area_unref(VIPS_AREA(blob));
  return image;
}

int integer(const VImage& image, const char* name, int otherwise) {
  return image.get_typeof(name) == G_TYPE_INT ? image.get_int(name) : otherwise;
}

void check(const Head& head, std::uint64_t file_size, const WireJob& job) {
  const Limits& limits = head.frames > 1 ? job.animation : job.image;
  if (file_size > limits.max_file_size)
    throw NotTaken{"validate-file-size", fmt::format("{} bytes", file_size)};
  if (head.width > limits.max_width)
    throw NotTaken{"validate-width", fmt::format("{} pixels wide", head.width)};
  if (head.height > limits.max_height)
    throw NotTaken{"validate-height", fmt::format("{} pixels high", head.height)};
  if (std::uint64_t{head.width} * head.height > limits.max_area)
    throw NotTaken{"validate-area", fmt::format("{} x {} pixels", head.width, head.height)};
  if (head.frames <= 1) return;
  if (head.frames > limits.max_frames)
    throw NotTaken{"validate-frames", fmt::format("{} frames", head.frames)};
  if (std::uint64_t{head.width} * head.height * head.frames > kMostAnimationPixels)
    throw NotTaken{"validate-frames",
                   fmt::format("{} frames of {} x {} pixels are over {} pixels in all", head.frames,
                               head.width, head.height, kMostAnimationPixels)};
}

// libvips shows as many frames as it finds; a GIF without its end is a truncated one.
void check_gif(ByteView bytes, const WireJob& job) {
  const GifBlocks blocks = walk_gif(bytes);
  if (blocks.frames > 1 && blocks.frames > job.animation.max_frames)
    throw NotTaken{"validate-frames", fmt::format("{} frames", blocks.frames)};
  if (!blocks.whole) throw NotTaken{"command-failure", "a truncated GIF"};
}

bool is_opaque(const VImage& image) {
  if (!image.has_alpha()) return true;
  const double most = image.format() == VIPS_FORMAT_USHORT ? 65535 : 255;
  return image.extract_band(image.bands() - 1).min() >= most;
}

// To sRGB, by the embedded profile if there is one that can be used. Alpha stays as it is.
VImage to_srgb(VImage image, bool& as_stored) {
  const bool has_profile = image.get_typeof(VIPS_META_ICC_NAME) != 0;
  const bool is_cmyk = image.interpretation() == VIPS_INTERPRETATION_CMYK;
  const bool deep = image.format() == VIPS_FORMAT_USHORT;
  if (has_profile || is_cmyk) {
    as_stored = false;
    try {
      image = image.icc_transform("srgb", VImage::option()
                                              ->set("embedded", true)
                                              ->set("input_profile", is_cmyk ? "cmyk" : "srgb")
                                              ->set("intent", VIPS_INTENT_PERCEPTUAL)
                                              ->set("depth", deep ? 16 : 8));
    } catch (const vips::VError&) {
      vips_error_clear();  // a profile that cannot be used; the plain conversion below
    }
  }
  image = image.colourspace(deep ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB);
  return image.cast(deep ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR);
}

}  // namespace

Head read_head(ByteView bytes, const WireJob& job) {
  if (bytes.empty()) throw NotTaken{"validate-file-empty", "no bytes"};
  const auto format = sniff(bytes.first(std::min(bytes.size(), kSniffBytes)));
  if (!format || (job.formats >> static_cast<unsigned>(*format) & 1) == 0)
    throw NotTaken{
        format ? "media-disallowed" : "command-failure",
        format ? fmt::format("{} is switched off", name(*format)) : "none of the known formats"};
  if (format == Format::png && is_animated_png(bytes))
    throw NotTaken{"media-disallowed", "an animated PNG"};
  if (format == Format::gif) check_gif(bytes, job);
  const VImage image =
      load(*format, bytes, VImage::option()->set("access", VIPS_ACCESS_SEQUENTIAL));
  Head head;
  head.format = *format;
  head.width = static_cast<std::uint32_t>(image.width());
  head.height = static_cast<std::uint32_t>(image.height());
  head.frames = static_cast<std::uint32_t>(std::max(1, integer(image, VIPS_META_N_PAGES, 1)));
  head.orientation = std::clamp(integer(image, VIPS_META_ORIENTATION, 1), 1, 8);
  if (*format == Format::avif && head.frames > 1)
    throw NotTaken{"media-disallowed", "an AVIF with several pictures"};
  if (*format == Format::jxl && head.frames > 1)
    throw NotTaken{"media-disallowed", "an animated JPEG XL"};
  check(head, bytes.size(), job);
  return head;
}

Frames decode(ByteView bytes, const Head& head, int smallest_side) {
  VOption* options = VImage::option();
  if (head.frames > 1) options->set("n", -1);
  if (head.format == Format::jpeg && smallest_side > 0)
    for (const int shrink : {8, 4, 2})
      if (static_cast<int>(std::min(head.width, head.height)) / shrink >= smallest_side) {
        options->set("shrink", shrink);
        break;
      }
  VImage image = load(head.format, bytes, options).copy_memory();

  Frames frames;
  frames.count = static_cast<int>(head.frames);
  if (head.frames > 1) {
    frames.height = integer(image, VIPS_META_PAGE_HEIGHT, image.height());
    frames.width = image.width();
    if (frames.height * frames.count != image.height())
      throw NotTaken{"command-failure", "frames of different sizes"};
    if (image.get_typeof("delay") != 0) frames.delays = image.get_array_int("delay");
    frames.delays.resize(static_cast<std::size_t>(frames.count), 100);
    frames.loop = integer(image, "loop", 0);
  } else {
    image = image.autorot();
  }
  image = to_srgb(image, frames.srgb_as_stored);
  if (image.has_alpha() && is_opaque(image))
    image = image.extract_band(0, VImage::option()->set("n", 3));
  frames.strip = image.copy_memory();
  frames.has_alpha = image.has_alpha();
  if (frames.count == 1) {
    frames.width = image.width();
    frames.height = image.height();
  }
  return frames;
}

VImage flat(const Frames& frames, int index, double background) {
  VImage image = frames.frame(index);
  const bool deep = image.format() == VIPS_FORMAT_USHORT;
  if (image.has_alpha())
    image = image.flatten(
        VImage::option()
            ->set("background", std::vector<double>(3, deep ? background * 257 : background))
            ->set("max_alpha", deep ? 65535.0 : 255.0));
  if (deep) image = (image / 257.0).rint().cast(VIPS_FORMAT_UCHAR);
  return image.copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
}

VImage resized(const VImage& image, int width, int height) {
  if (image.width() == width && image.height() == height) return image;
  VImage result = image.resize(static_cast<double>(width) / image.width(),
                               VImage::option()
                                   ->set("vscale", static_cast<double>(height) / image.height())
                                   ->set("kernel", VIPS_KERNEL_LINEAR));
  if (result.width() != width || result.height() != height)  // rounding
    result = result.gravity(VIPS_COMPASS_DIRECTION_CENTRE, width, height,
                            VImage::option()->set("extend", VIPS_EXTEND_COPY));
  return result;
}

Bytes rgb_of(const VImage& image) {
  std::size_t size = 0;
  VImage plain = image;
  void* data = plain.write_to_memory(&size);
  Bytes bytes(size);
  std::memcpy(bytes.data(), data, size);
  g_free(data);
  if (image.bands() != 3 || size != static_cast<std::size_t>(image.width()) *
                                        static_cast<std::size_t>(image.height()) * 3)
    throw NotTaken{"command-failure", "a picture of another shape"};
  return bytes;
}

}  // namespace portcullis::decoder

#include <cstring>

#include "decoder/containers.h"
#include "decoder/sniff.h"
#include "decoder/worker/apng.h"
#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

using vips::VImage;
using vips::VOption;

namespace {

// All frames of an animation together, decoded: what fits a worker's memory with room for encoding.
constexpr std::uint64_t kMostAnimationPixels = 60'000'000;

// Address space that a worker takes before its first job: libraries, and a stack for each thread.
constexpr std::uint64_t kIdleMemory = 360ull << 20;

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
      case Format::apng:
      case Format::mp4:
      case Format::webm:
        throw NotTaken{"command-failure", "not a picture of libvips"};
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

// As shown, because that is what a site's limits speak of and what the gate checks.
void check_limits(const Head& head, std::uint64_t file_size, const WireJob& job) {
  const Limits& limits = head.frames > 1 ? job.animation : job.image;
  const std::uint32_t width = head.shown_width(), height = head.shown_height();
  const std::uint64_t area = std::uint64_t{width} * height;
  if (file_size > limits.max_file_size)
    throw NotTaken{"validate-file-size", fmt::format("{} bytes", file_size)};
  if (width > limits.max_width)
    throw NotTaken{"validate-width", fmt::format("{} pixels wide", width)};
  if (height > limits.max_height)
    throw NotTaken{"validate-height", fmt::format("{} pixels high", height)};
  if (area > limits.max_area)
    throw NotTaken{"validate-area", fmt::format("{} x {} pixels", width, height)};
  if (head.frames <= 1) return;
  if (head.frames > limits.max_frames)
    throw NotTaken{"validate-frames", fmt::format("{} frames", head.frames)};
  if (area * head.frames > kMostAnimationPixels)
    throw NotTaken{"validate-frames",
                   fmt::format("{} frames of {} x {} pixels are over {} pixels in all", head.frames,
                               width, height, kMostAnimationPixels)};
}

// The most address space that a job takes for each pixel: decoding, looking and building anew in
// `format`. Measured on noise and on drawings at 4 to 40 megapixels, with a fifth on top; encoders
// are the bulk of it.
std::uint64_t memory_for_pixel(const Head& head, Format format, bool has_alpha,
                               bool lossless_webp) {
  if (head.frames > 1) return 10;  // rebuilt frame by frame
  switch (format) {
    case Format::jpeg:
      return 12;
    case Format::png:
      return head.is_deep ? 29 : 14;
    case Format::gif:
      return 21;
    case Format::webp:
      return has_alpha || lossless_webp ? 54 : 22;
    case Format::avif:
      return (head.is_deep ? 160 : 90) + (has_alpha ? 10 : 0);
    case Format::jxl:
      return has_alpha || head.is_deep ? 125 : 91;
    case Format::apng:
    case Format::mp4:
    case Format::webm:
      return 20;
  }
  return 160;
}

// An encoder without memory may crash, or may hand back half a picture as a whole one.
void check_memory(const Head& head, bool has_alpha, ByteView bytes, const WireJob& job) {
  const std::uint64_t memory = job.memory;
  if (memory == 0) return;
  const Format format = job.has_format ? job.format : head.format;
  const bool lossless_webp = format == Format::webp && is_lossless_webp(bytes);
  const std::uint64_t pixels = std::uint64_t{head.width} * head.height * head.frames;
  const std::uint64_t for_pixel =
      std::max(memory_for_pixel(head, head.format, has_alpha, lossless_webp),
               memory_for_pixel(head, format, has_alpha, lossless_webp));
  if (kIdleMemory + 2 * bytes.size() + pixels * for_pixel <= memory) return;
  throw NotTaken{head.frames > 1 ? "validate-frames" : "validate-area",
                 fmt::format("{} pixels of {} need more than a decoder's {} MiB of memory", pixels,
                             name(head.format), memory >> 20)};
}

// libvips shows as many frames as it finds; a GIF without its end is a truncated one.
void check_gif(ByteView bytes, const WireJob& job) {
  const GifBlocks blocks = walk_gif(bytes);
  if (blocks.frames > 1 && blocks.frames > job.animation.max_frames)
    throw NotTaken{"validate-frames", fmt::format("{} frames", blocks.frames)};
  if (!blocks.whole) throw NotTaken{"command-failure", "a truncated GIF"};
}

Apng apng_of(ByteView bytes, std::uint32_t max_frames) {
  Result<Apng> apng = read_apng(bytes, max_frames);
  if (!apng) throw NotTaken{apng.error().code, apng.error().what};
  return *std::move(apng);
}

Head read_apng_head(ByteView bytes, const WireJob& job) {
  const Apng apng = apng_of(bytes, job.animation.max_frames);
  Head head;
  head.format = Format::apng;
  head.width = apng.width;
  head.height = apng.height;
  head.frames = static_cast<std::uint32_t>(apng.delays.size());
  check_limits(head, bytes.size(), job);
  check_memory(head, true, bytes, job);
  return head;
}

bool is_opaque(const VImage& image) {
  if (!image.has_alpha()) return true;
  const double most = image.format() == VIPS_FORMAT_USHORT ? 65535 : 255;
  return image.extract_band(image.bands() - 1).min() >= most;
}

// To sRGB. A profile of known effect is never asked again: a profile can say one thing to whoever
// judges it and another to whoever converts, and the rendition keeps the colours as judged.
VImage to_srgb(VImage image, const Head& head) {
  const int depth = head.is_deep ? 16 : 8;
  if (head.profile == KnownProfile::display_p3) {
    const Bytes p3 = display_p3_profile();
    image = image.copy();
    image.set(
        VIPS_META_ICC_NAME,
        [](void* data, void*) {
          g_free(data);
          return 0;
        },
        g_memdup2(p3.data(), p3.size()), p3.size());
  }
  if (head.profile == KnownProfile::display_p3 || head.profile == KnownProfile::other ||
      head.is_cmyk) {
    try {
      image = image.icc_transform("srgb", VImage::option()
                                              ->set("embedded", true)
                                              ->set("input_profile", head.is_cmyk ? "cmyk" : "srgb")
                                              ->set("intent", VIPS_INTENT_PERCEPTUAL)
                                              ->set("depth", depth));
    } catch (const vips::VError&) {
      vips_error_clear();  // a profile that cannot be used; the plain conversion below
    }
  }
  image = image.colourspace(head.is_deep ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB);
  return image.cast(head.is_deep ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR);
}

template <class Channel>
void clear_unseen(const VImage& image) {
  auto* pixel = static_cast<Channel*>(const_cast<void*>(image.data()));
  const auto* end = pixel + static_cast<std::size_t>(image.width()) *
                                static_cast<std::size_t>(image.height()) * 4;
  for (; pixel != end; pixel += 4)
    if (pixel[3] == 0) pixel[0] = pixel[1] = pixel[2] = 0;
}

}  // namespace

VImage open_header(Format format, ByteView bytes) {
  return load(format, bytes, VImage::option()->set("access", VIPS_ACCESS_SEQUENTIAL));
}

std::uint32_t frames_of(const VImage& header) {
  return static_cast<std::uint32_t>(std::max(1, integer(header, VIPS_META_N_PAGES, 1)));
}

Format format_of(ByteView bytes, const WireJob& job) {
  if (bytes.empty()) throw NotTaken{"validate-file-empty", "no bytes"};
  auto format = sniff(bytes.first(std::min(bytes.size(), kSniffBytes)));
  if (format == Format::png && is_animated_png(bytes)) format = Format::apng;
  if (format == Format::avif && !holds_only_av1(bytes)) format.reset();
  if (!format) throw NotTaken{"command-failure", "none of the known formats"};
  const auto is_allowed = [&](Format one) {
    return (job.formats >> static_cast<unsigned>(one) & 1) != 0;
  };
  if (is_allowed(*format)) return *format;
  const bool no_videos = !is_allowed(Format::mp4) && !is_allowed(Format::webm);
  throw NotTaken{is_video(*format) && no_videos ? "video-disabled" : "media-disallowed",
                 fmt::format("{} is switched off", name(*format))};
}

Head read_head(ByteView bytes, const WireJob& job) {
  const Format format = format_of(bytes, job);
  if (format == Format::apng) return read_apng_head(bytes, job);
  if (format == Format::gif) check_gif(bytes, job);
  const VImage image = open_header(format, bytes);
  Head head;
  head.format = format;
  head.width = static_cast<std::uint32_t>(image.width());
  head.height = static_cast<std::uint32_t>(image.height());
  head.frames = frames_of(image);
  head.orientation = std::clamp(integer(image, VIPS_META_ORIENTATION, 1), 1, 8);
  head.is_deep = image.format() == VIPS_FORMAT_USHORT;
  head.is_cmyk = image.interpretation() == VIPS_INTERPRETATION_CMYK;
  if (format == Format::avif && head.frames > 1)
    throw NotTaken{"media-disallowed", "an AVIF with several pictures"};
  if (format == Format::jxl && head.frames > 1)
    throw NotTaken{"media-disallowed", "an animated JPEG XL"};
  check_limits(head, bytes.size(), job);
  check_memory(head, image.has_alpha(), bytes, job);
  head.profile = known_profile(image);
  return head;
}

std::optional<Frames> decode_smaller(ByteView bytes, const Head& head, const WireJob& job) {
  if (head.format != Format::jpeg || head.orientation != 1 || job.operation_count == 0 ||
      job.operations[0].kind != Operation::Kind::fit)
    return std::nullopt;
  const Size whole{head.shown_width(), head.shown_height()};
  const Size wanted = size_after({job.operations[0]}, whole);
  int shrink = 1;
  while (shrink < 8 && wanted.width * std::uint32_t(4 * shrink) <= whole.width &&
         wanted.height * std::uint32_t(4 * shrink) <= whole.height)
    shrink *= 2;
  if (shrink == 1) return std::nullopt;
  VOption* options = VImage::option()->set("access", VIPS_ACCESS_SEQUENTIAL)->set("shrink", shrink);
  const VImage image = to_srgb(load(head.format, bytes, options).copy_memory(), head);
  Frames frames;
  frames.strip = image.copy_memory();
  frames.width = image.width();
  frames.height = image.height();
  return frames;
}

Frames decode_first(ByteView bytes, const Head& head) {
  if (head.format == Format::apng) return first_of(decode(bytes, head));
  Head first = head;
  first.frames = 1;
  first.orientation = 1;
  return decode(bytes, first);
}

Frames decode(ByteView bytes, const Head& head) {
  if (head.format == Format::apng) return decode_apng(apng_of(bytes, UINT32_MAX));
  VOption* options = VImage::option()->set("access", VIPS_ACCESS_SEQUENTIAL);
  if (head.frames > 1) options->set("n", -1);
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
  image = to_srgb(image, head);
  if (image.has_alpha() && is_opaque(image))
    image = image.extract_band(0, VImage::option()->set("n", 3));
  frames.strip = image.copy_memory();
  frames.has_alpha = image.has_alpha();
  if (frames.has_alpha)
    head.is_deep ? clear_unseen<std::uint16_t>(frames.strip)
                 : clear_unseen<std::uint8_t>(frames.strip);
  if (frames.count == 1) {
    frames.width = image.width();
    frames.height = image.height();
  }
  return frames;
}

}  // namespace portcullis::decoder

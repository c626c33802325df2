#include <webp/mux.h>

#include <memory>

#include "decoder/blurhash.h"
#include "decoder/containers.h"
#include "decoder/sniff.h"
#include "decoder/worker/apng.h"
#include "decoder/worker/jpeg.h"
#include "decoder/worker/pictures.h"
#include "decoder/worker/profiles.h"

namespace portcullis::decoder {

using vips::VImage;
using vips::VOption;

namespace {

constexpr int kJpegQuality = 92;
constexpr int kLossyQuality = 90;  // WebP
constexpr int kAvifQuality = 75;
constexpr int kManyPixels = 4'000'000;  // beyond, time counts for more than a tenth of the size

Bytes take(VipsBlob* blob) {
  std::size_t size = 0;
  const auto* data = static_cast<const std::byte*>(vips_blob_get(blob, &size));
  Bytes bytes(data, data + size);
  vips_area_unref(VIPS_AREA(blob));
  return bytes;
}

// libvips writes an EXIF chunk of its own into every WebP, whatever it is told.
Bytes without_metadata(const Bytes& webp) {
  const WebPData data{reinterpret_cast<const std::uint8_t*>(webp.data()), webp.size()};
  const std::unique_ptr<WebPMux, decltype(&WebPMuxDelete)> mux(WebPMuxCreate(&data, 0),
                                                               &WebPMuxDelete);
  if (!mux) throw NotTaken{"command-failure", "the new WebP cannot be read"};
  for (const char* chunk : {"EXIF", "XMP ", "ICCP"}) WebPMuxDeleteChunk(mux.get(), chunk);
  WebPData assembled{};
  if (WebPMuxAssemble(mux.get(), &assembled) != WEBP_MUX_OK)
    throw NotTaken{"command-failure", "the new WebP cannot be put together"};
  const auto* from = reinterpret_cast<const std::byte*>(assembled.bytes);
  Bytes bytes(from, from + assembled.size);
  WebPDataClear(&assembled);
  return bytes;
}

VOption* plain() { return VImage::option()->set("strip", true); }

// Nothing but pixels: a new image that shares no header with the one that was read, on the memory
// of `frames`, which must outlive it.
VImage pixels_only(const Frames& frames) {
  const VImage& image = frames.strip;
  const VImage bare = VImage::new_from_memory(
      const_cast<void*>(image.data()), VIPS_IMAGE_SIZEOF_IMAGE(image.get_image()), image.width(),
      image.height(), image.bands(), image.format());
  VImage result = bare.copy(VImage::option()->set(
      "interpretation",
      image.format() == VIPS_FORMAT_USHORT ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB));
  if (frames.count > 1) {
    result.set(VIPS_META_PAGE_HEIGHT, frames.height);
    result.set(VIPS_META_N_PAGES, frames.count);
    result.set("loop", frames.loop);
    result.set("delay", frames.delays);
  }
  return result;
}

VImage over_white(const VImage& image) {
  if (!image.has_alpha()) return image;
  const bool deep = image.format() == VIPS_FORMAT_USHORT;
  return image.flatten(VImage::option()
                           ->set("background", std::vector<double>(3, deep ? 65535.0 : 255.0))
                           ->set("max_alpha", deep ? 65535.0 : 255.0));
}

VImage eight_bits(const VImage& image) {
  if (image.format() != VIPS_FORMAT_USHORT) return image;
  return (image / 257.0)
      .rint()
      .cast(VIPS_FORMAT_UCHAR)
      .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
}

Bytes encode_jpeg(const Frames& frames, int quality) {
  return take(eight_bits(over_white(pixels_only(frames)))
                  .jpegsave_buffer(plain()->set("Q", quality)->set("optimize_coding", true)));
}

// The coded data stay as they are where that is possible; otherwise one careful new encoding of all
// pixels.
Bytes keep_jpeg(ByteView bytes, const Head& head, const Frames& frames) {
  if (head.is_cmyk || head.profile == KnownProfile::other) return encode_jpeg(frames, kJpegQuality);
  const auto rebuilt = rebuild_jpeg(bytes, head.orientation);
  if (!rebuilt) return encode_jpeg(frames, kJpegQuality);
  return head.profile == KnownProfile::display_p3 ? with_profile(*rebuilt, display_p3_profile())
                                                  : *rebuilt;
}

// JPEG XL's saver counts in a distance; its own rule of thumb for turning one into the other.
double distance_of(int quality) { return quality >= 30 ? 0.1 + (100 - quality) * 0.09 : 6.4; }

Bytes encode(Format format, const Frames& frames, int quality, bool lossless_webp) {
  const bool many = std::int64_t{frames.width} * frames.height * frames.count > kManyPixels;
  const auto or_else = [quality](int otherwise) { return quality > 0 ? quality : otherwise; };
  const VImage image = pixels_only(frames);
  switch (format) {
    case Format::jpeg:
      return encode_jpeg(frames, or_else(kJpegQuality));
    case Format::png:
      return take(image.pngsave_buffer(plain()->set("compression", many ? 3 : 6)));
    case Format::gif:
      return take(eight_bits(image).gifsave_buffer(plain()->set("effort", many ? 1 : 4)));
    case Format::webp: {
      VOption* options = plain()->set("effort", many ? 0 : 3);
      if (lossless_webp)
        options->set("lossless", true);
      else
        options->set("Q", or_else(kLossyQuality));
      return without_metadata(take(eight_bits(image).webpsave_buffer(options)));
    }
    case Format::avif:
      return take(image.heifsave_buffer(plain()
                                            ->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1)
                                            ->set("Q", or_else(kAvifQuality))
                                            ->set("effort", many ? 0 : 2)));
    case Format::apng:
      return encode_apng(frames);
    case Format::mp4:
    case Format::webm:
      break;  // are rebuilt, never encoded
    case Format::jxl:
      return take(image.jxlsave_buffer(
          plain()->set("distance", quality > 0 ? distance_of(quality) : 1)->set("effort", 4)));
  }
  throw NotTaken{"media-disallowed", "no way to store this format"};
}

// Which formats can hold an animation that is written here.
bool holds_frames(Format format) {
  return format == Format::gif || format == Format::webp || format == Format::apng;
}

// Read again as a stranger's would be: an encoder's word is not enough, for libvips's AVIF saver
// says nothing when the codec behind it fails. WebP's puts frames that are alike into one, shown
// for as long as all of them; `made` then says how many there are.
void check_made(Made& made) {
  if (made.format == Format::apng) {
    const auto again = read_apng(made.bytes, UINT32_MAX);
    if (!again || again->width != static_cast<std::uint32_t>(made.width) ||
        again->height != static_cast<std::uint32_t>(made.height) ||
        again->delays.size() != static_cast<std::size_t>(made.frames))
      throw NotTaken{"command-failure", "the new picture is another"};
    return;
  }
  const auto seen = sniff(ByteView(made.bytes).first(std::min(made.bytes.size(), kSniffBytes)));
  if (seen != made.format) throw NotTaken{"command-failure", "the new picture is none"};
  const VImage header = open_header(made.format, made.bytes);
  const int frames = static_cast<int>(frames_of(header));
  if (header.width() != made.width || header.height() != made.height || frames > made.frames ||
      (frames < made.frames && made.format != Format::webp))
    throw NotTaken{"command-failure", "the new picture has another size"};
  made.frames = frames;
}

}  // namespace

std::string blurhash_of(const Frames& frames) {
  constexpr int kSide = 32;
  const VImage picture = flat(frames, 0, 255);
  const int width = std::min(kSide, picture.width()), height = std::min(kSide, picture.height());
  return blurhash(rgb_of(box_means(picture, width, height)), width, height);
}

Made make_rendition(ByteView bytes, const Head& head, const Frames& frames, const WireJob& job) {
  return make_changed(bytes, head,
                      apply_operations(frames, job,
                                       {static_cast<std::uint32_t>(frames.width),
                                        static_cast<std::uint32_t>(frames.height)}),
                      job);
}

Made make_changed(ByteView bytes, const Head& head, const Frames& changed, const WireJob& job) {
  const Format format = job.has_format ? job.format : head.format;
  const bool as_it_is = job.operation_count == 0 && format == head.format;
  Made made{.bytes = as_it_is && format == Format::jpeg
                         ? keep_jpeg(bytes, head, changed)
                         : encode(format, changed, job.quality,
                                  as_it_is && format == Format::webp && is_lossless_webp(bytes)),
            .format = format,
            .width = changed.width,
            .height = changed.height,
            .frames = changed.count,
            .blurhash = blurhash_of(changed)};
  check_made(made);
  return made;
}

bool keeps_frames(const Head& head, const WireJob& job) {
  return head.frames > 1 && (!job.has_format || holds_frames(job.format));
}

}  // namespace portcullis::decoder

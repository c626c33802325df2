#include <webp/mux.h>

#include <memory>

#include "decoder/containers.h"
#include "decoder/sniff.h"
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

Bytes encode_jpeg(const Frames& frames) {
  VipsBlob* blob = pixels_only(frames).jpegsave_buffer(
      plain()->set("Q", kJpegQuality)->set("optimize_coding", true));
  return take(blob);
}

// The coded data stay as they are where that is possible; otherwise one careful new encoding of all
// pixels.
Bytes jpeg(ByteView bytes, const Head& head, const Frames& frames) {
  if (head.is_cmyk || head.profile == KnownProfile::other) return encode_jpeg(frames);
  const auto rebuilt = rebuild_jpeg(bytes, head.orientation);
  if (!rebuilt) return encode_jpeg(frames);
  return head.profile == KnownProfile::display_p3 ? with_profile(*rebuilt, display_p3_profile())
                                                  : *rebuilt;
}

Bytes encode(ByteView bytes, const Head& head, const Frames& frames) {
  const bool many = std::int64_t{frames.width} * frames.height * frames.count > kManyPixels;
  switch (head.format) {
    case Format::jpeg:
      return jpeg(bytes, head, frames);
    case Format::png:
      return take(pixels_only(frames).pngsave_buffer(plain()->set("compression", many ? 3 : 6)));
    case Format::gif:
      return take(pixels_only(frames).gifsave_buffer(plain()->set("effort", many ? 1 : 4)));
    case Format::webp: {
      VOption* options = plain()->set("effort", many ? 0 : 3);
      if (is_lossless_webp(bytes))
        options->set("lossless", true);
      else
        options->set("Q", kLossyQuality);
      return without_metadata(take(pixels_only(frames).webpsave_buffer(options)));
    }
    case Format::avif:
      return take(pixels_only(frames).heifsave_buffer(
          plain()
              ->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1)
              ->set("Q", kAvifQuality)
              ->set("effort", many ? 0 : 2)));
    case Format::jxl:
      return take(
          pixels_only(frames).jxlsave_buffer(plain()->set("distance", 1.0)->set("effort", 4)));
  }
  throw NotTaken{"media-disallowed", "no way to store this format"};
}

}  // namespace

// An encoder's word is not enough: libvips's AVIF saver says nothing when the codec behind it
// fails.
Bytes make_rendition(ByteView bytes, const Head& head, const Frames& frames) {
  Bytes made = encode(bytes, head, frames);
  const auto format = sniff(ByteView(made).first(std::min(made.size(), kSniffBytes)));
  if (format != head.format) throw NotTaken{"command-failure", "the new picture is none"};
  const VImage header = open_header(*format, made);
  if (header.width() != frames.width || header.height() != frames.height ||
      frames_of(header) != head.frames)
    throw NotTaken{"command-failure", "the new picture has another size"};
  return made;
}

}  // namespace portcullis::decoder

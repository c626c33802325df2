#include "decoder/worker/apng.h"
#include "decoder/worker/jpeg.h"
#include "decoder/worker/pictures.h"
#include "decoder/worker/video.h"
#include "decoder/worker/views.h"

namespace portcullis::decoder {

using vips::VImage;

namespace {

// Left to right from dark to light, so that no encoder takes a short cut.
VImage sample(int bands) {
  VImage ramp = VImage::xyz(96, 64).extract_band(0) * 2.0;
  VImage image = ramp.bandjoin(ramp * 0.5).bandjoin(255.0 - ramp);
  if (bands == 4) image = image.bandjoin(ramp);
  return image.cast(VIPS_FORMAT_UCHAR)
      .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
      .copy_memory();
}

Bytes saved(VipsBlob* blob) {
  std::size_t size = 0;
  const auto* data = static_cast<const std::byte*>(vips_blob_get(blob, &size));
  Bytes bytes(data, data + size);
  vips_area_unref(VIPS_AREA(blob));
  return bytes;
}

WireJob any_job() {
  WireJob job;
  job.formats = 0xFFFF;
  job.want_rendition = job.want_fingerprints = 1;
  job.view_count = 1;
  job.views[0] = {32, 32, 28, 28};
  job.image = job.animation = {10'000, 10'000, 40'000'000, 40'000'000, 900};
  return job;
}

}  // namespace

void warm_up() {
  const VImage opaque = sample(3), clear = sample(4);
  VImage moving = clear.join(clear.invert(), VIPS_DIRECTION_VERTICAL).copy_memory();
  moving = moving.copy();
  moving.set(VIPS_META_PAGE_HEIGHT, clear.height());
  VImage cmyk = opaque.colourspace(VIPS_INTERPRETATION_CMYK);
  VImage profiled = opaque.icc_transform("p3", VImage::option()->set("input_profile", "srgb"));
  VImage deep = (clear.cast(VIPS_FORMAT_USHORT) * 257)
                    .cast(VIPS_FORMAT_USHORT)
                    .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_RGB16));
  const Bytes pictures[] = {
      saved(opaque.jpegsave_buffer()),
      saved(opaque.jpegsave_buffer(VImage::option()->set("interlace", true))),
      saved(cmyk.jpegsave_buffer()),
      saved(profiled.jpegsave_buffer()),
      saved(clear.pngsave_buffer()),
      saved(deep.pngsave_buffer()),
      saved(opaque.webpsave_buffer()),
      saved(clear.webpsave_buffer(VImage::option()->set("lossless", true))),
      saved(moving.webpsave_buffer()),
      saved(clear.gifsave_buffer()),
      saved(moving.gifsave_buffer()),
      saved(clear.heifsave_buffer(VImage::option()
                                      ->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1)
                                      ->set("effort", 0))),
      saved(clear.jxlsave_buffer(VImage::option()->set("effort", 3))),
      encode_apng({moving, clear.width(), clear.height(), 2, {80, 80}, 0, true}),
  };
  warm_up_video();
  const WireJob job = any_job();
  for (const Bytes& picture : pictures) (void)do_job(picture, job);
  WireJob smaller = any_job();
  smaller.operation_count = 3;
  smaller.operations[0] = {Operation::Kind::fit, Kernel::lanczos2, 48, 0, 0};
  smaller.operations[1] = {Operation::Kind::crop, Kernel::lanczos2, 1, 1, 0};
  smaller.operations[2] = {Operation::Kind::blur, Kernel::lanczos2, 0, 0, 1};
  for (const Bytes& picture : pictures) (void)do_job(picture, smaller);
}

}  // namespace portcullis::decoder

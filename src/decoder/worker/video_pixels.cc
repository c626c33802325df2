extern "C" {
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>
}

#include <cstring>

#include "decoder/worker/video.h"

namespace portcullis::decoder {

using vips::VImage;

namespace {

// Browsers take an unnamed matrix for that of television in high definition from this height on.
constexpr int kHighDefinition = 720;

int matrix_of(const AVFrame& frame) {
  switch (frame.colorspace) {
    case AVCOL_SPC_BT709:
      return SWS_CS_ITU709;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      return SWS_CS_ITU601;
    case AVCOL_SPC_FCC:
      return SWS_CS_FCC;
    case AVCOL_SPC_SMPTE240M:
      return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      return SWS_CS_BT2020;
    default:
      return frame.height >= kHighDefinition ? SWS_CS_ITU709 : SWS_CS_ITU601;
  }
}

bool is_full_range(const AVFrame& frame) {
  return frame.color_range == AVCOL_RANGE_JPEG || frame.format == AV_PIX_FMT_YUVJ420P ||
         frame.format == AV_PIX_FMT_YUVJ422P || frame.format == AV_PIX_FMT_YUVJ444P;
}

VipsAngle angle_of(int turn) {
  return turn == 90    ? VIPS_ANGLE_D90
         : turn == 180 ? VIPS_ANGLE_D180
         : turn == 270 ? VIPS_ANGLE_D270
                       : VIPS_ANGLE_D0;
}

}  // namespace

// Never SWS_FAST_BILINEAR, which makes code at run time and would end a locked-in worker.
VImage picture_of(const AVFrame& frame, int turn, int shrink) {
  const int width = frame.width / shrink, height = frame.height / shrink;
  const std::unique_ptr<SwsContext, decltype(&sws_freeContext)> context(
      sws_getContext(frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), width,
                     height, AV_PIX_FMT_RGB24,
                     (shrink > 1 ? SWS_AREA : SWS_BILINEAR) | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT,
                     nullptr, nullptr, nullptr),
      &sws_freeContext);
  if (!context) throw std::bad_alloc();
  constexpr int kUnit = 1 << 16;
  const int* matrix = sws_getCoefficients(matrix_of(frame));
  sws_setColorspaceDetails(context.get(), matrix, is_full_range(frame), matrix, 1, 0, kUnit, kUnit);

  // libav writes past the end of rows, up to their alignment.
  constexpr int kAlignment = 64;
  std::uint8_t* planes[4] = {};
  int strides[4] = {};
  libav_check(
      av_image_alloc(planes, strides, width + kAlignment, height, AV_PIX_FMT_RGB24, kAlignment),
      "a picture");
  const std::unique_ptr<std::uint8_t, decltype(&av_free)> owned(planes[0], &av_free);
  libav_check(
      sws_scale(context.get(), frame.data, frame.linesize, 0, frame.height, planes, strides),
      "a picture");

  const auto row = static_cast<std::size_t>(width) * 3, rows = static_cast<std::size_t>(height);
  auto* pixels = static_cast<std::byte*>(g_malloc(row * rows));
  for (std::size_t y = 0; y < rows; ++y)
    std::memcpy(pixels + y * row, planes[0] + y * static_cast<std::size_t>(strides[0]), row);
  VImage image =
      VImage::new_from_memory_steal(pixels, row * rows, width, height, 3, VIPS_FORMAT_UCHAR)
          .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
  return turn == 0 ? image : image.rot(angle_of(turn)).copy_memory();
}

}  // namespace portcullis::decoder

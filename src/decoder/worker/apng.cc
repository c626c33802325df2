#include "decoder/worker/apng.h"

#include <cstring>

#include "decoder/worker/libav.h"

extern "C" {
#include <libavutil/imgutils.h>
}

namespace portcullis::decoder {

using vips::VImage;

namespace {

constexpr std::size_t kRgba = 4;

std::uint8_t eight_bits(const std::uint8_t* big_endian) {
  return static_cast<std::uint8_t>(((big_endian[0] << 8 | big_endian[1]) + 128) / 257);
}

// One row as RGBA.
void put_row(const AVFrame& frame, int y, std::uint8_t* into) {
  const std::uint8_t* from = frame.data[0] + std::ptrdiff_t{y} * frame.linesize[0];
  const auto put = [&into](unsigned red, unsigned green, unsigned blue, unsigned alpha) {
    for (const unsigned channel : {red, green, blue, alpha})
      *into++ = static_cast<std::uint8_t>(alpha == 0 ? 0 : channel);
  };
  for (int x = 0; x < frame.width; ++x) {
    switch (frame.format) {
      case AV_PIX_FMT_RGBA:
        put(from[0], from[1], from[2], from[3]);
        from += 4;
        break;
      case AV_PIX_FMT_RGB24:
        put(from[0], from[1], from[2], 255);
        from += 3;
        break;
      case AV_PIX_FMT_GRAY8:
        put(from[0], from[0], from[0], 255);
        from += 1;
        break;
      case AV_PIX_FMT_YA8:
        put(from[0], from[0], from[0], from[1]);
        from += 2;
        break;
      case AV_PIX_FMT_MONOBLACK: {
        const unsigned value = (from[x / 8] >> (7 - x % 8) & 1) != 0 ? 255 : 0;
        put(value, value, value, 255);
        break;
      }
      case AV_PIX_FMT_PAL8: {
        std::uint32_t argb;
        std::memcpy(&argb, frame.data[1] + *from++ * sizeof argb, sizeof argb);
        put(argb >> 16 & 255, argb >> 8 & 255, argb & 255, argb >> 24);
        break;
      }
      case AV_PIX_FMT_RGB48BE:
        put(eight_bits(from), eight_bits(from + 2), eight_bits(from + 4), 255);
        from += 6;
        break;
      case AV_PIX_FMT_RGBA64BE:
        put(eight_bits(from), eight_bits(from + 2), eight_bits(from + 4), eight_bits(from + 6));
        from += 8;
        break;
      case AV_PIX_FMT_GRAY16BE:
        put(eight_bits(from), eight_bits(from), eight_bits(from), 255);
        from += 2;
        break;
      case AV_PIX_FMT_YA16BE:
        put(eight_bits(from), eight_bits(from), eight_bits(from), eight_bits(from + 2));
        from += 4;
        break;
      default:
        throw NotTaken{"command-failure", "a PNG with pixels of an unknown kind"};
    }
  }
}

Libav<AVFrame> frame_of(const Frames& frames, int index) {
  Libav<AVFrame> frame = new_frame();
  frame->width = frames.width;
  frame->height = frames.height;
  frame->format = AV_PIX_FMT_RGBA;
  libav_check(av_frame_get_buffer(frame.get(), 0), "a frame");
  VImage image = frames.frame(index);
  if (image.format() == VIPS_FORMAT_USHORT) image = (image / 257.0).rint().cast(VIPS_FORMAT_UCHAR);
  if (!image.has_alpha()) image = image.bandjoin(255.0);
  image = image.copy_memory();
  const auto row = static_cast<std::size_t>(frames.width) * kRgba;
  const auto* from = static_cast<const std::uint8_t*>(image.data());
  for (int y = 0; y < frames.height; ++y)
    std::memcpy(frame->data[0] + std::ptrdiff_t{y} * frame->linesize[0],
                from + static_cast<std::size_t>(y) * row, row);
  return frame;
}

}  // namespace

Frames decode_apng(const Apng& apng) {
  Demuxer demuxer(apng.bytes, "apng", {});
  if (demuxer.context().nb_streams != 1) throw NotTaken{"command-failure", "no pictures"};
  const AVCodecParameters& codec = *demuxer.context().streams[0]->codecpar;
  constexpr std::uint64_t kMargin = 64;  // libav counts whole rows of its own alignment
  FrameDecoder decoder(codec, (apng.width + kMargin) * (apng.height + kMargin));

  Frames frames;
  frames.width = static_cast<int>(apng.width);
  frames.height = static_cast<int>(apng.height);
  frames.count = static_cast<int>(apng.delays.size());
  frames.loop = static_cast<int>(apng.plays);
  if (frames.count > 1) frames.delays = apng.delays;
  const std::size_t row = apng.width * kRgba, rows = std::size_t{apng.height} * apng.delays.size();
  auto* pixels = static_cast<std::uint8_t*>(g_malloc(row * rows));
  // Owns the pixels from here on.
  frames.strip =
      VImage::new_from_memory_steal(pixels, row * rows, frames.width, frames.height * frames.count,
                                    kRgba, VIPS_FORMAT_UCHAR)
          .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
  int shown = 0;
  const auto take = [&](const AVFrame& frame) {
    if (frame.width != frames.width || frame.height != frames.height || shown == frames.count)
      throw NotTaken{"command-failure", "frames of another size or number"};
    for (int y = 0; y < frames.height; ++y)
      put_row(frame, y, pixels + (std::size_t(shown) * apng.height + std::size_t(y)) * row);
    ++shown;
  };
  const Libav<AVPacket> packet = new_packet();
  while (demuxer.read(*packet)) decoder.decode(*packet, take);
  decoder.finish(take);
  if (shown != frames.count) throw NotTaken{"command-failure", "frames are missing"};
  for (std::size_t i = 3; i < row * rows && !frames.has_alpha; i += kRgba)
    frames.has_alpha = pixels[i] != 255;
  if (!frames.has_alpha)
    frames.strip = frames.strip.extract_band(0, VImage::option()->set("n", 3)).copy_memory();
  return frames;
}

Bytes encode_apng(const Frames& frames) {
  const AVCodec* codec = avcodec_find_encoder_by_name("apng");
  PORTCULLIS_CHECK(codec != nullptr);
  const Libav<AVCodecContext> encoder(avcodec_alloc_context3(codec));
  if (!encoder) throw std::bad_alloc();
  encoder->width = frames.width;
  encoder->height = frames.height;
  encoder->pix_fmt = AV_PIX_FMT_RGBA;
  encoder->time_base = {1, 1000};
  encoder->thread_count = 1;
  encoder->flags |= AV_CODEC_FLAG_BITEXACT;
  libav_check(avcodec_open2(encoder.get(), codec, nullptr), "the PNG encoder");

  Muxer muxer("apng");
  const Libav<AVCodecParameters> parameters(avcodec_parameters_alloc());
  if (!parameters) throw std::bad_alloc();
  libav_check(avcodec_parameters_from_context(parameters.get(), encoder.get()), "the new PNG");
  const AVStream& stream = muxer.add_stream(*parameters, encoder->time_base);
  const auto delay = [&](int i) {
    return frames.delays.empty() ? 100 : std::max(1, frames.delays[static_cast<std::size_t>(i)]);
  };
  muxer.write_header({{"plays", fmt::to_string(std::clamp(frames.loop, 0, 65'535))},
                      {"final_delay", fmt::format("{}/1000", delay(frames.count - 1))}});
  const Libav<AVPacket> packet = new_packet();
  const auto drain = [&] {
    while (true) {
      const int code = avcodec_receive_packet(encoder.get(), packet.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      libav_check(code, "the new PNG");
      av_packet_rescale_ts(packet.get(), encoder->time_base, stream.time_base);
      muxer.write(*packet);
    }
  };
  std::int64_t time = 0;
  for (int i = 0; i < frames.count; ++i) {
    const Libav<AVFrame> frame = frame_of(frames, i);
    frame->pts = time;
    time += delay(i);
    libav_check(avcodec_send_frame(encoder.get(), frame.get()), "the new PNG");
    drain();
  }
  libav_check(avcodec_send_frame(encoder.get(), nullptr), "the new PNG");
  drain();
  const Bytes made = muxer.finish();
  return frames.count == 1 ? as_apng(made) : made;
}

}  // namespace portcullis::decoder

// testing/videos.h: small films made by libav's own encoders, for tests of the decoder. Only those
// may include it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "decoder/worker/libav.h"

extern "C" {
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

namespace portcullis::testing {

// What is to be in a film besides its pictures.
struct Extras {
  std::vector<std::pair<std::string, std::string>> metadata, stream_metadata;
  std::string sound;          // an encoder's name; empty: none
  bool second_video = false;  // a second track of the same pictures
  bool attachment = false;    // Matroska's
  bool chapter = false;
  bool bytes_beside = false;  // SEI of x264 with a text of its own
  int turn = 0;               // clockwise
  std::vector<std::pair<std::string, std::string>> muxer_options;
  std::vector<std::pair<std::string, std::string>> encoder_options;
  std::string canary = "SECRET-PAYLOAD-7f3a";
};

inline void film_check(int code) {
  if (code < 0) throw std::runtime_error(fmt::format("libav's encoder: {}", code));
}

// `pictures`: 8 bits, three channels, all of one even size; `rate` frames a second.
inline Bytes film(const std::vector<vips::VImage>& pictures, const char* encoder, const char* muxer,
                  int rate = 10, const Extras& extras = {}) {
  using namespace decoder;
  const int width = pictures[0].width(), height = pictures[0].height();
  AVFormatContext* output = nullptr;
  film_check(avformat_alloc_output_context2(&output, nullptr, muxer, nullptr));
  film_check(avio_open_dyn_buf(&output->pb));

  const auto open = [&](const char* name, auto&& settle) {
    const AVCodec* codec = avcodec_find_encoder_by_name(name);
    if (codec == nullptr) throw std::runtime_error(fmt::format("no encoder {}", name));
    Libav<AVCodecContext> context(avcodec_alloc_context3(codec));
    context->thread_count = 1;
    if ((output->oformat->flags & AVFMT_GLOBALHEADER) != 0)
      context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    AVDictionary* options = nullptr;
    settle(*context, *codec, &options);
    film_check(avcodec_open2(context.get(), codec, &options));
    av_dict_free(&options);
    return context;
  };
  const auto stream_of = [&](AVCodecContext& context) {
    AVStream* stream = avformat_new_stream(output, nullptr);
    film_check(avcodec_parameters_from_context(stream->codecpar, &context));
    stream->time_base = context.time_base;
    return stream;
  };

  const Libav<AVCodecContext> video =
      open(encoder, [&](AVCodecContext& context, const AVCodec& codec, AVDictionary** options) {
        context.width = width;
        context.height = height;
        context.pix_fmt = codec.pix_fmts != nullptr && std::string_view(encoder) == "apng"
                              ? AV_PIX_FMT_RGBA
                              : AV_PIX_FMT_YUV420P;
        context.time_base = {1, rate};
        context.framerate = {rate, 1};
        context.bit_rate = 2'000'000;
        for (const auto& [key, value] : extras.encoder_options)
          av_dict_set(options, key.c_str(), value.c_str(), 0);
        if (std::string_view(encoder).starts_with("libvpx"))
          av_dict_set(options, "cpu-used", "8", 0), av_dict_set(options, "deadline", "realtime", 0);
        if (std::string_view(encoder) == "libaom-av1") av_dict_set(options, "cpu-used", "8", 0);
        if (std::string_view(encoder) == "libx264") av_dict_set(options, "preset", "fast", 0);
      });
  Libav<AVCodecContext> sound;
  AVStream* stream = stream_of(*video);
  AVStream* second = extras.second_video ? stream_of(*video) : nullptr;
  AVStream* heard = nullptr;
  if (!extras.sound.empty()) {
    sound = open(extras.sound.c_str(), [](AVCodecContext& context, const AVCodec& codec, auto**) {
      context.sample_rate = 48'000;
      context.sample_fmt = codec.sample_fmts[0];
      av_channel_layout_default(&context.ch_layout, 2);
      context.time_base = {1, 48'000};
      context.strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    });
    heard = stream_of(*sound);
  }
  for (const auto& [key, value] : extras.metadata)
    av_dict_set(&output->metadata, key.c_str(), value.c_str(), 0);
  for (const auto& [key, value] : extras.stream_metadata)
    av_dict_set(&stream->metadata, key.c_str(), value.c_str(), 0);
  if (extras.turn != 0)
    av_display_rotation_set(reinterpret_cast<std::int32_t*>(
                                av_stream_new_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, 36)),
                            extras.turn);
  if (extras.attachment) {
    AVStream* attached = avformat_new_stream(output, nullptr);
    attached->codecpar->codec_type = AVMEDIA_TYPE_ATTACHMENT;
    attached->codecpar->codec_id = AV_CODEC_ID_TTF;
    attached->codecpar->extradata =
        static_cast<std::uint8_t*>(av_mallocz(extras.canary.size() + AV_INPUT_BUFFER_PADDING_SIZE));
    attached->codecpar->extradata_size = static_cast<int>(extras.canary.size());
    std::ranges::copy(extras.canary, attached->codecpar->extradata);
    av_dict_set(&attached->metadata, "filename", "font.ttf", 0);
    av_dict_set(&attached->metadata, "mimetype", "application/x-truetype-font", 0);
  }
  if (extras.chapter) {
    auto* chapter = static_cast<AVChapter*>(av_mallocz(sizeof(AVChapter)));
    chapter->time_base = {1, 1000};
    chapter->end = 500;
    av_dict_set(&chapter->metadata, "title", extras.canary.c_str(), 0);
    output->chapters = static_cast<AVChapter**>(av_mallocz(sizeof chapter));
    output->chapters[0] = chapter;
    output->nb_chapters = 1;
  }

  AVDictionary* options = nullptr;
  for (const auto& [key, value] : extras.muxer_options)
    av_dict_set(&options, key.c_str(), value.c_str(), 0);
  film_check(avformat_write_header(output, &options));
  av_dict_free(&options);

  const auto drain = [&](AVCodecContext& context, std::initializer_list<AVStream*> into) {
    const Libav<AVPacket> packet = new_packet();
    while (avcodec_receive_packet(&context, packet.get()) >= 0) {
      for (AVStream* one : into) {
        if (one == nullptr) continue;
        const Libav<AVPacket> copy = new_packet();
        film_check(av_packet_ref(copy.get(), packet.get()));
        copy->stream_index = one->index;
        if (copy->duration == 0) copy->duration = 1;
        av_packet_rescale_ts(copy.get(), context.time_base, one->time_base);
        film_check(av_interleaved_write_frame(output, copy.get()));
      }
      av_packet_unref(packet.get());
    }
  };
  std::int64_t time = 0;
  for (const vips::VImage& picture : pictures) {
    const Libav<AVFrame> frame = new_frame();
    frame->width = width;
    frame->height = height;
    frame->format = video->pix_fmt;
    frame->pts = time++;
    film_check(av_frame_get_buffer(frame.get(), 0));
    SwsContext* scale =
        sws_getContext(width, height, picture.bands() == 4 ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24,
                       width, height, video->pix_fmt, SWS_BILINEAR, nullptr, nullptr, nullptr);
    const vips::VImage held = picture.copy_memory();
    const auto* data = static_cast<const std::uint8_t*>(held.data());
    const int stride = width * picture.bands();
    film_check(sws_scale(scale, &data, &stride, 0, height, frame->data, frame->linesize));
    sws_freeContext(scale);
    if (extras.bytes_beside) {
      std::string text(16, 'u');
      text += extras.canary;
      AVFrameSideData* side =
          av_frame_new_side_data(frame.get(), AV_FRAME_DATA_SEI_UNREGISTERED, text.size());
      std::ranges::copy(text, side->data);
    }
    film_check(avcodec_send_frame(video.get(), frame.get()));
    drain(*video, {stream, second});
  }
  film_check(avcodec_send_frame(video.get(), nullptr));
  drain(*video, {stream, second});
  if (sound) {
    const std::int64_t samples = 48'000 * time / rate;
    const int step = sound->frame_size > 0 ? sound->frame_size : 960;
    for (std::int64_t at = 0; at + step <= samples; at += step) {
      const Libav<AVFrame> frame = new_frame();
      frame->nb_samples = step;
      frame->format = sound->sample_fmt;
      frame->sample_rate = sound->sample_rate;
      film_check(av_channel_layout_copy(&frame->ch_layout, &sound->ch_layout));
      frame->pts = at;
      film_check(av_frame_get_buffer(frame.get(), 0));
      av_samples_set_silence(frame->extended_data, 0, step, 2, sound->sample_fmt);
      film_check(avcodec_send_frame(sound.get(), frame.get()));
      drain(*sound, {heard});
    }
    film_check(avcodec_send_frame(sound.get(), nullptr));
    drain(*sound, {heard});
  }
  film_check(av_write_trailer(output));
  std::uint8_t* bytes = nullptr;
  const int size = avio_close_dyn_buf(output->pb, &bytes);
  const auto* from = reinterpret_cast<const std::byte*>(bytes);
  Bytes result(from, from + size);
  av_free(bytes);
  avformat_free_context(output);
  return result;
}

}  // namespace portcullis::testing

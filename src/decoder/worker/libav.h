// decoder/worker/libav.h: libav on bytes in memory, with everything off that reaches further. Only
// here and in video*.{h,cc} and apng.{h,cc} is libav.
//
// A demuxer is named by the caller after its own sniffing and libav never guesses; no protocol may
// be opened; a decoder is one of an allow-list; there are no threads, and nothing is logged.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

struct FreesLibav {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
  void operator()(AVCodecParameters* parameters) const { avcodec_parameters_free(&parameters); }
};
template <class T>
using Libav = std::unique_ptr<T, FreesLibav>;

// Throws std::bad_alloc instead of giving nothing.
Libav<AVPacket> new_packet();
Libav<AVFrame> new_frame();

// Throws NotTaken{"command-failure"} for a negative `code`, std::bad_alloc when memory ran out.
void libav_check(int code, std::string_view what);

using LibavOptions = std::vector<std::pair<std::string, std::string>>;

// A demuxer over `bytes`, which must outlive it. Packets come as the container has them: no parser
// touches them and no time is made up.
class Demuxer {
 public:
  // Throws NotTaken when the header is damaged.
  Demuxer(ByteView bytes, const char* demuxer, const LibavOptions& options);
  ~Demuxer();
  Demuxer(const Demuxer&) = delete;
  Demuxer& operator=(const Demuxer&) = delete;

  AVFormatContext& context() { return *context_; }
  // False at the end. Throws NotTaken when the file is damaged.
  bool read(AVPacket& packet);

 private:
  ByteView bytes_;
  std::int64_t place_ = 0;
  AVFormatContext* context_ = nullptr;
  AVIOContext* input_ = nullptr;
};

// A muxer into memory that writes neither chance, times nor its own name.
class Muxer {
 public:
  explicit Muxer(const char* muxer);
  ~Muxer();
  Muxer(const Muxer&) = delete;
  Muxer& operator=(const Muxer&) = delete;

  AVFormatContext& context() { return *context_; }
  // A stream of `parameters`, which must be all that is to be said of it.
  AVStream& add_stream(const AVCodecParameters& parameters, AVRational time_base);
  void write_header(const LibavOptions& options);
  // Takes what the packet refers to.
  void write(AVPacket& packet);
  Bytes finish();

 private:
  AVFormatContext* context_ = nullptr;
  AVIOContext* output_ = nullptr;
  Bytes bytes_;
  std::size_t place_ = 0;
};

// A decoder of the allow-list: h264, vp8, vp9, av1 and apng.
class FrameDecoder {
 public:
  // A frame of more than `max_pixels` is an error. Throws NotTaken for any other codec.
  FrameDecoder(const AVCodecParameters& parameters, std::uint64_t max_pixels);

  // Every damage is an error: what one decoder paints over, another may show. `frame` is valid
  // during the call.
  template <class OnFrame>
  void decode(const AVPacket& packet, OnFrame&& on_frame) {
    send(&packet);
    while (receive()) on_frame(*frame_);
  }
  // The frames that are still held back.
  template <class OnFrame>
  void finish(OnFrame&& on_frame) {
    send(nullptr);
    while (receive()) on_frame(*frame_);
  }

 private:
  void send(const AVPacket* packet);
  bool receive();

  Libav<AVCodecContext> context_;
  Libav<AVFrame> frame_;
};

// No log, for all of libav. Before anything else of it.
void quiet_libav();

}  // namespace portcullis::decoder

#include "decoder/worker/libav.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace portcullis::decoder {

namespace {

constexpr std::size_t kBuffer = 64 * 1024;  // bytes that a demuxer reads at once

// Which decoder takes a codec; a codec that is not here is not decoded.
const char* decoder_of(AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_H264:
      return "h264";
    case AV_CODEC_ID_VP8:
      return "vp8";
    case AV_CODEC_ID_VP9:
      return "vp9";
    case AV_CODEC_ID_AV1:
      return "libdav1d";
    case AV_CODEC_ID_APNG:
      return "apng";
    default:
      return nullptr;
  }
}

[[noreturn]] void refuse(int code, std::string_view what) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof text);
  throw NotTaken{"command-failure", fmt::format("{}: {}", what, text)};
}

int refuse_to_open(AVFormatContext*, AVIOContext** opened, const char*, int, AVDictionary**) {
  *opened = nullptr;
  return AVERROR(EPERM);
}

// Owned by this; libav takes out what it knows.
class Dictionary {
 public:
  explicit Dictionary(const LibavOptions& options) {
    for (const auto& [key, value] : options)
      libav_check(av_dict_set(&options_, key.c_str(), value.c_str(), 0), "an option");
  }
  ~Dictionary() { av_dict_free(&options_); }
  Dictionary(const Dictionary&) = delete;
  Dictionary& operator=(const Dictionary&) = delete;
  AVDictionary** get() { return &options_; }
  // An option that libav does not know would be one that does nothing.
  void check_all_taken() const { PORTCULLIS_CHECK(av_dict_count(options_) == 0); }

 private:
  AVDictionary* options_ = nullptr;
};

void free_io(AVIOContext* io) {
  av_freep(&io->buffer);
  avio_context_free(&io);
}

char* libav_text(const char* text) {
  char* copy = av_strdup(text);
  if (copy == nullptr) throw std::bad_alloc();
  return copy;
}

}  // namespace

void quiet_libav() {
  av_log_set_callback([](void*, int, const char*, va_list) {});
  av_log_set_level(AV_LOG_QUIET);
}

Libav<AVPacket> new_packet() {
  Libav<AVPacket> packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

Libav<AVFrame> new_frame() {
  Libav<AVFrame> frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}

void libav_check(int code, std::string_view what) {
  if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
  if (code < 0) refuse(code, what);
}

Demuxer::Demuxer(ByteView bytes, const char* demuxer, const LibavOptions& options) : bytes_(bytes) {
  const AVInputFormat* format = av_find_input_format(demuxer);
  PORTCULLIS_CHECK(format != nullptr);
  Dictionary dictionary(options);
  const auto read = [](void* self, std::uint8_t* into, int most) {
    auto& from = *static_cast<Demuxer*>(self);
    const auto left = static_cast<std::int64_t>(from.bytes_.size()) - from.place_;
    const auto count = std::min<std::int64_t>(left, most);
    if (count <= 0) return AVERROR_EOF;
    std::memcpy(into, from.bytes_.data() + from.place_, static_cast<std::size_t>(count));
    from.place_ += count;
    return static_cast<int>(count);
  };
  const auto seek = [](void* self, std::int64_t offset, int whence) -> std::int64_t {
    auto& from = *static_cast<Demuxer*>(self);
    const auto size = static_cast<std::int64_t>(from.bytes_.size());
    if ((whence & AVSEEK_SIZE) != 0) return size;
    if (whence != SEEK_SET || offset < 0 || offset > size) return AVERROR(EINVAL);
    return from.place_ = offset;
  };
  auto* buffer = static_cast<std::uint8_t*>(av_malloc(kBuffer));
  if (buffer == nullptr) throw std::bad_alloc();
  input_ = avio_alloc_context(buffer, kBuffer, 0, this, read, nullptr, seek);
  if (input_ == nullptr) {
    av_free(buffer);
    throw std::bad_alloc();
  }
  context_ = avformat_alloc_context();
  if (context_ == nullptr) {
    free_io(input_);
    throw std::bad_alloc();
  }
  context_->pb = input_;
  context_->io_open = refuse_to_open;
  context_->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN;
  context_->format_whitelist = libav_text(demuxer);
  context_->protocol_whitelist = libav_text("");
  context_->codec_whitelist = libav_text("");  // a demuxer decodes nothing
  const int opened = avformat_open_input(&context_, "", format, dictionary.get());
  if (opened < 0) {  // the context is gone; the destructor will not run
    free_io(input_);
    refuse(opened, "the container's header");  // a wish for endless memory is the file's fault
  }
  dictionary.check_all_taken();
}

Demuxer::~Demuxer() {
  avformat_close_input(&context_);
  free_io(input_);
}

bool Demuxer::read(AVPacket& packet) {
  av_packet_unref(&packet);
  const int code = av_read_frame(context_, &packet);
  if (code == AVERROR_EOF && (input_->error == 0 || input_->error == AVERROR_EOF)) return false;
  if (code < 0) refuse(code, "the container");
  if ((packet.flags & AV_PKT_FLAG_CORRUPT) != 0)
    throw NotTaken{"command-failure", "the container is damaged or truncated"};
  return true;
}

// Not libav's own dynamic buffer: it cuts the end off when a muxer stops in the middle, as the one
// for APNG does.
Muxer::Muxer(const char* muxer) {
  const auto write = [](void* self, std::uint8_t* from, int size) {
    auto& into = *static_cast<Muxer*>(self);
    const auto count = static_cast<std::size_t>(size);
    try {
      into.bytes_.resize(std::max(into.bytes_.size(), into.place_ + count));
    } catch (const std::bad_alloc&) {
      return AVERROR(ENOMEM);
    }
    std::memcpy(into.bytes_.data() + into.place_, from, count);
    into.place_ += count;
    return size;
  };
  const auto seek = [](void* self, std::int64_t offset, int whence) -> std::int64_t {
    auto& into = *static_cast<Muxer*>(self);
    const auto size = static_cast<std::int64_t>(into.bytes_.size());
    if ((whence & AVSEEK_SIZE) != 0) return size;
    if (whence != SEEK_SET || offset < 0 || offset > INT32_MAX) return AVERROR(EINVAL);
    into.place_ = static_cast<std::size_t>(offset);
    return offset;
  };
  auto* buffer = static_cast<std::uint8_t*>(av_malloc(kBuffer));
  if (buffer == nullptr) throw std::bad_alloc();
  output_ = avio_alloc_context(buffer, kBuffer, 1, this, nullptr, write, seek);
  if (output_ == nullptr) {
    av_free(buffer);
    throw std::bad_alloc();
  }
  if (const int code = avformat_alloc_output_context2(&context_, nullptr, muxer, nullptr);
      code < 0) {
    free_io(output_);
    libav_check(code, muxer);
  }
  context_->pb = output_;
  context_->io_open = refuse_to_open;
  context_->flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO;
}

Muxer::~Muxer() {
  avformat_free_context(context_);
  free_io(output_);
}

AVStream& Muxer::add_stream(const AVCodecParameters& parameters, AVRational time_base) {
  AVStream* stream = avformat_new_stream(context_, nullptr);
  if (stream == nullptr) throw std::bad_alloc();
  libav_check(avcodec_parameters_copy(stream->codecpar, &parameters), "a stream");
  stream->time_base = time_base;
  return *stream;
}

void Muxer::write_header(const LibavOptions& options) {
  Dictionary dictionary(options);
  libav_check(avformat_write_header(context_, dictionary.get()), "the new container");
  dictionary.check_all_taken();
}

void Muxer::write(AVPacket& packet) {
  libav_check(av_interleaved_write_frame(context_, &packet), "the new container");
}

Bytes Muxer::finish() {
  libav_check(av_write_trailer(context_), "the new container");
  avio_flush(output_);
  libav_check(output_->error, "the new container");
  return std::move(bytes_);
}

FrameDecoder::FrameDecoder(const AVCodecParameters& parameters, std::uint64_t max_pixels)
    : frame_(new_frame()) {
  const char* name = decoder_of(parameters.codec_id);
  if (name == nullptr)
    throw NotTaken{"command-failure",
                   fmt::format("the codec {} is not taken", avcodec_get_name(parameters.codec_id))};
  const AVCodec* codec = avcodec_find_decoder_by_name(name);
  if (codec == nullptr) throw NotTaken{"command-failure", fmt::format("no decoder {}", name)};
  context_.reset(avcodec_alloc_context3(codec));
  if (!context_) throw std::bad_alloc();
  libav_check(avcodec_parameters_to_context(context_.get(), &parameters), name);
  context_->thread_count = 1;
  context_->max_pixels = static_cast<std::int64_t>(max_pixels);
  context_->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
  context_->error_concealment = 0;
  // H.264 waits for as many frames as its level allows and drops none that comes out of order.
  context_->strict_std_compliance = FF_COMPLIANCE_STRICT;
  libav_check(avcodec_open2(context_.get(), codec, nullptr), name);
}

void FrameDecoder::send(const AVPacket* packet) {
  libav_check(avcodec_send_packet(context_.get(), packet), "a frame");
}

bool FrameDecoder::receive() {
  const int code = avcodec_receive_frame(context_.get(), frame_.get());
  if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return false;
  libav_check(code, "a frame");
  if (frame_->decode_error_flags != 0 || (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0)
    throw NotTaken{"command-failure", "a damaged frame"};
  return true;
}

}  // namespace portcullis::decoder

#include "decoder/worker/video.h"

extern "C" {
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <set>

#include "decoder/coded_video.h"
#include "decoder/movie_files.h"

namespace portcullis::decoder {

namespace {

// Address space of a worker before its first job, and how many decoded frames a codec may hold at
// once: H.264 sixteen to refer to, and a few on their way.
constexpr std::uint64_t kIdleMemory = 360ull << 20;
constexpr std::uint64_t kFramesHeld = 20;
constexpr std::uint64_t kCopies = 4;  // of the file: as sent, its packets, the new one twice
constexpr int kMargin = 128;  // by which coded, aligned pictures may be larger than shown ones

template <class T>
T or_not_taken(Result<T> result) {
  if (!result) throw NotTaken{result.error().code, result.error().what};
  return *std::move(result);
}

[[noreturn]] void refuse(std::string what) { throw NotTaken{"command-failure", std::move(what)}; }

const char* demuxer_of(Container container) {
  return container == Container::mp4 ? "mov" : "matroska";
}
LibavOptions demuxer_options(Container container) {
  if (container == Container::webm) return {};
  return {{"ignore_editlist", "1"},
          {"advanced_editlist", "0"},
          {"ignore_chapters", "1"},
          {"enable_drefs", "0"},
          {"use_absolute_path", "0"}};
}

bool is_video_codec(Container container, AVCodecID codec) {
  if (codec == AV_CODEC_ID_VP9 || codec == AV_CODEC_ID_AV1) return true;
  return codec == (container == Container::mp4 ? AV_CODEC_ID_H264 : AV_CODEC_ID_VP8);
}
bool is_audio_codec(Container container, AVCodecID codec) {
  if (codec == AV_CODEC_ID_OPUS) return true;
  return codec == (container == Container::mp4 ? AV_CODEC_ID_AAC : AV_CODEC_ID_VORBIS);
}

bool is_cover(const AVStream& stream) {
  return (stream.disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)) !=
         0;
}

// The one track of pictures, and the first of sound that may stay.
struct Tracks {
  AVStream* video = nullptr;
  AVStream* audio = nullptr;
};
Tracks tracks_of(Demuxer& demuxer, Container container) {
  Tracks tracks;
  const std::span streams(demuxer.context().streams, demuxer.context().nb_streams);
  for (AVStream* stream : streams) {
    stream->discard = AVDISCARD_ALL;
    const AVCodecParameters& codec = *stream->codecpar;
    if (codec.codec_type == AVMEDIA_TYPE_VIDEO && !is_cover(*stream)) {
      if (tracks.video != nullptr) refuse("several tracks with pictures");
      tracks.video = stream;
    }
    if (codec.codec_type == AVMEDIA_TYPE_AUDIO && tracks.audio == nullptr &&
        is_audio_codec(container, codec.codec_id))
      tracks.audio = stream;
  }
  if (tracks.video == nullptr) refuse("no track with pictures");
  if (!is_video_codec(container, tracks.video->codecpar->codec_id))
    refuse(fmt::format("the codec {} is not taken",
                       avcodec_get_name(tracks.video->codecpar->codec_id)));
  tracks.video->discard = AVDISCARD_NONE;
  return tracks;
}

// Only quarter turns: a matrix can also mirror, squeeze or move a picture out of sight.
int turn_of(const AVStream& stream) {
  std::size_t size = 0;
  const auto* m = reinterpret_cast<const std::int32_t*>(
      av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size));
  if (m == nullptr) return 0;
  if (size < 9 * sizeof *m) refuse("a damaged matrix");
  constexpr std::int32_t kOne = 1 << 16;
  const struct {
    std::int32_t a, b, c, d;
    int turn;
  } known[] = {{kOne, 0, 0, kOne, 0},
               {0, kOne, -kOne, 0, 90},
               {-kOne, 0, 0, -kOne, 180},
               {0, -kOne, kOne, 0, 270}};
  for (const auto& k : known)
    if (m[0] == k.a && m[1] == k.b && m[3] == k.c && m[4] == k.d && m[2] == 0 && m[5] == 0)
      return k.turn;
  refuse("a picture that is mirrored or skewed");
}

void check_size(int width, int height, const Limits& limits) {
  if (width <= 0 || height <= 0) refuse("no size");
  if (static_cast<std::uint32_t>(width) > limits.max_width)
    throw NotTaken{"validate-width", fmt::format("{} pixels wide", width)};
  if (static_cast<std::uint32_t>(height) > limits.max_height)
    throw NotTaken{"validate-height", fmt::format("{} pixels high", height)};
  if (std::uint64_t(width) * std::uint64_t(height) > limits.max_area)
    throw NotTaken{"validate-area", fmt::format("{} x {} pixels", width, height)};
}

// `bits` of one decoded pixel.
void check_memory(const AVCodecParameters& codec, std::uint64_t bits, std::size_t file_size,
                  const VideoRules& rules) {
  const auto pixels = static_cast<std::uint64_t>(codec.width + kMargin) *
                      static_cast<std::uint64_t>(codec.height + kMargin);
  constexpr std::uint64_t kRgb = 2 * 3;  // a frame as it is converted and as it is turned
  const std::uint64_t needed =
      kIdleMemory + kCopies * file_size + pixels * (kFramesHeld * bits / 8 + kRgb);
  if (rules.memory != 0 && needed > rules.memory)
    throw NotTaken{"validate-area", fmt::format("{} x {} pixels need more than {} MiB of memory",
                                                codec.width, codec.height, rules.memory >> 20)};
}

std::uint64_t most_pixels(const AVCodecParameters& codec) {
  return static_cast<std::uint64_t>(codec.width + kMargin) *
         static_cast<std::uint64_t>(codec.height + kMargin);
}

// What a new container may say of a track: nothing that the decoder did not see.
Libav<AVCodecParameters> bare(const AVCodecParameters& from, ByteView extradata) {
  Libav<AVCodecParameters> to(avcodec_parameters_alloc());
  if (!to) throw std::bad_alloc();
  to->codec_type = from.codec_type;
  to->codec_id = from.codec_id;
  to->width = from.width;
  to->height = from.height;
  // Beyond, nothing of a picture can be made out.
  const double aspect =
      av_q2d(from.sample_aspect_ratio.den != 0 ? from.sample_aspect_ratio : AVRational{1, 1});
  if (aspect > 0.25 && aspect < 4) to->sample_aspect_ratio = from.sample_aspect_ratio;
  to->sample_rate = from.sample_rate;
  libav_check(av_channel_layout_copy(&to->ch_layout, &from.ch_layout), "a sound track");
  to->frame_size = from.frame_size;
  to->block_align = from.block_align;
  to->initial_padding = from.initial_padding;
  to->seek_preroll = from.seek_preroll;
  if (extradata.empty()) return to;
  to->extradata =
      static_cast<std::uint8_t*>(av_mallocz(extradata.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (to->extradata == nullptr) throw std::bad_alloc();
  to->extradata_size = static_cast<int>(extradata.size());
  std::ranges::copy(extradata, reinterpret_cast<std::byte*>(to->extradata));
  return to;
}

ByteView extradata_of(const AVCodecParameters& codec) {
  return {reinterpret_cast<const std::byte*>(codec.extradata),
          static_cast<std::size_t>(codec.extradata_size)};
}

// A track as it will be stored.
struct Track {
  Libav<AVCodecParameters> codec;
  AVRational time_base{0, 1};
  std::vector<Libav<AVPacket>> packets;
};

// A packet with the bytes `data` and with the times of `from`, and with nothing that came beside
// it: transparency of WebM, captions, parameters that change.
Libav<AVPacket> packet_of(const AVPacket& from, ByteView data) {
  Libav<AVPacket> packet = new_packet();
  libav_check(av_new_packet(packet.get(), static_cast<int>(data.size())), "a packet");
  std::ranges::copy(data, reinterpret_cast<std::byte*>(packet->data));
  packet->pts = from.pts;
  packet->dts = from.dts;
  packet->duration = from.duration;
  packet->flags = from.flags & AV_PKT_FLAG_KEY;
  return packet;
}

ByteView data_of(const AVPacket& packet) {
  return {reinterpret_cast<const std::byte*>(packet.data), static_cast<std::size_t>(packet.size)};
}

bool changes_the_codec(const AVPacket& packet) {
  for (const AVPacketSideDataType type : {AV_PKT_DATA_NEW_EXTRADATA, AV_PKT_DATA_PARAM_CHANGE})
    if (av_packet_get_side_data(&packet, type, nullptr) != nullptr) return true;
  return false;
}

// Keeps of a video's samples what is pictures.
class Cleaner {
 public:
  explicit Cleaner(const AVCodecParameters& codec) : codec_(codec.codec_id) {
    if (codec_ == AV_CODEC_ID_H264) {
      sets_ = or_not_taken(read_avcc(extradata_of(codec)));
      extradata_ = write_avcc(sets_);
    } else if (codec_ == AV_CODEC_ID_AV1) {
      extradata_ = or_not_taken(clean_av1c(extradata_of(codec)));
    }
  }
  ByteView extradata() const { return extradata_; }
  Bytes clean(ByteView sample) const {
    if (codec_ == AV_CODEC_ID_H264) return or_not_taken(clean_h264(sample, sets_));
    if (codec_ == AV_CODEC_ID_AV1) return or_not_taken(clean_av1(sample));
    return {sample.begin(), sample.end()};
  }

 private:
  AVCodecID codec_;
  H264Sets sets_;
  Bytes extradata_;
};

Bytes audio_extradata(const AVCodecParameters& codec) {
  constexpr std::size_t kMost = 256;
  const ByteView extradata = extradata_of(codec);
  if (codec.codec_id == AV_CODEC_ID_VORBIS) return or_not_taken(clean_vorbis_headers(extradata));
  if (extradata.size() > kMost) refuse("a sound track with too much to say");
  return {extradata.begin(), extradata.end()};
}

// Far enough from where a sum of two would overflow; AV_NOPTS_VALUE is not.
bool is_time(std::int64_t time) {
  constexpr std::int64_t kMost = std::int64_t{1} << 48;
  return time >= -kMost && time <= kMost;
}

// Times must go on: two frames at one time would be one that nobody sees.
void check_times(const Track& track) {
  std::set<std::int64_t> shown;
  const bool reorders = track.codec->codec_id == AV_CODEC_ID_H264;
  std::int64_t before = INT64_MIN;
  for (const auto& packet : track.packets) {
    if (!is_time(packet->pts) || !is_time(packet->dts) || packet->dts < before)
      refuse("frames without an order");
    before = packet->dts;
    if (!shown.insert(packet->pts).second && reorders) refuse("two frames at one time");
  }
}

// A frame is not shown before it is decoded: where a container counts that way, its decoding times
// are moved as a whole.
void decode_in_time(const Track& track) {
  std::int64_t late = 0;
  for (const auto& packet : track.packets) late = std::max(late, packet->dts - packet->pts);
  for (const auto& packet : track.packets) packet->dts -= late;
}

std::int64_t first_time(const Track& track) {
  std::int64_t first = INT64_MAX;
  for (const auto& packet : track.packets) first = std::min(first, packet->pts);
  return first;
}
std::int64_t last_time(const Track& track) {
  std::int64_t last = INT64_MIN;
  for (const auto& packet : track.packets) last = std::max(last, packet->pts);
  return last;
}

// An edit list may delay a film and say that its first frame is shown at once. One that hides
// frames is refused: the new container has none, and would show what somebody cut out.
void check_edits(const Mp4Outline& outline, const Track& track) {
  auto edits = std::span(outline.edits);
  while (!edits.empty() && edits[0].start == -1) edits = edits.subspan(1);
  if (edits.empty()) return;
  const Edit& edit = edits[0];
  if (edits.size() > 1 || edit.rate != 0x10000 || edit.start > first_time(track))
    refuse("an edit list that hides frames");
  if (edit.duration == 0 || outline.time_scale == 0) return;
  const double shown = static_cast<double>(edit.duration) / outline.time_scale,
               last = static_cast<double>(last_time(track) - edit.start) * av_q2d(track.time_base);
  if (shown <= last) refuse("an edit list that hides frames");
}

void move_times(Track& track, std::int64_t by) {
  for (const auto& packet : track.packets) {
    packet->pts -= by;
    packet->dts -= by;
  }
  std::erase_if(track.packets, [&](const Libav<AVPacket>& packet) {
    return packet->pts < 0 && track.codec->codec_type == AVMEDIA_TYPE_AUDIO;
  });
}

struct Film {
  Track video;
  std::optional<Track> audio;
  int turn = 0;
};

Film read_film(ByteView bytes, Container container, const VideoRules& rules) {
  std::optional<Mp4Outline> outline;
  if (container == Container::mp4) {
    outline = or_not_taken(read_mp4_outline(bytes, rules.limits.max_frames));
    bytes = bytes.first(outline->end);
  } else {
    bytes = bytes.first(or_not_taken(webm_end(bytes)));
  }
  Demuxer demuxer(bytes, demuxer_of(container), demuxer_options(container));
  const Tracks tracks = tracks_of(demuxer, container);
  const AVCodecParameters& codec = *tracks.video->codecpar;

  Film film;
  film.turn = turn_of(*tracks.video);
  const bool lies = film.turn % 180 != 0;
  check_size(lies ? codec.height : codec.width, lies ? codec.width : codec.height, rules.limits);
  constexpr std::uint64_t kLeastBits = 12;
  check_memory(codec, kLeastBits, bytes.size(), rules);

  const Cleaner cleaner(codec);
  film.video = {bare(codec, cleaner.extradata()), tracks.video->time_base, {}};
  if (rules.allow_audio && tracks.audio != nullptr) {
    tracks.audio->discard = AVDISCARD_NONE;
    const AVCodecParameters& sound = *tracks.audio->codecpar;
    film.audio = Track{bare(sound, audio_extradata(sound)), tracks.audio->time_base, {}};
  }

  const Libav<AVPacket> packet = new_packet();
  for (std::uint64_t total = 0; demuxer.read(*packet);) {
    // Tables that point at the same bytes many times make a film of any length.
    total += static_cast<std::uint64_t>(packet->size);
    if (total > bytes.size()) refuse("samples that share their bytes");
    if (packet->size <= 0 || changes_the_codec(*packet)) refuse("a codec that changes");
    const bool is_video = packet->stream_index == tracks.video->index;
    if (packet->dts == AV_NOPTS_VALUE ||
        (is_video && codec.codec_id != AV_CODEC_ID_H264))  // which have no other order
      packet->dts = packet->pts;
    if (!is_video) {
      if (film.audio && packet->stream_index == tracks.audio->index)
        film.audio->packets.push_back(packet_of(*packet, data_of(*packet)));
      continue;
    }
    film.video.packets.push_back(packet_of(*packet, cleaner.clean(data_of(*packet))));
    if (film.video.packets.size() > rules.limits.max_frames)
      throw NotTaken{"validate-frames",
                     fmt::format("more than {} frames", rules.limits.max_frames)};
  }
  if (film.video.packets.empty()) refuse("no frames");
  check_times(film.video);
  decode_in_time(film.video);
  if (film.audio) check_times(*film.audio);
  if (outline) check_edits(*outline, film.video);

  const std::int64_t start = first_time(film.video);
  move_times(film.video, start);
  if (film.audio)
    move_times(*film.audio, av_rescale_q(start, film.video.time_base, film.audio->time_base));
  if (film.audio && film.audio->packets.empty()) film.audio.reset();
  return film;
}

bool is_known_kind(int format) {
  switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUV444P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUV440P:
    case AV_PIX_FMT_YUV420P10LE:
    case AV_PIX_FMT_YUV422P10LE:
    case AV_PIX_FMT_YUV444P10LE:
    case AV_PIX_FMT_YUV420P12LE:
    case AV_PIX_FMT_GRAY8:
    case AV_PIX_FMT_GRAY10LE:
    case AV_PIX_FMT_GBRP:
      return true;
    default:
      return false;
  }
}

// The first frame alone says what kind of pixels a codec has; a container that lies about their
// number is refused.
void learn_the_kind(Track& video, std::size_t file_size, const VideoRules& rules) {
  FrameDecoder decoder(*video.codec, most_pixels(*video.codec));
  bool found = false;
  const auto take = [&](const AVFrame& frame) {
    if (std::exchange(found, true)) return;
    if (frame.width != video.codec->width || frame.height != video.codec->height)
      refuse("frames of another size than the container says");
    if (!is_known_kind(frame.format)) refuse("pixels of an unknown kind");
    video.codec->format = frame.format;
  };
  for (const auto& packet : video.packets) {
    decoder.decode(*packet, take);
    if (found) break;
  }
  if (!found) decoder.finish(take);
  if (!found) refuse("no frame that is shown");
  const AVPixFmtDescriptor* kind =
      av_pix_fmt_desc_get(static_cast<AVPixelFormat>(video.codec->format));
  check_memory(*video.codec, static_cast<std::uint64_t>(av_get_padded_bits_per_pixel(kind)),
               file_size, rules);
}

void write_track(Muxer& muxer, const Track& track, const AVStream& stream) {
  for (const auto& from : track.packets) {
    const Libav<AVPacket> packet = new_packet();
    libav_check(av_packet_ref(packet.get(), from.get()), "a packet");
    packet->stream_index = stream.index;
    av_packet_rescale_ts(packet.get(), track.time_base, stream.time_base);
    muxer.write(*packet);
  }
}

Bytes mux(const Film& film, Container container, const LibavOptions& options) {
  Muxer muxer(container == Container::mp4 ? "mp4" : "webm");
  muxer.context().avoid_negative_ts = 0;
  AVStream& video = muxer.add_stream(*film.video.codec, film.video.time_base);
  if (film.turn != 0) {
    auto* matrix = reinterpret_cast<std::int32_t*>(
        av_stream_new_side_data(&video, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(std::int32_t)));
    if (matrix == nullptr) throw std::bad_alloc();
    av_display_rotation_set(matrix, film.turn);  // clockwise; the getter is not
  }
  AVStream* audio = nullptr;
  if (film.audio) audio = &muxer.add_stream(*film.audio->codec, film.audio->time_base);
  muxer.write_header(options);
  write_track(muxer, film.video, video);
  if (film.audio) write_track(muxer, *film.audio, *audio);
  return muxer.finish();
}

Bytes mux(const Film& film, Container container) {
  if (container == Container::webm) return mux(film, container, {});
  // Neither an edit list nor a first frame that waits for one: what comes before it in decoding
  // order has negative times instead.
  LibavOptions options{{"use_editlist", "0"}, {"movflags", "negative_cts_offsets"}};
  const Bytes once = mux(film, container, options);
  // The header goes to the front, so that a browser can begin before the end has come. libav leaves
  // room for it when told how much: its size, and an empty box.
  constexpr std::size_t kEmptyBox = 8;
  const auto outline = or_not_taken(read_mp4_outline(once, UINT32_MAX));
  options.emplace_back("moov_size", fmt::to_string(outline.movie_size + kEmptyBox));
  return mux(film, container, options);
}

// The new container is read again as a stranger's would be.
void check_rebuilt(const Video& video, const AVCodecParameters& codec) {
  Demuxer demuxer(video.bytes, demuxer_of(video.container), demuxer_options(video.container));
  const Tracks tracks = tracks_of(demuxer, video.container);
  const Libav<AVPacket> packet = new_packet();
  std::uint32_t samples = 0;
  while (demuxer.read(*packet)) ++samples;
  const AVCodecParameters& again = *tracks.video->codecpar;
  if (samples != video.samples || again.width != codec.width || again.height != codec.height ||
      again.codec_id != codec.codec_id || turn_of(*tracks.video) != video.turn ||
      demuxer.context().nb_streams != (video.has_audio ? 2U : 1U) ||
      demuxer.context().nb_chapters != 0)
    refuse("the new video is another");
}

}  // namespace

Video rebuild_video(ByteView bytes, Container container, const VideoRules& rules) {
  if (bytes.size() > rules.limits.max_file_size)
    throw NotTaken{"validate-file-size", fmt::format("{} bytes", bytes.size())};
  Film film = read_film(bytes, container, rules);
  learn_the_kind(film.video, bytes.size(), rules);
  const bool lies = film.turn % 180 != 0;
  const AVCodecParameters& codec = *film.video.codec;
  Video video{.container = container,
              .bytes = mux(film, container),
              .width = lies ? codec.height : codec.width,
              .height = lies ? codec.width : codec.height,
              .turn = film.turn,
              .samples = static_cast<std::uint32_t>(film.video.packets.size()),
              .has_audio = film.audio.has_value()};
  check_rebuilt(video, codec);
  return video;
}

std::uint32_t each_frame(const Video& video, const OnVideoFrame& on_frame) {
  Demuxer demuxer(video.bytes, demuxer_of(video.container), demuxer_options(video.container));
  AVStream& stream = *tracks_of(demuxer, video.container).video;
  const AVCodecParameters& codec = *stream.codecpar;
  FrameDecoder decoder(codec, most_pixels(codec));
  std::uint32_t shown = 0;
  std::int64_t time = 0;
  int kind = AV_PIX_FMT_NONE;
  bool goes_on = true;
  const auto take = [&](const AVFrame& frame) {
    if (!goes_on) return;
    if (shown == 0) kind = frame.format;
    if (frame.width != codec.width || frame.height != codec.height || frame.format != kind ||
        !is_known_kind(kind))
      refuse("frames that change their size or kind");
    if (frame.pts != AV_NOPTS_VALUE)
      time = av_rescale_q(frame.pts, stream.time_base, AVRational{1, 1000});
    ++shown;
    goes_on = on_frame(frame, time);
  };
  const Libav<AVPacket> packet = new_packet();
  while (goes_on && demuxer.read(*packet)) decoder.decode(*packet, take);
  if (!goes_on) return shown;
  decoder.finish(take);
  const bool shows_all = codec.codec_id == AV_CODEC_ID_H264;
  if (shown == 0 || shown > video.samples || (shows_all && shown != video.samples))
    refuse(fmt::format("{} frames in {} samples", shown, video.samples));
  return shown;
}

void warm_up_video() {
  const Libav<AVCodecParameters> codec(avcodec_parameters_alloc());
  if (!codec) throw std::bad_alloc();
  codec->codec_type = AVMEDIA_TYPE_VIDEO;
  codec->width = codec->height = 64;
  for (const AVCodecID id : {AV_CODEC_ID_H264, AV_CODEC_ID_VP8, AV_CODEC_ID_VP9, AV_CODEC_ID_AV1}) {
    codec->codec_id = id;
    FrameDecoder(*codec, most_pixels(*codec)).finish([](const AVFrame&) {});
  }
  for (const AVPixelFormat kind : {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P10LE}) {
    const Libav<AVFrame> frame = new_frame();
    frame->width = frame->height = 64;
    frame->format = kind;
    libav_check(av_frame_get_buffer(frame.get(), 0), "a frame");
    for (int plane = 0; plane < 3; ++plane)
      std::fill_n(frame->data[plane],
                  frame->linesize[plane] * (plane == 0 ? frame->height : frame->height / 2),
                  std::uint8_t{0});
    for (const int shrink : {1, 2}) (void)picture_of(*frame, 90, shrink);
  }
  codec->format = AV_PIX_FMT_YUV420P;
  for (const char* name : {"mp4", "webm"}) {
    codec->codec_id = std::string_view(name) == "webm" ? AV_CODEC_ID_VP8 : AV_CODEC_ID_VP9;
    Muxer muxer(name);
    muxer.add_stream(*codec, {1, 1000});
    muxer.write_header({});
    (void)muxer.finish();
  }
}

Frames first_frame(const Video& video) {
  Frames frames;
  each_frame(video, [&](const AVFrame& frame, std::int64_t) {
    frames.strip = picture_of(frame, video.turn);
    return false;
  });
  frames.width = frames.strip.width();
  frames.height = frames.strip.height();
  return frames;
}

}  // namespace portcullis::decoder

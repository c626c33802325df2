// What becomes of films: in this process, and in one that is locked in.
#include <gtest/gtest.h>

#include "decoder/movie_files.h"
#include "decoder/worker/video.h"
#include "testing/decoding.h"
#include "testing/memory_file.h"
#include "testing/videos.h"

namespace portcullis::decoder {
namespace {

using testing::any_job;
using testing::Extras;
using testing::film;
using testing::holds;
using testing::joined;
using testing::landscape;
using vips::VImage;

VideoRules any_rules() {
  VideoRules rules;
  rules.limits = {3'840, 3'840, 8'294'400, 40u << 20, 900};
  return rules;
}

std::vector<VImage> moving(int frames, int width = 96, int height = 64) {
  std::vector<VImage> pictures;
  pictures.reserve(static_cast<std::size_t>(frames));
  for (int i = 0; i < frames; ++i)
    pictures.push_back(
        landscape(width, height).wrap(VImage::option()->set("x", i * 3)).copy_memory());
  return pictures;
}

class VideoTest : public testing::WorkerTest {};

const struct Kind {
  const char *name, *encoder, *muxer;
  Container container;
} kKinds[] = {
    {"h264 in mp4", "libx264", "mp4", Container::mp4},
    {"h264 in mov", "libx264", "mov", Container::mp4},
    {"vp9 in mp4", "libvpx-vp9", "mp4", Container::mp4},
    {"av1 in mp4", "libaom-av1", "mp4", Container::mp4},
    {"vp8 in webm", "libvpx", "webm", Container::webm},
    {"vp9 in webm", "libvpx-vp9", "webm", Container::webm},
    {"av1 in webm", "libaom-av1", "webm", Container::webm},
};

TEST_F(VideoTest, a_film_keeps_its_frames) {
  for (const Kind& kind : kKinds) {
    const Bytes bytes = film(moving(12), kind.encoder, kind.muxer);
    try {
      const Video video = rebuild_video(bytes, kind.container, any_rules());
      EXPECT_EQ(video.width, 96) << kind.name;
      EXPECT_EQ(video.height, 64) << kind.name;
      std::vector<std::int64_t> times;
      const auto frames = each_frame(video, [&](const AVFrame&, std::int64_t time) {
        times.push_back(time);
        return true;
      });
      EXPECT_EQ(frames, 12u) << kind.name;
      EXPECT_EQ(times.front(), 0) << kind.name;
      EXPECT_EQ(times.back(), 1100) << kind.name;
      // Two runs give the same bytes, and what was rebuilt can be rebuilt.
      EXPECT_EQ(rebuild_video(video.bytes, kind.container, any_rules()).bytes, video.bytes)
          << kind.name;
    } catch (const NotTaken& reason) {
      ADD_FAILURE() << kind.name << ": " << reason.code << ' ' << reason.what;
    }
  }
}

std::string code_of(ByteView bytes, Container container, const VideoRules& rules = any_rules()) {
  try {
    const Video video = rebuild_video(bytes, container, rules);
    each_frame(video, [](const AVFrame&, std::int64_t) { return true; });
    return "";
  } catch (const NotTaken& reason) {
    return reason.code;
  }
}

unsigned streams_of(const Video& video) {
  Demuxer demuxer(video.bytes, video.container == Container::mp4 ? "mov" : "matroska", {});
  return demuxer.context().nb_streams;
}

// `bytes` with those that stand `offset` after the first `mark` put over.
Bytes patched(Bytes bytes, std::string_view mark, std::size_t offset, ByteView over) {
  const std::size_t place = as_text(bytes).find(mark);
  EXPECT_NE(place, std::string_view::npos) << mark;
  std::ranges::copy(over, bytes.begin() + static_cast<std::ptrdiff_t>(place + offset));
  return bytes;
}

using namespace std::string_view_literals;

TEST_F(VideoTest, a_film_loses_all_that_is_no_picture) {
  const Extras proto;
  const std::string& canary = proto.canary;
  for (const Kind& kind : kKinds) {
    Extras extras;
    extras.metadata = {{"title", canary},
                       {"comment", canary},
                       {"encoder", canary},
                       {"location", "+12.3456-098.7654/"}};
    extras.stream_metadata = {{"title", canary}, {"handler_name", canary}};
    extras.chapter = true;
    if (kind.encoder == "libx264"sv) {
      extras.bytes_beside = true;
      extras.encoder_options = {{"udu_sei", "1"}};
    }
    const Bytes before = film(moving(12), kind.encoder, kind.muxer, 10, extras);
    ASSERT_TRUE(holds(before, canary)) << kind.name;
    const Bytes after = rebuild_video(before, kind.container, any_rules()).bytes;
    for (const std::string_view gone :
         {std::string_view(canary), "098.7654"sv, "Lavf5"sv, "Lavc"sv, "x264 - core"sv, "elst"sv})
      EXPECT_FALSE(holds(after, gone)) << kind.name << ' ' << gone;
  }
  Extras attached;
  attached.attachment = true;
  const Bytes before = film(moving(6), "libvpx", "matroska", 10, attached);
  ASSERT_TRUE(holds(before, canary));
  const Video video = rebuild_video(before, Container::webm, any_rules());
  EXPECT_FALSE(holds(video.bytes, canary));
  EXPECT_EQ(streams_of(video), 1u);
}

TEST_F(VideoTest, sound_goes_unless_it_is_allowed) {
  const struct {
    const char *video, *sound, *muxer;
    Container container;
  } cases[] = {{"libx264", "aac", "mp4", Container::mp4},
               {"libvpx", "libvorbis", "webm", Container::webm},
               {"libvpx-vp9", "libopus", "webm", Container::webm}};
  for (const auto& c : cases)
    for (const bool allowed : {false, true}) {
      Extras extras;
      extras.sound = c.sound;
      VideoRules rules = any_rules();
      rules.allow_audio = allowed;
      const Bytes before = film(moving(20), c.video, c.muxer, 10, extras);
      const Video video = rebuild_video(before, c.container, rules);
      EXPECT_EQ(video.has_audio, allowed) << c.sound;
      EXPECT_EQ(streams_of(video), allowed ? 2u : 1u) << c.sound;
      EXPECT_EQ(each_frame(video, [](const AVFrame&, std::int64_t) { return true; }), 20u);
      // Kept sound can be kept again.
      EXPECT_EQ(rebuild_video(video.bytes, c.container, rules).has_audio, allowed) << c.sound;
    }
}

TEST_F(VideoTest, a_header_stands_before_what_it_describes) {
  const Bytes bytes =
      rebuild_video(film(moving(12), "libx264", "mp4"), Container::mp4, any_rules()).bytes;
  EXPECT_LT(as_text(bytes).find("moov"), as_text(bytes).find("mdat"));
  const Bytes webm =
      rebuild_video(film(moving(12), "libvpx", "webm"), Container::webm, any_rules()).bytes;
  EXPECT_TRUE(holds(webm, "\x1C\x53\xBB\x6B"));  // Cues
}

TEST_F(VideoTest, what_is_refused) {
  Extras two, pieces;
  two.second_video = true;
  pieces.muxer_options = {{"movflags", "frag_keyframe+empty_moov"}};
  const Bytes mp4 = film(moving(12), "libx264", "mp4"), webm = film(moving(12), "libvpx", "webm");
  Bytes cut_mp4 = mp4, cut_webm = webm;
  cut_mp4.resize(mp4.size() - 40);
  cut_webm.resize(webm.size() / 2);
  const auto rules = [](auto change) {
    VideoRules changed = any_rules();
    change(changed);
    return changed;
  };
  const struct {
    const char* name;
    Bytes bytes;
    Container container;
    const char* code;
    VideoRules rules = any_rules();
  } cases[] = {
      {"mp4", mp4, Container::mp4, ""},
      {"webm", webm, Container::webm, ""},
      {"mp4 in pieces", film(moving(12), "libx264", "mp4", 10, pieces), Container::mp4, ""},
      {"mp4 with two tracks", film(moving(4), "libx264", "mp4", 10, two), Container::mp4,
       "command-failure"},
      {"webm with two tracks", film(moving(4), "libvpx", "webm", 10, two), Container::webm,
       "command-failure"},
      {"truncated mp4", cut_mp4, Container::mp4, "command-failure"},
      {"truncated webm", cut_webm, Container::webm, "command-failure"},
      {"two mp4", joined({mp4, mp4}), Container::mp4, "command-failure"},
      {"two webm", joined({webm, webm}), Container::webm, "command-failure"},
      {"another codec", film(moving(4), "mpeg4", "mp4"), Container::mp4, "command-failure"},
      {"mp4 as webm", mp4, Container::webm, "command-failure"},
      {"webm as mp4", webm, Container::mp4, "command-failure"},
      {"a track that is off", patched(mp4, "tkhd", 7, as_bytes("\x02"sv)), Container::mp4,
       "command-failure"},
      {"mp4 that says it is wider",
       patched(mp4, "avc1\0\0\0\0\0\0\0\1"sv, 28, as_bytes("\0\x70"sv)), Container::mp4,
       "command-failure"},
      {"mp4 that says it is smaller",
       patched(mp4, "avc1\0\0\0\0\0\0\0\1"sv, 28, as_bytes("\0\x10"sv)), Container::mp4,
       "command-failure"},
      {"webm that says it is smaller", patched(webm, "\xB0\x81\x60"sv, 2, as_bytes("\x20"sv)),
       Container::webm, "command-failure"},
      {"an edit that ends early", patched(mp4, "elst", 12, as_bytes("\0\0\1\0"sv)), Container::mp4,
       "command-failure"},
      {"an edit that begins late", patched(mp4, "elst", 16, as_bytes("\0\0\x20\0"sv)),
       Container::mp4, "command-failure"},
      {"an edit that is slow", patched(mp4, "elst", 20, as_bytes("\0\0"sv)), Container::mp4,
       "command-failure"},
      {"too wide", mp4, Container::mp4, "validate-width",
       rules([](VideoRules& r) { r.limits.max_width = 95; })},
      {"too high", webm, Container::webm, "validate-height",
       rules([](VideoRules& r) { r.limits.max_height = 63; })},
      {"too large", mp4, Container::mp4, "validate-area",
       rules([](VideoRules& r) { r.limits.max_area = 96 * 64 - 1; })},
      {"too many frames in mp4", mp4, Container::mp4, "validate-frames",
       rules([](VideoRules& r) { r.limits.max_frames = 11; })},
      {"too many frames in webm", webm, Container::webm, "validate-frames",
       rules([](VideoRules& r) { r.limits.max_frames = 11; })},
      {"too many frames in pieces", film(moving(12), "libx264", "mp4", 10, pieces), Container::mp4,
       "validate-frames", rules([](VideoRules& r) { r.limits.max_frames = 11; })},
      {"too many bytes", mp4, Container::mp4, "validate-file-size",
       rules([](VideoRules& r) { r.limits.max_file_size = 100; })},
      {"too little memory", mp4, Container::mp4, "validate-area",
       rules([](VideoRules& r) { r.memory = 100u << 20; })},
      {"nothing", {}, Container::mp4, "command-failure"},
      {"nothing as webm", {}, Container::webm, "command-failure"},
  };
  for (const auto& c : cases) EXPECT_EQ(code_of(c.bytes, c.container, c.rules), c.code) << c.name;
}

TEST_F(VideoTest, no_beginning_of_a_film_is_taken_for_the_whole) {
  for (const Kind& kind : kKinds) {
    const Bytes bytes = film(moving(3), kind.encoder, kind.muxer);
    // WebM's index at the end is not needed.
    const std::size_t index = as_text(bytes).rfind("\x1C\x53\xBB\x6B");
    const std::size_t whole = kind.container == Container::webm ? index : bytes.size();
    for (std::size_t cut = 0; cut < whole; cut += 1 + whole / 60)
      EXPECT_EQ(code_of(ByteView(bytes).first(cut), kind.container), "command-failure")
          << kind.name << ' ' << cut;
  }
}

TEST_F(VideoTest, what_comes_after_the_end_is_gone) {
  const std::string secret = Extras().canary + std::string(200, 'x');
  for (const Kind& kind : kKinds) {
    const Bytes before = joined({film(moving(4), kind.encoder, kind.muxer), as_bytes(secret)});
    EXPECT_FALSE(holds(rebuild_video(before, kind.container, any_rules()).bytes, Extras().canary))
        << kind.name;
  }
}

int nearest(const Done& done, const hash::PdqHash& wanted) {
  int least = 256;
  for (const WireFingerprint& print : done.fingerprints)
    least = std::min(least, hash::distance(print.pdq[0], wanted));
  return least;
}

TEST_F(VideoTest, between_black_bars_is_also_seen_without_them) {
  const VImage plain = landscape(160, 120);
  const VImage barred = plain.embed(0, 40, 160, 200).copy_memory();
  for (const Kind& kind : kKinds) {
    const Done done = do_job(film(std::vector(5, barred), kind.encoder, kind.muxer), any_job());
    EXPECT_LE(nearest(done, fingerprint_of(plain).pdq[0]), 30) << kind.name;
    EXPECT_LE(hash::distance(done.fingerprints[0].pdq[0], fingerprint_of(barred).pdq[0]), 30)
        << kind.name;
  }
}

TEST_F(VideoTest, a_picture_that_shows_only_for_a_moment_is_seen) {
  const VImage usual = landscape(160, 120), other = landscape(160, 120).rot180().copy_memory();
  const hash::PdqHash wanted = fingerprint_of(other).pdq[0];
  for (const Kind& kind : kKinds)
    for (const auto& [first, last] : {std::pair{20, 30}, std::pair{27, 28}}) {
      std::vector<VImage> pictures(50, usual);
      std::fill(pictures.begin() + first, pictures.begin() + last, other);
      const Done done = do_job(film(pictures, kind.encoder, kind.muxer), any_job());
      EXPECT_LE(nearest(done, wanted), 30) << kind.name << ' ' << last - first;
      EXPECT_GE(done.pictures[0].size(), 3u) << kind.name;  // before, then, after
      EXPECT_LT(done.fingerprints.size(), 30u) << kind.name;
      const Done without =
          do_job(film(std::vector(50, usual), kind.encoder, kind.muxer), any_job());
      EXPECT_GT(nearest(without, wanted), 60) << kind.name;
      EXPECT_GE(without.fingerprints.size(), 1u);
    }
}

TEST_F(VideoTest, a_slow_change_is_seen_too) {
  const VImage from = landscape(160, 120), to = from.rot180().copy_memory();
  std::vector<VImage> pictures;
  pictures.reserve(101);
  for (int i = 0; i <= 100; ++i)
    pictures.push_back((from * (1 - i / 100.0) + to * (i / 100.0))
                           .cast(VIPS_FORMAT_UCHAR)
                           .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
                           .copy_memory());
  const Done done = do_job(film(pictures, "libx264", "mp4", 30), any_job());
  EXPECT_LE(nearest(done, fingerprint_of(to).pdq[0]), 60);
  EXPECT_EQ(done.pictures[0].size(), kMaxViewFrames);
}

TEST_F(VideoTest, is_shown_as_it_is_turned) {
  const VImage picture = landscape(160, 96);
  for (const int turn : {90, 180, 270}) {
    Extras extras;
    extras.turn = turn;
    const Bytes bytes = film(std::vector(5, picture), "libx264", "mp4", 10, extras);
    const Done done = do_job(bytes, any_job());
    EXPECT_EQ(done.width, turn == 180 ? 160 : 96);
    EXPECT_EQ(done.rendition.height, turn == 180 ? 96 : 160);
    const VImage upright =
        picture.rot(turn == 90    ? VIPS_ANGLE_D90
                    : turn == 180 ? VIPS_ANGLE_D180
                                  : VIPS_ANGLE_D270)
            .copy_memory();
    EXPECT_LE(nearest(done, fingerprint_of(upright).pdq[0]), 30) << turn;
    EXPECT_EQ(rebuild_video(done.rendition.bytes, Container::mp4, any_rules()).turn, turn);
  }
}

TEST_F(VideoTest, gives_its_first_frame_in_other_formats) {
  const VImage picture = landscape(160, 96);
  for (const Kind& kind : kKinds) {
    std::vector<VImage> pictures(6, picture.rot180().copy_memory());
    pictures[0] = picture;
    const Bytes bytes = film(pictures, kind.encoder, kind.muxer);
    const Frames first = first_frame(rebuild_video(bytes, kind.container, any_rules()));
    EXPECT_EQ(first.count, 1) << kind.name;
    EXPECT_LE(hash::distance(fingerprint_of(first.strip).pdq[0], fingerprint_of(picture).pdq[0]),
              30)
        << kind.name;
    // Colours are about those that were put in.
    EXPECT_LT((first.strip - picture).abs().avg(), 12) << kind.name;
    WireJob job = any_job();
    job.want_fingerprints = 0;
    job.view_count = 0;
    job.has_format = 1;
    job.format = Format::jpeg;
    job.operation_count = 1;
    job.operations[0] = {Operation::Kind::fit, Kernel::lanczos2, 80, 0, 0};
    const Made made = do_job(bytes, job).rendition;
    EXPECT_EQ(made.format, Format::jpeg) << kind.name;
    EXPECT_EQ(made.width, 80) << kind.name;
  }
}

TEST_F(VideoTest, is_taken_only_when_its_format_is_on) {
  const Bytes mp4 = film(moving(3), "libx264", "mp4");
  const auto refused = [&](unsigned formats) {
    WireJob job = any_job();
    job.formats = static_cast<std::uint16_t>(formats);
    try {
      (void)do_job(mp4, job);
      return std::string();
    } catch (const NotTaken& reason) {
      return reason.code;
    }
  };
  EXPECT_EQ(refused(0x1FF), "");
  EXPECT_EQ(refused(0x07F), "video-disabled");
  EXPECT_EQ(refused(0x17F), "media-disallowed");  // WebM alone
}

Job any_pool_job(int fd, std::uint64_t size) {
  Job job;
  job.fd = fd;
  job.size = size;
  job.formats = 0x1FF;
  job.image = job.animation = job.video = any_rules().limits;
  job.views = {{256, 256, 224, 224}};
  return job;
}

TEST_F(VideoTest, locked_in_workers_can_do_all_of_it) {
  Options options;
  options.program = std::filesystem::path(PORTCULLIS_BINARY_DIR) / "portcullis-decoder";
  SystemClock clock;
  const auto pool = Pool::create(options, clock);
  ASSERT_EQ(pool->health().problem, "");
  for (const Kind& kind : kKinds) {
    const Bytes bytes = film(moving(12), kind.encoder, kind.muxer);
    const UniqueFd fd = testing::memory_file(bytes);
    for (const bool still : {false, true}) {
      Job job = any_pool_job(fd.get(), bytes.size());
      if (still) job.rendering.format = Format::webp;
      const auto decoded = pool->decode(job, clock.steady() + std::chrono::minutes(1));
      ASSERT_TRUE(decoded) << kind.name << ": " << decoded.error().what;
      EXPECT_EQ(decoded->frames, 12u) << kind.name;
      EXPECT_EQ(decoded->made.format, still ? Format::webp : decoded->format) << kind.name;
      EXPECT_EQ(decoded->made.frames, still ? 1u : 12u) << kind.name;
    }
  }
  EXPECT_EQ(pool->health().died, 0u);
}

}  // namespace
}  // namespace portcullis::decoder

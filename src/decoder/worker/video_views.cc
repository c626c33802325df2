#include "decoder/worker/video_views.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>

namespace portcullis::decoder {

using vips::VImage;

namespace {

// One frame of at least every second is fingerprinted, whether anything has changed or not.
constexpr std::int64_t kLongestUnseen = 1'000;  // milliseconds

constexpr std::size_t kPlanes = 3, kSide = 32;
constexpr int kMostDrift = 3;      // mean difference of all cells, of 255
constexpr int kStrikingCell = 24;  // difference of one cell
constexpr std::size_t kStrikingCells = kSide * kSide / 50;

// A frame as a few cells, each the mean of its pixels, of each plane: two frames that look alike
// are alike in all of them, and what changes a part of the picture changes some.
using Cells = std::array<std::array<std::uint8_t, kSide * kSide>, kPlanes>;

template <class Sample>
void put_means(const AVFrame& frame, std::size_t plane, std::size_t width, std::size_t height,
               unsigned shift, std::array<std::uint8_t, kSide * kSide>& cells) {
  for (std::size_t row = 0; row < kSide; ++row) {
    const std::size_t top = row * height / kSide,
                      bottom = std::max(top + 1, (row + 1) * height / kSide);
    std::array<std::uint64_t, kSide> sums{};
    for (std::size_t y = top; y < bottom; ++y) {
      const auto* line = reinterpret_cast<const Sample*>(
          frame.data[plane] + static_cast<std::ptrdiff_t>(y) * frame.linesize[plane]);
      for (std::size_t column = 0; column < kSide; ++column) {
        const std::size_t left = column * width / kSide,
                          right = std::max(left + 1, (column + 1) * width / kSide);
        std::uint32_t sum = 0;
        for (std::size_t x = left; x < right; ++x) sum += line[x];
        sums[column] += sum;
      }
    }
    for (std::size_t column = 0; column < kSide; ++column) {
      const std::size_t left = column * width / kSide,
                        right = std::max(left + 1, (column + 1) * width / kSide);
      cells[row * kSide + column] =
          static_cast<std::uint8_t>(sums[column] / ((right - left) * (bottom - top)) >> shift);
    }
  }
}

Cells cells_of(const AVFrame& frame) {
  const AVPixFmtDescriptor& kind = *av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const auto depth = static_cast<unsigned>(kind.comp[0].depth);
  Cells cells{};
  for (std::size_t plane = 0; plane < kPlanes && frame.data[plane] != nullptr; ++plane) {
    const bool is_smaller = plane > 0 && (kind.flags & AV_PIX_FMT_FLAG_RGB) == 0;
    const auto shrunk = [&](int length, unsigned log2) {
      return static_cast<std::size_t>(is_smaller ? AV_CEIL_RSHIFT(length, log2) : length);
    };
    const std::size_t width = shrunk(frame.width, kind.log2_chroma_w),
                      height = shrunk(frame.height, kind.log2_chroma_h);
    if (depth > 8)
      put_means<std::uint16_t>(frame, plane, width, height, depth - 8, cells[plane]);
    else
      put_means<std::uint8_t>(frame, plane, width, height, 0, cells[plane]);
  }
  return cells;
}

bool look_alike(const Cells& a, const Cells& b) {
  for (std::size_t plane = 0; plane < kPlanes; ++plane) {
    std::size_t total = 0, striking = 0;
    for (std::size_t i = 0; i < kSide * kSide; ++i) {
      const int difference = std::abs(a[plane][i] - b[plane][i]);
      total += static_cast<std::size_t>(difference);
      if (difference >= kStrikingCell) ++striking;
    }
    if (total > kMostDrift * kSide * kSide || striking > kStrikingCells) return false;
  }
  return true;
}

// Looks at frames as they come and keeps few of them. A moment begins with a frame that does not
// look like the one that began the moment before.
class Watcher {
 public:
  Watcher(Done& done, const Video& video, const WireJob& job)
      : done_(done), job_(job), turn_(video.turn) {
    constexpr int kPdqSide = 512;  // the most that a fingerprint looks at
    const int side = std::max(kPdqSide, least_side(job));
    shrink_ = std::max(1, std::min(video.width, video.height) / side);
  }

  void see(const AVFrame& frame, std::int64_t time) {
    last_at_ = time;
    const Cells cells = cells_of(frame);
    const bool begins = changes_.empty() || !look_alike(cells, cells_);
    if (!begins && time - seen_at_ < kLongestUnseen) return;
    seen_at_ = time;
    const VImage picture = picture_of(frame, turn_, shrink_);
    const ByteView pixels(static_cast<const std::byte*>(picture.data()),
                          VIPS_IMAGE_SIZEOF_IMAGE(picture.get_image()));
    const bool is_new = seen_.insert(sha256_of(pixels)).second;
    if (!is_new && !begins) return;
    const WireFingerprint print = is_new ? prints_.add(picture) : fingerprint_of(picture);
    if (begins) begin_moment(cells, picture, print, time);
  }

  void finish() {
    done_.fingerprints = std::move(prints_).all();
    if (job_.view_count == 0) return;
    delays_.back() = static_cast<int>(last_at_ - began_at_);
    forget_the_others();
    for (const auto& [index, picture] : kept_) add_views(done_, picture, job_);
  }

 private:
  void begin_moment(const Cells& cells, const VImage& picture, const WireFingerprint& print,
                    std::int64_t time) {
    if (!delays_.empty()) {
      delays_.back() = static_cast<int>(time - began_at_);
      if (job_.view_count > 0) forget_the_others();
    }
    changes_.push_back(changes_.empty() ? 0 : hash::distance(print.pdq[0], before_));
    delays_.push_back(0);
    if (job_.view_count > 0)
      kept_.emplace(static_cast<int>(changes_.size()) - 1, box_shrunk(picture, least_side(job_)));
    before_ = print.pdq[0];
    cells_ = cells;
    began_at_ = time;
  }

  // A moment that is not chosen among those so far never will be: the first one stays, the longest
  // only gives way to a later one, and more changes leave no more room.
  void forget_the_others() {
    const std::vector<int> chosen = frames_to_show(changes_, delays_, kMaxViewFrames);
    std::erase_if(kept_,
                  [&](const auto& one) { return !std::ranges::binary_search(chosen, one.first); });
  }

  Done& done_;
  const WireJob& job_;
  int turn_, shrink_ = 1;
  Cells cells_{};
  std::set<Sha256> seen_;
  Fingerprints prints_;
  hash::PdqHash before_;
  std::vector<int> changes_, delays_;
  std::map<int, VImage> kept_;
  std::int64_t seen_at_ = 0, began_at_ = 0, last_at_ = 0;
};

Made rebuilt(Video&& video, Format format, std::uint32_t frames, const Frames& first) {
  return {.bytes = std::move(video.bytes),
          .format = format,
          .width = video.width,
          .height = video.height,
          .frames = static_cast<int>(frames),
          .blurhash = blurhash_of(first)};
}

}  // namespace

Done do_video_job(ByteView bytes, Format format, const WireJob& job) {
  const Container container = format == Format::mp4 ? Container::mp4 : Container::webm;
  Video video = rebuild_video(
      bytes, container,
      {.limits = job.video, .allow_audio = job.allow_audio != 0, .memory = job.memory});
  Done done;
  done.head.format = format;
  done.width = video.width;
  done.height = video.height;
  done.head.width = static_cast<std::uint32_t>(video.width);
  done.head.height = static_cast<std::uint32_t>(video.height);
  done.head.frames = video.samples;
  if (job.want_fingerprints != 0 || job.view_count > 0) {
    Watcher watcher(done, video, job);
    done.head.frames = each_frame(video, [&](const AVFrame& frame, std::int64_t time) {
      watcher.see(frame, time);
      return true;
    });
    watcher.finish();
  }
  if (!job.want_rendition) return done;
  const Frames first = first_frame(video);
  if (!job.has_format || job.format == format)
    done.rendition = rebuilt(std::move(video), format, done.head.frames, first);
  else if (is_video(job.format))
    throw NotTaken{"media-disallowed", "a video in another container"};
  else
    done.rendition = make_rendition(bytes, done.head, first, job);
  return done;
}

}  // namespace portcullis::decoder

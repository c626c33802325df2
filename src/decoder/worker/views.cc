#include "decoder/worker/views.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "decoder/worker/trims.h"
#include "decoder/worker/video_views.h"

namespace portcullis::decoder {

using vips::VImage;

namespace {

constexpr double kWhite = 255, kBlack = 0;

Bytes view_of(const VImage& picture, const ViewSize& size) {
  const VImage whole = resized(picture, size.resize_width, size.resize_height);
  return rgb_of(whole.extract_area((whole.width() - size.width) / 2,
                                   (whole.height() - size.height) / 2, size.width, size.height));
}

std::vector<double> backgrounds_of(const Frames& frames) {
  return frames.has_alpha ? std::vector{kWhite, kBlack} : std::vector{kWhite};
}

using Pixels = std::span<const std::uint8_t>;

WireFingerprint fingerprint_of_pixels(Pixels rgb, int width, int height) {
  const hash::Dihedral print = hash::pdq_dihedral(rgb, width, height);
  return {print.pdq, print.quality};
}

std::vector<std::uint8_t> part_of(Pixels rgb, int width, const Area& area) {
  std::vector<std::uint8_t> part;
  const auto across = static_cast<std::size_t>(area.width) * 3;
  part.reserve(across * static_cast<std::size_t>(area.height));
  for (int y = area.top; y < area.top + area.height; ++y) {
    const auto row = rgb.subspan((static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                                  static_cast<std::size_t>(area.left)) *
                                     3,
                                 across);
    part.insert(part.end(), row.begin(), row.end());
  }
  return part;
}

// One pass over all pixels serves the fingerprint and, if it leaves enough of them, the views.
void look_at_still(Done& done, const Frames& frames, const WireJob& job) {
  Fingerprints prints;
  const int side = least_side(job);
  for (const double background : backgrounds_of(frames)) {
    const VImage picture = flat(frames, 0, background);
    const VImage small = fingerprint_input(picture);
    prints.add_input(small);
    if (job.view_count == 0) continue;
    const bool is_enough = small.width() >= std::min(side, picture.width()) &&
                           small.height() >= std::min(side, picture.height());
    add_views(done, is_enough ? small : box_shrunk(picture, side), job);
  }
  done.fingerprints = std::move(prints).all();
}

// Fingerprints of each frame that differs from all before it, then views of some.
void look_at_animation(Done& done, const Frames& frames, const WireJob& job) {
  Fingerprints prints;
  std::set<Sha256> seen;
  std::vector<int> changes;  // of each frame to the one before, as a distance of fingerprints
  hash::PdqHash before;
  for (int i = 0; i < frames.count; ++i) {
    changes.push_back(0);
    for (const double background : backgrounds_of(frames)) {
      const VImage picture = flat(frames, i, background);
      const ByteView pixels(static_cast<const std::byte*>(picture.data()),
                            VIPS_IMAGE_SIZEOF_IMAGE(picture.get_image()));
      if (!seen.insert(sha256_of(pixels)).second) continue;
      const WireFingerprint& print = prints.add(picture);
      if (background == kWhite) {
        changes.back() = hash::distance(print.pdq[0], before);
        before = print.pdq[0];
      }
    }
  }
  done.fingerprints = std::move(prints).all();
  for (const int i : frames_to_show(changes, frames.delays, kMaxViewFrames))
    for (const double background : backgrounds_of(frames))
      add_views(done, box_shrunk(flat(frames, i, background), least_side(job)), job);
}

}  // namespace

// PDQ's reference takes the nearest pixel where this takes the mean of a box.
VImage fingerprint_input(const VImage& picture) {
  const hash::Size size = hash::pdq_input_size(picture.width(), picture.height());
  const bool shrinks = picture.width() >= size.width && picture.height() >= size.height;
  return shrinks ? box_means(picture, size.width, size.height)
                 : resized(picture, size.width, size.height);
}

WireFingerprint fingerprint_of(const VImage& picture) {
  const VImage input = fingerprint_input(picture);
  const Bytes rgb = rgb_of(input);
  return fingerprint_of_pixels({reinterpret_cast<const std::uint8_t*>(rgb.data()), rgb.size()},
                               input.width(), input.height());
}

const WireFingerprint& Fingerprints::add(const VImage& picture) {
  return add_input(fingerprint_input(picture));
}

const WireFingerprint& Fingerprints::add_input(const VImage& input) {
  const Bytes bytes = rgb_of(input);
  const Pixels rgb(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  for (const Area& area : trims_of(rgb, input.width(), input.height()))
    trimmed_.push_back(
        fingerprint_of_pixels(part_of(rgb, input.width(), area), area.width, area.height));
  whole_.push_back(fingerprint_of_pixels(rgb, input.width(), input.height()));
  if (whole_.size() > kMaxFingerprints || trimmed_.size() > kMaxFingerprints)
    throw NotTaken{"validate-frames", "too many different frames"};
  return whole_.back();
}

std::vector<WireFingerprint> Fingerprints::all() && {
  whole_.insert(whole_.end(), trimmed_.begin(), trimmed_.end());
  return std::move(whole_);
}

int least_side(const WireJob& job) {
  int side = 1;
  for (std::size_t i = 0; i < job.view_count; ++i)
    // twice as large, so that the last step still weighs its pixels
    side = std::max<int>({side, 2 * job.views[i].resize_width, 2 * job.views[i].resize_height});
  return side;
}

void add_views(Done& done, const VImage& picture, const WireJob& job) {
  for (std::size_t v = 0; v < job.view_count; ++v)
    done.pictures[v].push_back(view_of(picture, job.views[v]));
}

std::vector<int> frames_to_show(const std::vector<int>& changes, const std::vector<int>& delays,
                                std::size_t most) {
  const auto count = changes.size();
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::set<int> chosen{0};
  if (!delays.empty())
    chosen.insert(static_cast<int>(std::ranges::max_element(delays) - delays.begin()));
  std::ranges::sort(order,
                    [&](int a, int b) {  // the greatest change first, of equal ones the earlier
                      const int change_a = changes[static_cast<std::size_t>(a)],
                                change_b = changes[static_cast<std::size_t>(b)];
                      return change_a != change_b ? change_a > change_b : a < b;
                    });
  for (const int i : order) {
    if (chosen.size() >= std::min(most, count)) break;
    chosen.insert(i);
  }
  return {chosen.begin(), chosen.end()};
}

namespace {

// The radius at which lists match: a smaller picture that is on a list makes the whole match as
// well. Measured on 72 photographs and drawings at 1/2 to 1/8: 0 to 24, and 42 once.
constexpr int kSameLooks = 31;

// PDQ sees 64 pixels on a side.
constexpr int kLeastToCompare = 64;

// Made of fewer coefficients; what is compared is the result, as long as it is large enough and
// shows the whole.
std::optional<Made> made_smaller(ByteView bytes, const Head& head, const WireJob& job) {
  if (!job.has_looks) return std::nullopt;
  const auto frames = decode_smaller(bytes, head, job);
  if (!frames) return std::nullopt;
  const Frames changed = apply_operations(*frames, job, {head.shown_width(), head.shown_height()});
  const bool is_comparable =
      job.operation_count == 1 && std::min(changed.width, changed.height) >= kLeastToCompare;
  const WireFingerprint print = fingerprint_of(flat(is_comparable ? changed : *frames, 0, kWhite));
  if (print.quality < hash::kMinQuality ||
      hash::distance(print.pdq[0], job.looks_like) > kSameLooks)
    return std::nullopt;
  return make_changed(bytes, head, changed, job);
}

}  // namespace

Done do_job(ByteView bytes, const WireJob& job) {
  if (const Format format = format_of(bytes, job); is_video(format))
    return do_video_job(bytes, format, job);
  Done done;
  done.head = read_head(bytes, job);
  const bool looks = job.want_fingerprints || job.view_count > 0;
  if (!looks && job.want_rendition) {
    if (auto smaller = made_smaller(bytes, done.head, job)) {
      done.width = static_cast<int>(done.head.shown_width());
      done.height = static_cast<int>(done.head.shown_height());
      done.rendition = *std::move(smaller);
      return done;
    }
  }
  const Frames frames = looks || keeps_frames(done.head, job) || done.head.frames == 1
                            ? decode(bytes, done.head)
                            : decode_first(bytes, done.head);
  done.width = frames.width;
  done.height = frames.height;
  if (looks && frames.count == 1)
    look_at_still(done, frames, job);
  else if (looks)
    look_at_animation(done, frames, job);
  if (!job.want_rendition) return done;
  const bool first_alone = frames.count > 1 && !keeps_frames(done.head, job);
  done.rendition = make_rendition(bytes, done.head, first_alone ? first_of(frames) : frames, job);
  return done;
}

}  // namespace portcullis::decoder

#include "decoder/worker/views.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace portcullis::decoder {

using vips::VImage;

namespace {

constexpr double kWhite = 255, kBlack = 0;

hash::Dihedral fingerprint_of(const VImage& picture) {
  const hash::Size size = hash::pdq_input_size(picture.width(), picture.height());
  const Bytes rgb = rgb_of(resized(picture, size.width, size.height));
  return hash::pdq_dihedral({reinterpret_cast<const std::uint8_t*>(rgb.data()), rgb.size()},
                            size.width, size.height);
}

// The fingerprints of each frame that differs from all before it, over white and, if something
// shines through, over black. `changes` gets, for each frame, how far it is from the one before
// (Hamming distance).
std::vector<WireFingerprint> fingerprints_of(const Frames& frames, std::vector<int>& changes) {
  std::vector<WireFingerprint> found;
  std::set<Sha256> seen;
  hash::PdqHash before;
  for (int i = 0; i < frames.count; ++i) {
    for (const double background : {kWhite, kBlack}) {
      if (background == kBlack && !frames.has_alpha) continue;
      const VImage picture = flat(frames, i, background).copy_memory();
      const Bytes pixels = frames.count > 1 ? rgb_of(picture) : Bytes();
      const bool is_new = frames.count == 1 || seen.insert(sha256_of(pixels)).second;
      if (background == kWhite) changes.push_back(0);
      if (!is_new) continue;
      const hash::Dihedral print = fingerprint_of(picture);
      if (background == kWhite) {
        changes.back() = hash::distance(print.pdq[0], before);
        before = print.pdq[0];
      }
      found.push_back({print.pdq, print.quality});
      if (found.size() > kMaxFingerprints)
        throw NotTaken{"validate-frames", "too many different frames"};
    }
  }
  return found;
}

Bytes view_of(const VImage& picture, const ViewSize& size) {
  const VImage whole = resized(picture, size.resize_width, size.resize_height);
  return rgb_of(whole.extract_area((whole.width() - size.width) / 2,
                                   (whole.height() - size.height) / 2, size.width, size.height));
}

// How small a JPEG may be decoded so that every view is still made by shrinking.
int smallest_side(const WireJob& job) {
  int side = 512;
  for (std::size_t i = 0; i < job.view_count; ++i)
    side = std::max<int>({side, job.views[i].resize_width, job.views[i].resize_height});
  return side;
}

}  // namespace

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

Done do_job(ByteView bytes, const WireJob& job) {
  Done done;
  done.head = read_head(bytes, job);
  const Frames frames = decode(bytes, done.head, smallest_side(job));
  std::vector<int> changes;
  done.fingerprints = fingerprints_of(frames, changes);
  for (const int i : frames_to_show(changes, frames.delays, kMaxViewFrames))
    for (const double background : {kWhite, kBlack}) {
      if (background == kBlack && !frames.has_alpha) continue;
      const VImage picture = flat(frames, i, background);
      for (std::size_t v = 0; v < job.view_count; ++v)
        done.pictures[v].push_back(view_of(picture, job.views[v]));
    }
  const bool turned = done.head.frames == 1 && done.head.orientation >= 5;
  done.width = static_cast<int>(turned ? done.head.height : done.head.width);
  done.height = static_cast<int>(turned ? done.head.width : done.head.height);
  if (job.want_rendition) done.rendition = make_rendition(bytes, done.head, frames);
  return done;
}

}  // namespace portcullis::decoder

// decoder/worker/views.h: everything that one job gives, in memory.
#pragma once

#include <array>

#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

struct Done {
  Head head;
  int width = 0, height = 0;  // as shown
  std::vector<WireFingerprint> fingerprints;
  std::array<std::vector<Bytes>, kMaxViewSizes> pictures;
  Made rendition;
};

// Throws NotTaken or vips::VError.
Done do_job(ByteView bytes, const WireJob& job);

// Of a picture without transparency, 8 bits, in memory.
WireFingerprint fingerprint_of(const vips::VImage& picture);

// The fingerprints of one job, until they are put together: those of whole pictures come first.
class Fingerprints {
 public:
  // The whole and what trims_of() leaves of it; returns that of the whole. Throws NotTaken when
  // there are too many.
  const WireFingerprint& add(const vips::VImage& picture);
  // The same of what is small enough already (fingerprint_input()).
  const WireFingerprint& add_input(const vips::VImage& input);
  std::vector<WireFingerprint> all() &&;

 private:
  std::vector<WireFingerprint> whole_, trimmed_;
};
// PDQ's input: the picture itself, or its pixels' means at 512 x 512.
vips::VImage fingerprint_input(const vips::VImage& picture);

// How small a picture may be made at once, so that every view is still made of it by shrinking.
int least_side(const WireJob& job);
// One picture more for each view size.
void add_views(Done& done, const vips::VImage& picture, const WireJob& job);

// Which frames of an animation a model is shown, at most `most`: the first, the one shown longest,
// and those that differ most from the one before, in order. `changes[i]` is how much frame i
// differs from frame i - 1. Pure.
std::vector<int> frames_to_show(const std::vector<int>& changes, const std::vector<int>& delays,
                                std::size_t most);

}  // namespace portcullis::decoder

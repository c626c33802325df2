// testing/decoding.h: what the tests of the worker have in common. Only those may include it.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "decoder/worker/views.h"
#include "testing/pictures.h"

namespace portcullis::testing {

// Starts libvips, once.
class WorkerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { decoder::start_vips(); }
};

// Every format, a fingerprint, a view and a rendition, and limits that a test picture keeps.
inline decoder::WireJob any_job() {
  decoder::WireJob job;
  job.formats = 0x1FF;
  job.want_fingerprints = job.want_rendition = 1;
  job.view_count = 1;
  job.views[0] = {256, 256, 224, 224};
  job.image = {4'000, 4'000, 4'000'000, 10'000'000, 1};
  job.animation = {1'000, 1'000, 500'000, 10'000'000, 50};
  job.video = {3'840, 3'840, 8'294'400, 40u << 20, 900};
  return job;
}

// Why a picture is not taken; empty when it is.
inline std::string code_of(ByteView bytes, const decoder::WireJob& job = any_job()) {
  try {
    (void)decoder::do_job(bytes, job);
    return "";
  } catch (const decoder::NotTaken& reason) {
    return reason.code;
  } catch (const vips::VError&) {
    vips_error_clear();
    return "command-failure";
  }
}

inline double mean_difference(ByteView a, ByteView b) {
  if (a.size() != b.size()) return 255;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += std::abs(std::to_integer<int>(a[i]) - std::to_integer<int>(b[i]));
  return sum / static_cast<double>(a.size());
}

// What a viewer makes of a still rendition looks like what was screened.
inline void expect_screened_is_stored(const Bytes& bytes, const std::string& name) {
  using namespace decoder;
  const Done done = do_job(bytes, any_job());
  const Done stored = do_job(
      png(opened(done.rendition.bytes), vips::VImage::option()->set("strip", true)), any_job());
  ASSERT_GE(stored.fingerprints.at(0).quality, hash::kMinQuality) << name;
  EXPECT_LE(hash::distance(done.fingerprints.at(0).pdq[0], stored.fingerprints.at(0).pdq[0]), 8)
      << name;
  EXPECT_LE(mean_difference(done.pictures[0].at(0), stored.pictures[0].at(0)), 3) << name;
}

}  // namespace portcullis::testing

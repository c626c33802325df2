// Pictures of every kind through real, locked-in workers with the memory they really have: what a
// codec asks of the kernel, and how much, shows only there.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "decoder/worker/lock_in.h"
#include "decoder/worker/pictures.h"
#include "testing/decoding.h"
#include "testing/memory_file.h"

namespace portcullis::decoder {
namespace {

using testing::bytes_of;
using testing::deep;
using testing::landscape;
using testing::option;
using vips::VImage;
using vips::VOption;

// Some detail everywhere: flat pictures let encoders take short cuts.
VImage textured(int width, int height) {
  const VImage noise = VImage::gaussnoise(width, height, option()->set("sigma", 20.0)) * 0.3;
  return (landscape(width, height) * 0.8 + noise + 10.0)
      .cast(VIPS_FORMAT_UCHAR)
      .copy(option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
      .copy_memory();
}
VImage with_alpha(const VImage& image) { return image.bandjoin(image.extract_band(1)); }
VOption* av1() {
  return option()->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1)->set("effort", 0);
}
VImage frames(const VImage& image, int count) {
  VImage strip = image;
  for (int i = 1; i < count; ++i)
    strip = strip.join(image.wrap(option()->set("x", i * 9)), VIPS_DIRECTION_VERTICAL);
  strip = strip.copy_memory().copy();
  strip.set(VIPS_META_PAGE_HEIGHT, image.height());
  return strip;
}

struct Kind {
  const char* name;
  Bytes (*encode)(const VImage&);
};
const Kind kKinds[] = {
    {"jpeg", [](const VImage& i) { return bytes_of(i.jpegsave_buffer()); }},
    {"progressive jpeg",
     [](const VImage& i) { return bytes_of(i.jpegsave_buffer(option()->set("interlace", true))); }},
    {"grey jpeg", [](const VImage& i) { return bytes_of(i.extract_band(0).jpegsave_buffer()); }},
    {"cmyk jpeg",
     [](const VImage& i) {
       return bytes_of(i.colourspace(VIPS_INTERPRETATION_CMYK).jpegsave_buffer());
     }},
    {"display p3 jpeg",
     [](const VImage& i) {
       return bytes_of(
           i.icc_transform("p3", option()->set("input_profile", "srgb")).jpegsave_buffer());
     }},
    {"png", [](const VImage& i) { return bytes_of(i.pngsave_buffer()); }},
    {"interlaced png",
     [](const VImage& i) { return bytes_of(i.pngsave_buffer(option()->set("interlace", true))); }},
    {"palette png",
     [](const VImage& i) { return bytes_of(i.pngsave_buffer(option()->set("palette", true))); }},
    {"deep png with alpha",
     [](const VImage& i) { return bytes_of(deep(with_alpha(i)).pngsave_buffer()); }},
    {"webp", [](const VImage& i) { return bytes_of(i.webpsave_buffer()); }},
    {"webp with alpha", [](const VImage& i) { return bytes_of(with_alpha(i).webpsave_buffer()); }},
    {"lossless webp",
     [](const VImage& i) {
       return bytes_of(i.webpsave_buffer(option()->set("lossless", true)->set("effort", 0)));
     }},
    {"gif", [](const VImage& i) { return bytes_of(i.gifsave_buffer()); }},
    {"avif", [](const VImage& i) { return bytes_of(i.heifsave_buffer(av1())); }},
    {"avif with alpha",
     [](const VImage& i) { return bytes_of(with_alpha(i).heifsave_buffer(av1())); }},
    {"deep avif",
     [](const VImage& i) { return bytes_of(deep(i).heifsave_buffer(av1()->set("bitdepth", 12))); }},
    {"jxl", [](const VImage& i) { return bytes_of(i.jxlsave_buffer(option()->set("effort", 3))); }},
    {"deep jxl with alpha",
     [](const VImage& i) {
       return bytes_of(deep(with_alpha(i)).jxlsave_buffer(option()->set("effort", 3)));
     }},
    {"animated gif", [](const VImage& i) { return bytes_of(frames(i, 5).gifsave_buffer()); }},
    {"animated webp", [](const VImage& i) { return bytes_of(frames(i, 5).webpsave_buffer()); }},
};

class LockedTest : public testing::WorkerTest {
 protected:
  std::unique_ptr<Pool> pool(std::uint64_t memory) {
    Options options;
    options.program = std::filesystem::path(PORTCULLIS_BINARY_DIR) / "portcullis-decoder";
    options.memory = memory;
    options.timeout = std::chrono::minutes(2);
    auto made = Pool::create(options, clock_);
    EXPECT_EQ(made->health().problem, "");
    return made;
  }

  Result<Decoded> decode(Pool& pool, ByteView bytes) {
    const UniqueFd fd = testing::memory_file(bytes);
    Job job{.fd = fd.get(), .size = bytes.size(), .formats = 0x3F};
    job.image = job.animation = {20'000, 20'000, 100'000'000, 1'000'000'000, 1'000};
    job.views = {{256, 256, 224, 224}};
    return pool.decode(job, clock_.steady() + std::chrono::minutes(5));
  }

  SystemClock clock_;
};

TEST_F(LockedTest, every_kind_of_picture_is_decoded_and_rebuilt_under_the_lock) {
  const auto workers = pool(1024ull << 20);
  for (const auto& [width, height] : {std::pair{37, 23}, std::pair{900, 600}}) {
    const VImage image = textured(width, height);
    for (const Kind& kind : kKinds) {
      const Bytes bytes = kind.encode(image);
      const auto decoded = decode(*workers, bytes);
      ASSERT_TRUE(decoded) << kind.name << ' ' << width << ": " << decoded.error().what;
      const auto again = decode(*workers, decoded->rendition.view());
      ASSERT_TRUE(again) << kind.name << ' ' << width << ": " << again.error().what;
      EXPECT_EQ(again->format, decoded->format) << kind.name;
      EXPECT_EQ(again->width, decoded->width) << kind.name;
      EXPECT_EQ(again->frames, decoded->frames) << kind.name;
      if (width > 100)
        EXPECT_LE(hash::distance(again->fingerprints[0].pdq[0], decoded->fingerprints[0].pdq[0]),
                  16)
            << kind.name;
    }
  }
  EXPECT_EQ(workers->health().died, 0u);
}

// The largest picture of each kind that a small worker takes still comes back whole, and one a
// little larger is refused by its size, not by a death.
TEST_F(LockedTest, what_fits_the_memory_is_taken_and_what_does_not_is_refused_from_the_header) {
  if (kSanitized) GTEST_SKIP() << "sanitizers run without a bound on memory";
  const auto workers = pool(460ull << 20);
  const std::set<std::string_view> like_others{"grey jpeg", "display p3 jpeg", "interlaced png",
                                               "palette png"};
  for (const Kind& kind : kKinds) {
    if (like_others.contains(kind.name)) continue;
    const bool animated = std::string_view(kind.name).starts_with("animated");
    double largest = 0;
    bool refused = false;
    for (const double megapixels : {0.5, 3.2, 11.0}) {
      const int side = static_cast<int>(std::sqrt(megapixels * 1e6 / (animated ? 5 : 1)));
      const auto decoded = decode(*workers, kind.encode(textured(side, side)));
      if (!decoded) {
        EXPECT_EQ(decoded.error().code, animated ? "validate-frames" : "validate-area")
            << kind.name << ' ' << megapixels << ": " << decoded.error().what;
        refused = true;
        break;
      }
      largest = megapixels;
    }
    EXPECT_GE(largest, 0.4) << kind.name;
    EXPECT_TRUE(refused) << kind.name;
  }
  EXPECT_EQ(workers->health().died, 0u);
}

}  // namespace
}  // namespace portcullis::decoder

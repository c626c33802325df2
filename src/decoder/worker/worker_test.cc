// What a worker makes of pictures: views, fingerprints, renditions, limits. In this process,
// without the lock.
#include <gtest/gtest.h>
#include <turbojpeg.h>

#include <boost/crc.hpp>
#include <cmath>
#include <functional>

#include "decoder/worker/profiles.h"
#include "decoder/worker/views.h"
#include "testing/pictures.h"

namespace portcullis::decoder {
namespace {

using testing::bytes_of;
using testing::difference;
using testing::holds;
using testing::landscape;
using testing::opened;
using vips::VImage;
using vips::VOption;

constexpr std::string_view kSecret = "SECRET-PAYLOAD-7f3a";

WireJob any_job() {
  WireJob job;
  job.formats = 0x3F;
  job.want_rendition = 1;
  job.view_count = 1;
  job.views[0] = {256, 256, 224, 224};
  job.image = {4'000, 4'000, 4'000'000, 10'000'000, 1};
  job.animation = {1'000, 1'000, 500'000, 10'000'000, 50};
  return job;
}

std::string code_of(ByteView bytes, const WireJob& job = any_job()) {
  try {
    (void)do_job(bytes, job);
    return "";
  } catch (const NotTaken& reason) {
    return reason.code;
  } catch (const vips::VError&) {
    vips_error_clear();
    return "command-failure";
  }
}

class WorkerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { start_vips(); }
};

Bytes jpeg(const VImage& image, VOption* options = VImage::option()) {
  return bytes_of(image.jpegsave_buffer(options));
}
Bytes png(const VImage& image, VOption* options = VImage::option()) {
  return bytes_of(image.pngsave_buffer(options));
}

VImage animation(int frames, int width = 120, int height = 80) {
  VImage strip = landscape(width, height);
  for (int i = 1; i < frames; ++i)
    strip = strip.join(landscape(width, height).wrap(VImage::option()->set("x", i * 7)),
                       VIPS_DIRECTION_VERTICAL);
  strip = strip.copy_memory().copy();
  strip.set(VIPS_META_PAGE_HEIGHT, height);
  strip.set("delay", std::vector<int>(static_cast<std::size_t>(frames), 80));
  return strip;
}

TEST_F(WorkerTest, a_jpeg_keeps_its_coded_data) {
  for (const bool progressive : {false, true})
    for (const int subsampling : {VIPS_FOREIGN_SUBSAMPLE_ON, VIPS_FOREIGN_SUBSAMPLE_OFF}) {
      const Bytes before = jpeg(landscape(333, 211), VImage::option()
                                                         ->set("Q", 60)
                                                         ->set("interlace", progressive)
                                                         ->set("subsample_mode", subsampling));
      const Done done = do_job(before, any_job());
      EXPECT_EQ(difference(opened(before), opened(done.rendition.bytes)), 0);
      EXPECT_EQ(done.width, 333);
      EXPECT_LT(done.rendition.bytes.size(), before.size() * 11 / 10);
    }
}

TEST_F(WorkerTest, lossless_formats_keep_their_pixels) {
  const VImage clear =
      landscape(150, 100).bandjoin(landscape(150, 100).extract_band(1)).copy_memory();
  const struct {
    const char* name;
    Bytes bytes;
  } cases[] = {
      {"png", png(landscape(150, 100))},
      {"png interlaced", png(landscape(150, 100), VImage::option()->set("interlace", true))},
      {"grey png", png(landscape(150, 100).extract_band(0))},
      {"lossless webp",
       bytes_of(landscape(150, 100).webpsave_buffer(VImage::option()->set("lossless", true)))},
  };
  for (const auto& c : cases) {
    const Done done = do_job(c.bytes, any_job());
    VImage before = opened(c.bytes), after = opened(done.rendition.bytes);
    if (before.bands() < after.bands()) before = before.colourspace(VIPS_INTERPRETATION_sRGB);
    EXPECT_EQ(difference(before, after), 0) << c.name;
  }
  const Done done = do_job(png(clear), any_job());
  const VImage after = opened(done.rendition.bytes);
  const VImage visible = (opened(png(clear)).extract_band(3) > 0.0);
  EXPECT_EQ(((opened(png(clear)) - after).abs() * (visible / 255.0)).max(), 0);
}

TEST_F(WorkerTest, sixteen_bits_stay_sixteen) {
  const VImage deep = (landscape(90, 60).cast(VIPS_FORMAT_USHORT) * 257)
                          .cast(VIPS_FORMAT_USHORT)
                          .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_RGB16));
  const Done done = do_job(png(deep), any_job());
  EXPECT_EQ(opened(done.rendition.bytes).format(), VIPS_FORMAT_USHORT);
  EXPECT_EQ(difference(opened(png(deep)), opened(done.rendition.bytes)), 0);
  EXPECT_EQ(done.fingerprints[0].pdq,
            do_job(png(landscape(90, 60)), any_job()).fingerprints[0].pdq);
}

TEST_F(WorkerTest, every_format_comes_back_in_its_own) {
  const VImage image = landscape(160, 120);
  const struct {
    Format format;
    Bytes bytes;
    double most;  // difference that the format's loss may make
  } cases[] = {
      {Format::jpeg, jpeg(image), 0},
      {Format::png, png(image), 0},
      {Format::webp, bytes_of(image.webpsave_buffer()), 60},
      {Format::gif, bytes_of(image.gifsave_buffer()), 60},
      {Format::avif,
       bytes_of(image.heifsave_buffer(
           VImage::option()->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1))),
       60},
      {Format::jxl, bytes_of(image.jxlsave_buffer()), 60},
  };
  for (const auto& c : cases) {
    const Done done = do_job(c.bytes, any_job());
    EXPECT_EQ(done.head.format, c.format);
    EXPECT_EQ(do_job(done.rendition.bytes, any_job()).head.format, c.format) << name(c.format);
    VImage before = opened(c.bytes), after = opened(done.rendition.bytes);
    EXPECT_LE(difference(before.extract_band(0, VImage::option()->set("n", 3)),
                         after.extract_band(0, VImage::option()->set("n", 3))),
              c.most)
        << name(c.format);
    ASSERT_EQ(done.fingerprints.size(), 1u) << name(c.format);
    EXPECT_LE(hash::distance(done.fingerprints[0].pdq[0],
                             do_job(png(image), any_job()).fingerprints[0].pdq[0]),
              10)
        << name(c.format);
  }
}

TEST_F(WorkerTest, orientation_is_applied_whatever_it_is) {
  for (const auto& [width, height] :
       {std::pair{320, 240}, std::pair{317, 239}})  // turned without loss, and not
    for (int orientation = 1; orientation <= 8; ++orientation) {
      VImage image = landscape(width, height).copy();
      image.set(VIPS_META_ORIENTATION, orientation);
      const Bytes bytes = jpeg(image, VImage::option()->set("Q", 95));
      const VImage upright = opened(bytes).autorot();
      const Done done = do_job(bytes, any_job());
      const VImage after = opened(done.rendition.bytes);
      EXPECT_EQ(after.get_typeof(VIPS_META_ORIENTATION) ? after.get_int(VIPS_META_ORIENTATION) : 1,
                1);
      EXPECT_EQ(done.width, upright.width()) << orientation;
      EXPECT_EQ(done.height, upright.height()) << orientation;
      EXPECT_LE(difference(upright, after), width == 320 && orientation < 5 ? 2 : 40)
          << width << ' ' << orientation;
      EXPECT_LE(hash::distance(done.fingerprints[0].pdq[0],
                               do_job(png(upright), any_job()).fingerprints[0].pdq[0]),
                8)
          << orientation;
    }
}

TEST_F(WorkerTest, nothing_hidden_survives) {
  const VImage plain = landscape(200, 150);
  VImage noted = plain.copy();
  const std::string secret(kSecret);
  noted.set("png-comment-0-Comment", secret.c_str());
  noted.set("exif-ifd0-ImageDescription",
            (secret + " (" + secret + ", ASCII, 20 components, 20 bytes)").c_str());
  noted.set(VIPS_META_XMP_NAME, nullptr, const_cast<char*>(secret.data()), secret.size());
  noted.set(VIPS_META_IPTC_NAME, nullptr, const_cast<char*>(secret.data()), secret.size());
  VImage moving = animation(3).copy();
  moving.set("gif-comment", secret.c_str());
  const Bytes second = jpeg(landscape(64, 48));
  const struct {
    const char* name;
    Bytes bytes;
  } cases[] = {
      {"jpeg", jpeg(noted)},
      {"png", png(noted)},
      {"webp", bytes_of(noted.webpsave_buffer())},
      {"gif", bytes_of(plain.gifsave_buffer())},
      {"animated gif", bytes_of(moving.gifsave_buffer())},
      {"animated webp", bytes_of(moving.webpsave_buffer())},
      {"avif", bytes_of(noted.heifsave_buffer(
                   VImage::option()->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1)))},
      {"jxl", bytes_of(noted.jxlsave_buffer())},
  };
  for (const auto& c : cases) {
    Bytes bytes = c.bytes;
    const ByteView tail = as_bytes(kSecret);
    bytes.insert(bytes.end(), tail.begin(), tail.end());      // after the end
    bytes.insert(bytes.end(), second.begin(), second.end());  // a second picture
    ASSERT_TRUE(holds(bytes, kSecret)) << c.name;
    const Done done = do_job(bytes, any_job());
    EXPECT_FALSE(holds(done.rendition.bytes, kSecret)) << c.name;
    EXPECT_FALSE(holds(done.rendition.bytes, "Exif")) << c.name;
    EXPECT_FALSE(holds(done.rendition.bytes, "http://ns.adobe.com/xap")) << c.name;
    EXPECT_EQ(as_text(done.rendition.bytes).rfind("\xFF\xD8\xFF"),
              c.bytes == cases[0].bytes ? 0u : std::string_view::npos)
        << c.name;
  }
}

TEST_F(WorkerTest, colour_under_full_transparency_is_gone) {
  VImage hidden =
      landscape(80, 60).bandjoin(VImage::black(80, 60).cast(VIPS_FORMAT_UCHAR)).copy_memory();
  hidden.draw_rect({200, 30, 30, 255}, 0, 0, 20, 20, VImage::option()->set("fill", true));
  hidden = hidden.copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
  for (const Bytes& bytes :
       {png(hidden), bytes_of(hidden.webpsave_buffer(VImage::option()->set("lossless", true)))}) {
    const VImage after = opened(do_job(bytes, any_job()).rendition.bytes);
    ASSERT_EQ(after.bands(), 4);
    EXPECT_EQ(
        (after.extract_band(0, VImage::option()->set("n", 3)) * (after.extract_band(3) == 0.0))
            .max(),
        0);
    EXPECT_EQ(after(5, 5)[0], 200);
  }
}

TEST_F(WorkerTest, what_shows_only_on_a_dark_page_is_seen_too) {
  const VImage alpha = landscape(300, 200).extract_band(0);
  const VImage white =
      VImage::black(300, 200, VImage::option()->set("bands", 3)).invert().cast(VIPS_FORMAT_UCHAR);
  const VImage image =
      white.bandjoin(alpha).copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
  const Done done = do_job(png(image), any_job());
  ASSERT_EQ(done.fingerprints.size(), 2u);  // white on white is flat; over black it is a picture
  EXPECT_LT(done.fingerprints[0].quality, hash::kMinQuality);
  EXPECT_GT(done.fingerprints[1].quality, done.fingerprints[0].quality);
  EXPECT_EQ(done.pictures[0].size(), 2u);
  EXPECT_NE(done.pictures[0][0], done.pictures[0][1]);
  EXPECT_EQ(do_job(png(landscape(300, 200)), any_job()).fingerprints.size(), 1u);
}

TEST_F(WorkerTest, colours_of_other_spaces_become_srgb_or_stay_display_p3) {
  const VImage wide =
      landscape(200, 150).icc_transform("p3", VImage::option()->set("input_profile", "srgb"));
  const Bytes p3 = jpeg(wide, VImage::option()->set("Q", 95));
  const Done kept = do_job(p3, any_job());
  EXPECT_EQ(difference(opened(p3), opened(kept.rendition.bytes)), 0);  // coded data untouched
  EXPECT_EQ(known_profile(opened(kept.rendition.bytes)), KnownProfile::display_p3);

  const Done turned = do_job(png(wide), any_job());
  const VImage after = opened(turned.rendition.bytes);
  EXPECT_EQ(known_profile(after), KnownProfile::none);
  EXPECT_LE(difference(landscape(200, 150), after), 4);

  const Bytes cmyk = jpeg(landscape(200, 150).colourspace(VIPS_INTERPRETATION_CMYK));
  const Done printed = do_job(cmyk, any_job());
  EXPECT_EQ(opened(printed.rendition.bytes).bands(), 3);
}

// What a viewer makes of a rendition, for comparison with what was screened.
Done seen_as_stored(const Done& done) {
  return do_job(png(opened(done.rendition.bytes), VImage::option()->set("strip", true)), any_job());
}

double mean_difference(const Bytes& a, const Bytes& b) {
  if (a.size() != b.size()) return 255;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += std::abs(std::to_integer<int>(a[i]) - std::to_integer<int>(b[i]));
  return sum / static_cast<double>(a.size());
}

void expect_screened_is_stored(const Bytes& bytes, const char* name) {
  const Done done = do_job(bytes, any_job());
  const Done stored = seen_as_stored(done);
  ASSERT_GE(stored.fingerprints.at(0).quality, hash::kMinQuality) << name;
  EXPECT_LE(hash::distance(done.fingerprints.at(0).pdq[0], stored.fingerprints.at(0).pdq[0]), 8)
      << name;
  EXPECT_LE(mean_difference(done.pictures[0].at(0), stored.pictures[0].at(0)), 3) << name;
}

// libvips's own sRGB profile, but each channel's curve is `curve` (0..255 to 0..1, linear light).
Bytes profile_with(const std::function<double(int)>& curve) {
  VipsBlob* blob = nullptr;
  PORTCULLIS_CHECK(vips_profile_load("srgb", &blob, nullptr) == 0);
  Bytes profile = bytes_of(blob);
  const auto put = [&](std::size_t at, std::size_t value, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      profile[at + i] = static_cast<std::byte>(value >> 8 * (count - 1 - i));
  };
  const auto number = [&](std::size_t at) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
      value = value << 8 | std::to_integer<std::size_t>(profile[at + i]);
    return value;
  };
  const std::size_t at = (profile.size() + 3) / 4 * 4;
  profile.resize(at + 12 + 512);
  std::ranges::copy(as_bytes("curv"), profile.begin() + static_cast<std::ptrdiff_t>(at));
  put(at + 8, 256, 4);
  for (int i = 0; i < 256; ++i)
    put(at + 12 + 2 * static_cast<std::size_t>(i),
        static_cast<std::size_t>(std::lround(curve(i) * 65535)), 2);
  for (std::size_t tag = 0; tag < number(128); ++tag) {
    const std::size_t entry = 132 + 12 * tag;
    if (as_text(ByteView(profile).subspan(entry + 1, 3)) != "TRC") continue;
    put(entry + 4, at, 4);
    put(entry + 8, 12 + 512, 4);
  }
  put(0, profile.size(), 4);
  return profile;
}

double srgb_curve(int value) {
  const double v = value / 255.0;
  return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}

TEST_F(WorkerTest, a_profile_that_lies_where_it_is_not_sampled_changes_nothing) {
  const struct {
    const char* name;
    std::function<double(int)> curve;
  } cases[] = {
      {"sRGB at every 32nd value, grey between",
       [](int v) { return v % 32 == 0 || v == 255 ? srgb_curve(v) : 0.2; }},
      {"inverted", [](int v) { return srgb_curve(255 - v); }},
      {"a step", [](int v) { return v < 128 ? 0.0 : 1.0; }},
      {"honest", srgb_curve},
  };
  for (const auto& c : cases) {
    VImage image = landscape(640, 480).copy();
    Bytes profile = profile_with(c.curve);
    image.set(VIPS_META_ICC_NAME, nullptr, profile.data(), profile.size());
    expect_screened_is_stored(jpeg(image, VImage::option()->set("Q", 95)), c.name);
    expect_screened_is_stored(png(image), c.name);
  }
}

// Every block gets strong high frequencies, so that the picture appears only where they clamp; a
// decoder that leaves these out, as at half size, sees a flat grey.
Bytes saturated_jpeg() {
  static const VImage shown = landscape(128, 96).extract_band(1).copy_memory();
  const Bytes plain = jpeg((shown.zoom(8, 8) * 0.0 + 128.0).cast(VIPS_FORMAT_UCHAR),
                           VImage::option()->set("Q", 1)->set("strip", true));
  tjtransform transform{};
  transform.customFilter = [](short* coefficients, tjregion place, tjregion, int, int,
                              tjtransform*) {
    for (int x = 0; x < place.w / 8; ++x) {
      const int value =
          static_cast<const std::uint8_t*>(shown.data())[place.y / 8 * shown.width() + x];
      const int bright = std::clamp((value * 8 + 127) / 255, 1, 7);  // of 8 columns
      short* block = coefficients + x * 64;
      std::fill_n(block, 64, short{0});
      for (int u = 4; u < 8; ++u) {
        double sum = 0;
        for (int column = 0; column < 8; ++column)
          sum += (column * bright % 8 < bright ? 1 : -1) *
                 std::cos((2 * column + 1) * u * 3.14159265 / 16);
        block[u] = static_cast<short>(std::clamp(std::lround(sum * 2), -30L, 30L));
      }
    }
    return 0;
  };
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  void* handle = tjInitTransform();
  PORTCULLIS_CHECK(tjTransform(handle, reinterpret_cast<const unsigned char*>(plain.data()),
                               plain.size(), 1, &buffer, &size, &transform, 0) == 0);
  const auto* data = reinterpret_cast<const std::byte*>(buffer);
  Bytes result(data, data + size);
  tjFree(buffer);
  tjDestroy(handle);
  return result;
}

TEST_F(WorkerTest, coefficients_that_a_smaller_decoding_would_not_read_are_screened) {
  expect_screened_is_stored(saturated_jpeg(), "saturated");
}

TEST_F(WorkerTest, a_smaller_picture_never_shows_what_only_fewer_coefficients_show) {
  const Bytes file = saturated_jpeg();
  WireJob whole = any_job();
  whole.view_count = 0;
  whole.operation_count = 1;
  whole.operations[0] = {Operation::Kind::fit, Kernel::lanczos3, 96, 0, 0};
  WireJob smaller = whole;
  smaller.has_looks = 1;
  smaller.looks_like = do_job(file, any_job()).fingerprints[0].pdq[0];
  EXPECT_EQ(do_job(file, smaller).rendition.bytes, do_job(file, whole).rendition.bytes);
}

TEST_F(WorkerTest, a_rendition_is_what_was_screened_in_every_format) {
  const VImage image = landscape(640, 480);
  const VImage wide = image.icc_transform("p3", VImage::option()->set("input_profile", "srgb"));
  expect_screened_is_stored(jpeg(image), "jpeg");
  expect_screened_is_stored(jpeg(image.extract_band(0)), "grey jpeg");
  expect_screened_is_stored(jpeg(image.colourspace(VIPS_INTERPRETATION_CMYK)), "cmyk jpeg");
  expect_screened_is_stored(png(wide), "display p3 png");
  expect_screened_is_stored(bytes_of(image.webpsave_buffer()), "webp");
  expect_screened_is_stored(bytes_of(image.jxlsave_buffer()), "jxl");
}

Bytes with_segment(const Bytes& file, unsigned marker, const std::string& payload) {
  const std::size_t length = payload.size() + 2;
  Bytes segment{std::byte{0xFF}, static_cast<std::byte>(marker),
                static_cast<std::byte>(length >> 8), static_cast<std::byte>(length & 0xFF)};
  segment.insert(segment.end(), as_bytes(payload).begin(), as_bytes(payload).end());
  Bytes result = file;
  result.insert(result.begin() + 2, segment.begin(), segment.end());
  return result;
}

TEST_F(WorkerTest, nothing_in_the_segments_of_a_jpeg_survives) {
  using namespace std::string_literals;
  const std::string secret(kSecret);
  const std::string thumbnail(as_text(jpeg(landscape(64, 48))));
  // Two directories: one without entries, one that says where its thumbnail lies.
  const std::string exif = "Exif\0\0II*\0\x08\0\0\0\0\0\x0E\0\0\0\x02\0"s +
                           "\x01\x02\x04\0\x01\0\0\0\x2C\0\0\0"s +
                           "\x02\x02\x04\0\x01\0\0\0\0\x04\0\0"s + "\0\0\0\0"s + thumbnail + secret;
  VImage wide =
      landscape(200, 150).icc_transform("p3", VImage::option()->set("input_profile", "srgb"));
  wide = wide.copy();
  std::size_t size = 0;
  const auto* found = static_cast<const std::byte*>(wide.get_blob(VIPS_META_ICC_NAME, &size));
  Bytes profile(found, found + size);
  profile.insert(profile.end(), as_bytes(kSecret).begin(), as_bytes(kSecret).end());
  for (std::size_t i = 0; i < 4; ++i)
    profile[i] = static_cast<std::byte>(profile.size() >> 8 * (3 - i));
  wide.set(VIPS_META_ICC_NAME, nullptr, profile.data(), profile.size());
  const Bytes plain = jpeg(landscape(200, 150));
  const struct {
    const char* name;
    Bytes bytes;
  } cases[] = {
      {"a comment", with_segment(plain, 0xFE, secret)},
      {"a thumbnail", with_segment(plain, 0xE1, exif)},
      {"several pictures", with_segment(plain, 0xE2, "MPF\0"s + secret)},
      {"Photoshop's", with_segment(plain, 0xED, "Photoshop 3.0\0"s + secret)},
      {"an unknown application's", with_segment(plain, 0xEA, secret)},
      {"a profile that may stay", jpeg(wide)},
  };
  for (const auto& c : cases) {
    ASSERT_TRUE(holds(c.bytes, kSecret)) << c.name;
    const Done done = do_job(c.bytes, any_job());
    EXPECT_FALSE(holds(done.rendition.bytes, kSecret)) << c.name;
    EXPECT_EQ(as_text(done.rendition.bytes).rfind("\xFF\xD8\xFF"), 0u) << c.name;
    EXPECT_EQ(difference(opened(c.bytes), opened(done.rendition.bytes)), 0) << c.name;
  }
}

TEST_F(WorkerTest, stray_bytes_between_segments_are_no_reason_to_refuse_a_jpeg) {
  const Bytes plain = jpeg(landscape(320, 200));
  for (const std::ptrdiff_t place : {std::ptrdiff_t{20}, std::ssize(plain) - 2}) {
    Bytes bytes = plain;
    bytes.insert(bytes.begin() + place, 3, std::byte{0});
    const Done done = do_job(bytes, any_job());
    EXPECT_EQ(difference(opened(plain), opened(done.rendition.bytes)), 0);
  }
}

TEST_F(WorkerTest, limits_are_those_of_the_picture_as_shown) {
  VImage image = landscape(300, 200).copy();
  image.set(VIPS_META_ORIENTATION, 6);
  WireJob job = any_job();
  job.image.max_width = 200;
  job.image.max_height = 300;
  EXPECT_EQ(code_of(jpeg(image), job), "");
  std::swap(job.image.max_width, job.image.max_height);
  EXPECT_EQ(code_of(jpeg(image), job), "validate-height");
}

TEST_F(WorkerTest, a_picture_beyond_the_memory_is_refused_by_its_header) {
  const Bytes still = png(landscape(2'000, 1'500)),
              moving = bytes_of(animation(40, 400, 300).gifsave_buffer());
  WireJob job = any_job();
  job.memory = 320ull << 20;
  EXPECT_EQ(code_of(still, job), "validate-area");
  EXPECT_EQ(code_of(moving, job), "validate-frames");
  job.memory = 0;
  EXPECT_EQ(code_of(still, job), "");
}

TEST_F(WorkerTest, limits_are_kept_from_the_header_alone) {
  WireJob job = any_job();
  const Bytes good = png(landscape(100, 50));
  const auto with = [&](auto change) {
    WireJob other = job;
    change(other);
    return other;
  };
  EXPECT_EQ(code_of(good, with([](WireJob& j) { j.image.max_width = 99; })), "validate-width");
  EXPECT_EQ(code_of(good, with([](WireJob& j) { j.image.max_height = 49; })), "validate-height");
  EXPECT_EQ(code_of(good, with([](WireJob& j) { j.image.max_area = 4'999; })), "validate-area");
  EXPECT_EQ(code_of(good, with([](WireJob& j) { j.image.max_file_size = 10; })),
            "validate-file-size");
  EXPECT_EQ(code_of(good, with([](WireJob& j) { j.formats = 1 << int(Format::jpeg); })),
            "media-disallowed");
  EXPECT_EQ(code_of({}), "validate-file-empty");
  const Bytes moving = bytes_of(animation(5).gifsave_buffer());
  EXPECT_EQ(code_of(moving), "");
  EXPECT_EQ(code_of(moving, with([](WireJob& j) { j.animation.max_frames = 4; })),
            "validate-frames");
  EXPECT_EQ(code_of(moving, with([](WireJob& j) { j.animation.max_width = 119; })),
            "validate-width");

  // 50,000 x 50,000 pixels are said and not there: nothing may be allocated for them.
  Bytes bomb = good;
  for (const std::size_t at : {16u, 20u})
    bomb[at] = bomb[at + 1] = std::byte{0}, bomb[at + 2] = std::byte{0xC3},
    bomb[at + 3] = std::byte{0x50};
  boost::crc_32_type checksum;
  checksum.process_bytes(bomb.data() + 12, 17);
  for (std::size_t i = 0; i < 4; ++i)
    bomb[29 + i] = static_cast<std::byte>(checksum.checksum() >> 8 * (3 - i));
  EXPECT_EQ(code_of(bomb), "validate-width");
}

TEST_F(WorkerTest, what_is_no_picture_of_a_known_format_is_not_taken) {
  const std::string_view cases[] = {"hello",
                                    "<svg xmlns='http://www.w3.org/2000/svg'/>",
                                    "%PDF-1.4",
                                    "BM\x36\0\0\0",
                                    "II*\0",
                                    "\xFF\xD8\xFF",
                                    "GIF89a",
                                    "\x89PNG\r\n\x1A\n",
                                    "RIFF\0\0\0\0WEBPVP8 "};
  for (const std::string_view bytes : cases)
    EXPECT_EQ(code_of(as_bytes(bytes)), "command-failure") << bytes;
}

TEST_F(WorkerTest, a_truncated_file_is_never_taken_as_a_whole_one) {
  const VImage image = landscape(160, 120);
  const struct {
    const char* name;
    Bytes bytes;
  } cases[] = {
      {"jpeg", jpeg(image)},
      {"progressive jpeg", jpeg(image, VImage::option()->set("interlace", true))},
      {"png", png(image)},
      {"webp", bytes_of(image.webpsave_buffer())},
      {"gif", bytes_of(image.gifsave_buffer())},
      {"animated gif", bytes_of(animation(4).gifsave_buffer())},
      {"animated webp", bytes_of(animation(4).webpsave_buffer())},
      {"avif", bytes_of(image.heifsave_buffer(
                   VImage::option()->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1)))},
      {"jxl", bytes_of(image.jxlsave_buffer())},
  };
  for (const auto& c : cases)
    for (std::size_t part = 1; part < 64; ++part) {
      const std::size_t size = c.bytes.size() * part / 64;
      EXPECT_NE(code_of(ByteView(c.bytes).first(size)), "")
          << c.name << " cut to " << size << " of " << c.bytes.size();
    }
}

TEST_F(WorkerTest, box_means_leave_no_pixel_out_and_keep_the_mean) {
  const VImage image = landscape(701, 333);
  for (const auto& [width, height] : {std::pair{700, 332}, std::pair{350, 333}, std::pair{64, 48},
                                      std::pair{1, 1}, std::pair{701, 333}}) {
    const VImage small = box_means(image, width, height);
    EXPECT_EQ(small.width(), width);
    EXPECT_EQ(small.height(), height);
    EXPECT_NEAR(small.avg(), image.avg(), 1) << width;
  }
  EXPECT_EQ(difference(box_means(image.zoom(3, 2).copy_memory(), 701, 333), image), 0);
  VImage last = VImage::black(100, 100, VImage::option()->set("bands", 3)).copy_memory();
  last.draw_rect({255, 255, 255}, 99, 99, 1, 1, VImage::option()->set("fill", true));
  EXPECT_GT(box_means(last, 9, 9)(8, 8)[0], 0);
}

TEST_F(WorkerTest, every_distinct_frame_of_an_animation_is_hashed_and_the_rest_kept) {
  for (const bool gif : {true, false}) {
    const VImage strip = animation(6, 240, 160);
    const Bytes bytes =
        gif ? bytes_of(strip.gifsave_buffer())
            : bytes_of(strip.webpsave_buffer(VImage::option()->set("lossless", true)));
    const Done done = do_job(bytes, any_job());
    EXPECT_EQ(done.head.frames, 6u);
    EXPECT_EQ(done.fingerprints.size(), 6u);
    EXPECT_EQ(done.pictures[0].size(), 6u);
    const Done again = do_job(done.rendition.bytes, any_job());
    EXPECT_EQ(again.head.frames, 6u);
    const VImage after =
        VImage::new_from_buffer(done.rendition.bytes.data(), done.rendition.bytes.size(), "",
                                VImage::option()->set("n", -1));
    EXPECT_EQ(after.get_array_int("delay"), std::vector<int>(6, 80)) << gif;
    for (std::size_t i = 0; i < 6; ++i)
      EXPECT_LE(hash::distance(again.fingerprints[i].pdq[0], done.fingerprints[i].pdq[0]), 10) << i;
  }
}

TEST_F(WorkerTest, one_bad_frame_among_many_is_seen) {
  const VImage bad = landscape(240, 160).rot180();
  VImage strip = animation(20, 240, 160);
  strip = strip.insert(bad, 0, 160 * 13).copy_memory().copy();
  strip.set(VIPS_META_PAGE_HEIGHT, 160);
  const hash::PdqHash wanted = do_job(png(bad), any_job()).fingerprints[0].pdq[0];
  int nearest = 256;
  for (const WireFingerprint& print :
       do_job(bytes_of(strip.gifsave_buffer()), any_job()).fingerprints)
    nearest = std::min(nearest, hash::distance(print.pdq[0], wanted));
  EXPECT_LE(nearest, 31);  // a GIF's palette moves it by some bits
}

TEST_F(WorkerTest, an_animated_png_is_refused_since_only_its_first_frame_could_be_seen) {
  Bytes bytes = png(landscape(60, 40));
  const std::string_view control(
      "\0\0\0\x08"
      "acTL\0\0\0\x02\0\0\0\0\xF3\x8D\x93\x70",
      20);
  const ByteView chunk = as_bytes(control);
  bytes.insert(bytes.begin() + 33, chunk.begin(), chunk.end());  // after IHDR
  EXPECT_EQ(code_of(bytes), "media-disallowed");
}

TEST_F(WorkerTest, rescaled_re_encoded_and_mirrored_copies_stay_near) {
  const VImage image = landscape(1'200, 900);
  const auto original = do_job(jpeg(image), any_job()).fingerprints[0].pdq[0];
  const struct {
    const char* name;
    Bytes bytes;
  } cases[] = {{"rescaled", jpeg(image.resize(0.5))},
               {"small", jpeg(image.resize(0.2))},
               {"poor", jpeg(image, VImage::option()->set("Q", 20))},
               {"mirrored", png(image.flip(VIPS_DIRECTION_HORIZONTAL))},
               {"turned", png(image.rot90())},
               {"webp", bytes_of(image.webpsave_buffer())}};
  for (const auto& c : cases) {
    int nearest = 256;
    for (const hash::PdqHash& pdq : do_job(c.bytes, any_job()).fingerprints[0].pdq)
      nearest = std::min(nearest, hash::distance(pdq, original));
    EXPECT_LE(nearest, 31) << c.name;
  }
}

TEST(FramesToShow, are_the_first_the_longest_and_the_greatest_changes) {
  EXPECT_EQ(frames_to_show({0}, {}, 8), (std::vector<int>{0}));
  EXPECT_EQ(frames_to_show({0, 5, 9, 1, 7}, {10, 10, 10, 99, 10}, 3), (std::vector<int>{0, 2, 3}));
  EXPECT_EQ(frames_to_show({0, 5, 9, 1, 7}, {10, 10, 10, 10, 10}, 99),
            (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(frames_to_show(std::vector<int>(900, 3), std::vector<int>(900, 1), 8).size(), 8u);
}

}  // namespace
}  // namespace portcullis::decoder

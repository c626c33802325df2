// JPEG, whose coded data are kept, and the colour profiles of all formats.
#include <turbojpeg.h>

#include <cmath>
#include <functional>

#include "decoder/worker/profiles.h"
#include "testing/decoding.h"

namespace portcullis::decoder {
namespace {

using namespace std::string_view_literals;
using testing::any_job;
using testing::bytes_of;
using testing::difference;
using testing::expect_screened_is_stored;
using testing::holds;
using testing::jpeg;
using testing::jxl;
using testing::kSecret;
using testing::landscape;
using testing::opened;
using testing::png;
using testing::webp;
using testing::with_segment;
using testing::WorkerTest;
using vips::VImage;

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
  expect_screened_is_stored(webp(image), "webp");
  expect_screened_is_stored(jxl(image), "jxl");
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
      {"a comment", with_segment(plain, 0xFE, as_bytes(secret))},
      {"a thumbnail", with_segment(plain, 0xE1, as_bytes(exif))},
      {"several pictures", with_segment(plain, 0xE2, as_bytes("MPF\0"s + secret))},
      {"Photoshop's", with_segment(plain, 0xED, as_bytes("Photoshop 3.0\0"s + secret))},
      {"an unknown application's", with_segment(plain, 0xEA, as_bytes(secret))},
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

// One entry of its table of codes is changed, so that its coefficients have more bits than
// libjpeg's encoder has codes for.
TEST_F(WorkerTest, coefficients_that_cannot_be_coded_again_are_screened) {
  Bytes bytes = jpeg(testing::drawing(96, 64), VImage::option()->set("strip", true));
  const std::size_t chroma = as_text(bytes).find("\xFF\xC4\0\xB5\x11"sv);
  ASSERT_NE(chroma, std::string_view::npos);
  const std::size_t code = as_text(bytes).find("\x23", chroma);
  ASSERT_LT(code, chroma + 181);
  expect_screened_is_stored(bytes, "as it was");
  bytes[code] = std::byte{0x2B};
  expect_screened_is_stored(bytes, "changed");
}

// Nothing but the names of the components says whether three of them are red, green and blue. What
// is stored says it in a way that all programs read alike.
TEST_F(WorkerTest, components_without_a_marker_are_stored_as_they_were_screened) {
  Bytes bytes = jpeg(testing::drawing(640, 480), VImage::option()->set("strip", true));
  ASSERT_FALSE(holds(bytes, "JFIF"));
  expect_screened_is_stored(bytes, "named by numbers");
  const std::size_t frame = as_text(bytes).find("\xFF\xC0"), scan = as_text(bytes).find("\xFF\xDA");
  for (std::size_t i = 0; i < 3; ++i)
    bytes[frame + 10 + 3 * i] = bytes[scan + 5 + 2 * i] = static_cast<std::byte>("RGB"[i]);
  expect_screened_is_stored(bytes, "named by letters");
  EXPECT_TRUE(holds(do_job(bytes, any_job()).rendition.bytes, "Adobe"));
}

}  // namespace
}  // namespace portcullis::decoder

// What becomes of animated PNGs.
#include "decoder/worker/apng.h"

#include <gtest/gtest.h>

#include "testing/decoding.h"

namespace portcullis::decoder {
namespace {

using testing::any_job;
using testing::bytes_of;
using testing::code_of;
using testing::difference;
using testing::holds;
using testing::kSecret;
using testing::landscape;
using testing::png_chunk;
using testing::put;
using testing::put_number;
using vips::VImage;

// The chunks of one kind in a PNG, together.
Bytes content_of(const Bytes& png, std::string_view wanted) {
  Bytes content;
  for (std::size_t place = 8; place + 12 <= png.size();) {
    const std::size_t length = std::to_integer<std::size_t>(png[place + 2]) << 8 |
                               std::to_integer<std::size_t>(png[place + 3]) |
                               std::to_integer<std::size_t>(png[place + 1]) << 16;
    const ByteView whole = ByteView(png).subspan(place, length + 12);
    if (as_text(whole.subspan(4, 4)) == wanted) put(content, whole.subspan(8, length));
    place += length + 12;
  }
  return content;
}

enum class Dispose : std::uint8_t { keep, clear, restore };
enum class Blend : std::uint8_t { replace, over };
struct Part {
  VImage picture;
  std::uint32_t x = 0, y = 0;
  Dispose dispose = Dispose::keep;
  Blend blend = Blend::replace;
  unsigned delay = 50;  // of 1/1000
};

VImage plain(int width, int height, std::vector<double> colour) {
  return (VImage::black(width, height) + std::move(colour))
      .cast(VIPS_FORMAT_UCHAR)
      .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
      .copy_memory();
}
VImage with_alpha(const VImage& image) { return image.bandjoin(255.0).copy_memory(); }

// Written by hand, so that places, disposal and blending are what the test says. `poster`: shown by
// programs that know no animations, and no part of this one.
Bytes apng(const std::vector<Part>& parts, const VImage* poster = nullptr, ByteView more = {},
           std::optional<std::uint32_t> announced = std::nullopt) {
  const auto png = [](const VImage& image) {
    return bytes_of(image.pngsave_buffer(VImage::option()->set("strip", true)));
  };
  const Bytes first = png(poster != nullptr ? *poster : parts[0].picture);
  Bytes bytes(first.begin(), first.begin() + 8);
  put(bytes, png_chunk("IHDR", content_of(first, "IHDR")));
  Bytes control;
  put_number(control, announced.value_or(static_cast<std::uint32_t>(parts.size())));
  put_number(control, 3);
  put(bytes, png_chunk("acTL", control));
  put(bytes, more);
  if (poster != nullptr) put(bytes, png_chunk("IDAT", content_of(first, "IDAT")));
  std::uint32_t sequence = 0;
  for (const Part& part : parts) {
    Bytes frame;
    put_number(frame, sequence++);
    put_number(frame, static_cast<std::uint32_t>(part.picture.width()));
    put_number(frame, static_cast<std::uint32_t>(part.picture.height()));
    put_number(frame, part.x);
    put_number(frame, part.y);
    put_number(frame, part.delay << 16 | 1000);
    frame.push_back(static_cast<std::byte>(part.dispose));
    frame.push_back(static_cast<std::byte>(part.blend));
    put(bytes, png_chunk("fcTL", frame));
    const Bytes data = content_of(png(part.picture), "IDAT");
    if (sequence == 1 && poster == nullptr) {
      put(bytes, png_chunk("IDAT", data));
      continue;
    }
    Bytes numbered;
    put_number(numbered, sequence++);
    put(numbered, data);
    put(bytes, png_chunk("fdAT", numbered));
  }
  put(bytes, png_chunk("IEND", {}));
  return bytes;
}

Frames decoded(ByteView bytes) { return decode_apng(*read_apng(bytes, 100)); }

class ApngTest : public testing::WorkerTest {};

TEST_F(ApngTest, frames_are_what_is_shown_after_disposal_and_blending) {
  const VImage red = with_alpha(plain(40, 30, {200, 0, 0})),
               blue = with_alpha(plain(10, 10, {0, 0, 200})),
               half = plain(10, 10, {0, 200, 0, 128});
  const Frames frames = decoded(apng({{red},
                                      {blue, 5, 5, Dispose::clear},
                                      {half, 20, 10, Dispose::restore, Blend::over},
                                      {half, 0, 0, Dispose::keep, Blend::replace}}));
  ASSERT_EQ(frames.count, 4);
  const auto at = [&](int frame, int x, int y) {
    std::vector<double> pixel = frames.frame(frame).getpoint(x, y);
    pixel.resize(4, 255);
    return pixel;
  };
  const std::vector<double> all_red{200, 0, 0, 255}, all_blue{0, 0, 200, 255}, nothing{0, 0, 0, 0},
      half_green{0, 200, 0, 128};
  EXPECT_EQ(at(0, 7, 7), all_red);
  EXPECT_EQ(at(1, 7, 7), all_blue);
  EXPECT_EQ(at(1, 30, 20), all_red);
  EXPECT_EQ(at(2, 7, 7), nothing);  // was cleared
  EXPECT_NEAR(at(2, 25, 15)[1], 100, 2);
  EXPECT_EQ(at(2, 25, 15)[3], 255);
  EXPECT_EQ(at(3, 25, 15), all_red);  // was put back
  EXPECT_EQ(at(3, 3, 3), half_green);
  EXPECT_EQ(frames.delays, (std::vector{50, 50, 50, 50}));
  EXPECT_EQ(frames.loop, 3);
}

TEST_F(ApngTest, every_kind_of_pixel_is_read) {
  const VImage image = landscape(40, 30);
  const VImage deep = (with_alpha(image).cast(VIPS_FORMAT_USHORT) * 257)
                          .cast(VIPS_FORMAT_USHORT)
                          .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_RGB16))
                          .copy_memory();
  const struct {
    const char* name;
    VImage image;
  } cases[] = {{"rgb", image},
               {"rgba", with_alpha(image)},
               {"grey", image.extract_band(1).copy_memory()},
               {"grey and alpha", with_alpha(image.extract_band(1))},
               {"deep", deep}};
  for (const auto& c : cases) {
    const Frames frames = decoded(apng({{c.image}, {c.image}}));
    EXPECT_EQ(frames.strip.bands(), 3) << c.name;  // nothing is transparent
    const VImage wanted =
        std::string_view(c.name).starts_with("grey")
            ? image.extract_band(1).bandjoin(image.extract_band(1)).bandjoin(image.extract_band(1))
            : image;
    EXPECT_EQ(difference(frames.frame(1), wanted), 0) << c.name;
  }
}

TEST_F(ApngTest, comes_back_with_the_same_pixels_delays_and_plays) {
  const VImage image = with_alpha(landscape(60, 40));
  const Bytes before =
      apng({{image},
            {with_alpha(plain(20, 20, {9, 99, 199})), 10, 10, Dispose::clear, Blend::replace, 70},
            {plain(20, 20, {9, 99, 199, 60}), 30, 10, Dispose::keep, Blend::over, 900}});
  const Done done = do_job(before, any_job());
  EXPECT_EQ(done.head.format, Format::apng);
  EXPECT_EQ(done.head.frames, 3u);
  EXPECT_EQ(done.rendition.frames, 3);
  const Frames old = decoded(before), fresh = decoded(done.rendition.bytes);
  EXPECT_EQ(fresh.count, 3);
  EXPECT_EQ(fresh.delays, old.delays);
  EXPECT_EQ(fresh.loop, old.loop);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(difference(old.frame(i), fresh.frame(i)), 0) << i;
  EXPECT_FALSE(done.rendition.blurhash.empty());
}

TEST_F(ApngTest, loses_everything_but_its_frames) {
  Bytes text(8, std::byte{'C'});  // a name, a zero, the text
  text[7] = std::byte{0};
  put(text, kSecret);
  const VImage image = landscape(60, 40), poster = plain(60, 40, {1, 2, 3});
  Bytes bytes = apng({{image}, {plain(60, 40, {90, 80, 70})}}, &poster, png_chunk("tEXt", text));
  put(bytes, kSecret);
  ASSERT_TRUE(holds(bytes, kSecret));
  const Done done = do_job(bytes, any_job());
  EXPECT_FALSE(holds(done.rendition.bytes, kSecret));
  EXPECT_EQ(difference(decoded(done.rendition.bytes).frame(0), image), 0);
  // What programs that know no animations show is the first frame now.
  EXPECT_EQ(
      difference(
          testing::opened(done.rendition.bytes).extract_band(0, VImage::option()->set("n", 3)),
          image),
      0);
}

TEST_F(ApngTest, a_frame_that_is_shown_once_is_fingerprinted) {
  const VImage image = landscape(120, 90), other = landscape(120, 90).rot180().copy_memory();
  std::vector<Part> parts(40, Part{image});
  parts[23].picture = other;
  const Done done = do_job(apng(parts), any_job());
  ASSERT_EQ(done.fingerprints.size(), 2u);
  EXPECT_EQ(done.fingerprints[1].pdq, fingerprint_of(other).pdq);
  EXPECT_EQ(done.pictures[0].size(), kMaxViewFrames);
}

TEST_F(ApngTest, becomes_and_comes_from_other_formats) {
  const Bytes moving = apng({{landscape(60, 40)}, {plain(60, 40, {9, 8, 7})}});
  for (const auto& [format, frames] : {std::pair{Format::gif, 2}, std::pair{Format::webp, 2},
                                       std::pair{Format::jpeg, 1}, std::pair{Format::png, 1}}) {
    WireJob job = any_job();
    job.has_format = 1;
    job.format = format;
    const Made made = do_job(moving, job).rendition;
    EXPECT_EQ(made.format, format);
    EXPECT_EQ(made.frames, frames) << name(format);
  }
  WireJob job = any_job();
  job.has_format = 1;
  job.format = Format::apng;
  job.operation_count = 1;
  job.operations[0] = {Operation::Kind::fit, Kernel::lanczos2, 30, 0, 0};
  for (const Bytes& bytes : {moving, bytes_of(landscape(60, 40).jpegsave_buffer())}) {
    const Made made = do_job(bytes, job).rendition;
    const Frames frames = decoded(made.bytes);
    EXPECT_EQ(frames.width, 30);
    EXPECT_EQ(frames.count, made.frames);
  }
}

TEST_F(ApngTest, is_refused_when_it_is_too_large_damaged_or_lies) {
  const VImage image = landscape(60, 40);
  const Bytes good = apng({{image}, {image}, {image}});
  EXPECT_EQ(code_of(good), "");
  Bytes truncated = good, flipped = good;
  truncated.resize(good.size() * 2 / 3);
  flipped[flipped.size() / 2] ^= std::byte{0x55};
  WireJob few = any_job(), none = any_job();
  few.animation.max_frames = 2;
  none.formats = 0x3F;
  Part outside{image, 1, 0};
  const struct {
    const char* name;
    Bytes bytes;
    WireJob job;
    const char* code;
  } cases[] = {
      {"truncated", truncated, any_job(), "command-failure"},
      {"damaged", flipped, any_job(), "command-failure"},
      {"more frames than announced", apng({{image}, {image}}, nullptr, {}, 1), any_job(),
       "command-failure"},
      {"fewer", apng({{image}, {image}}, nullptr, {}, 3), any_job(), "command-failure"},
      {"a frame outside", apng({{image}, outside}), any_job(), "command-failure"},
      {"too many frames", good, few, "validate-frames"},
      {"too wide", apng({{plain(1'001, 2, {1, 2, 3})}, {plain(1'001, 2, {4, 5, 6})}}), any_job(),
       "validate-width"},
      {"switched off", good, none, "media-disallowed"},
  };
  for (const auto& c : cases) EXPECT_EQ(code_of(c.bytes, c.job), c.code) << c.name;
  for (std::size_t cut = 0; cut < good.size(); cut += 7)
    EXPECT_NE(code_of(ByteView(good).first(cut)), "") << cut;
}

}  // namespace
}  // namespace portcullis::decoder

#include <gmock/gmock.h>

#include "decoder/blurhash.h"
#include "testing/decoding.h"

namespace portcullis::decoder {
namespace {

using testing::bytes_of;
using testing::opened;
using vips::VImage;
using Kind = Operation::Kind;

WireJob variant_job(std::vector<Operation> operations, std::optional<Format> format) {
  WireJob job;
  job.formats = 0xFF;
  job.want_rendition = 1;
  job.image = job.animation = {10'000, 10'000, 40'000'000, 40'000'000, 900};
  job.operation_count = static_cast<std::uint8_t>(operations.size());
  std::ranges::copy(operations, job.operations.begin());
  job.has_format = format.has_value();
  job.format = format.value_or(Format::jpeg);
  return job;
}

VImage gradient(int width, int height, int bands) {
  VImage x = VImage::xyz(width, height).extract_band(0) * (255.0 / width);
  VImage y = VImage::xyz(width, height).extract_band(1) * (255.0 / height);
  VImage image = x.bandjoin(y).bandjoin(255.0 - x);
  if (bands == 4) image = image.bandjoin(y);
  return image.cast(VIPS_FORMAT_UCHAR)
      .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
      .copy_memory();
}

class Variants : public testing::WorkerTest {};

TEST_F(Variants, of_each_format_are_made_in_each_format) {
  const VImage clear = gradient(300, 200, 4);
  const Bytes originals[] = {bytes_of(gradient(300, 200, 3).jpegsave_buffer()),
                             bytes_of(clear.pngsave_buffer()), bytes_of(clear.webpsave_buffer()),
                             bytes_of(clear.gifsave_buffer())};
  for (const Bytes& original : originals)
    for (const Format format :
         {Format::jpeg, Format::png, Format::webp, Format::gif, Format::avif, Format::jxl}) {
      const Done done =
          do_job(original, variant_job({{Kind::fit, Kernel::lanczos2, 96, 0, 0}}, format));
      EXPECT_EQ(done.rendition.format, format);
      const Head head = read_head(done.rendition.bytes, variant_job({}, std::nullopt));
      EXPECT_EQ(head.format, format);
      EXPECT_EQ(head.width, 96u);
      EXPECT_EQ(head.height, 64u);
      EXPECT_EQ(done.rendition.width, 96);
      EXPECT_TRUE(is_blurhash(done.rendition.blurhash));
      EXPECT_TRUE(done.fingerprints.empty());
    }
}

TEST_F(Variants, show_the_picture_smaller) {
  const VImage image = gradient(400, 300, 3);
  for (const Kernel kernel : {Kernel::lanczos2, Kernel::lanczos3, Kernel::mitchell}) {
    const Done done = do_job(bytes_of(image.pngsave_buffer()),
                             variant_job({{Kind::fit, kernel, 100, 0, 0}}, Format::png));
    const VImage expected = gradient(100, 75, 3);
    EXPECT_LT((opened(done.rendition.bytes) - expected).abs().max(), 8);
  }
}

// A picture that only shows when every so many pixels are left out must not show.
TEST_F(Variants, average_all_pixels) {
  VImage x = VImage::xyz(256, 256);
  VImage sparse = ((x.extract_band(0) % 8) == 0) & ((x.extract_band(1) % 8) == 0);
  const VImage image = sparse.bandjoin(sparse).bandjoin(sparse);
  const Bytes png =
      bytes_of(image.copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
                   .pngsave_buffer());
  for (const Kernel kernel : {Kernel::lanczos2, Kernel::lanczos3, Kernel::mitchell}) {
    const Done done = do_job(png, variant_job({{Kind::fit, kernel, 32, 0, 0}}, Format::png));
    EXPECT_LT(opened(done.rendition.bytes).max(), 40);
  }
}

TEST_F(Variants, of_transparent_pictures_lose_no_colour_at_the_edges) {
  VImage red = gradient(64, 64, 4) * 0 + std::vector<double>{255, 0, 0, 0};
  VImage mask = (VImage::xyz(64, 64).extract_band(0) < 32).ifthenelse(255, 0);
  VImage image = red.extract_band(0, VImage::option()->set("n", 3)).bandjoin(mask);
  image = image.cast(VIPS_FORMAT_UCHAR)
              .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
  const Done done = do_job(bytes_of(image.pngsave_buffer()),
                           variant_job({{Kind::fit, Kernel::lanczos3, 16, 0, 0}}, Format::png));
  const VImage small = opened(done.rendition.bytes);
  ASSERT_EQ(small.bands(), 4);
  const std::vector<double> edge = small.getpoint(7, 8);
  EXPECT_GT(edge[0], 250);  // still red
}

TEST_F(Variants, over_white_where_the_format_has_no_transparency) {
  VImage image = (gradient(32, 32, 4) * 0)
                     .cast(VIPS_FORMAT_UCHAR)
                     .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
  const Done done = do_job(bytes_of(image.pngsave_buffer()), variant_job({}, Format::jpeg));
  EXPECT_GT(opened(done.rendition.bytes).min(), 250);
}

TEST_F(Variants, of_animations_move_where_the_format_can_and_show_the_first_frame_elsewhere) {
  const VImage first = gradient(80, 60, 3);
  VImage both = first.join(first.invert(), VIPS_DIRECTION_VERTICAL).copy_memory().copy();
  both.set(VIPS_META_PAGE_HEIGHT, 60);
  both.set("delay", std::vector<int>{70, 130});
  const Bytes gif = bytes_of(both.gifsave_buffer());
  const Operation smaller{Kind::fit, Kernel::lanczos2, 40, 0, 0};
  for (const Format format : {Format::gif, Format::webp}) {
    const Done done = do_job(gif, variant_job({smaller}, format));
    EXPECT_EQ(done.rendition.frames, 2);
    const Head head = read_head(done.rendition.bytes, variant_job({}, std::nullopt));
    EXPECT_EQ(head.frames, 2u);
    const Frames frames = decode(done.rendition.bytes, head);
    EXPECT_EQ(frames.width, 40);
    EXPECT_EQ(frames.height, 30);
    EXPECT_EQ(frames.delays, (std::vector<int>{70, 130}));
    EXPECT_GT((flat(frames, 0, 255) - flat(frames, 1, 255)).abs().avg(), 50);
  }
  for (const Format format : {Format::jpeg, Format::png, Format::avif, Format::jxl}) {
    const Done done = do_job(gif, variant_job({smaller}, format));
    EXPECT_EQ(done.rendition.frames, 1);
    const Head head = read_head(done.rendition.bytes, variant_job({}, std::nullopt));
    EXPECT_EQ(head.frames, 1u);
    EXPECT_EQ(head.height, 30u);
  }
}

TEST_F(Variants, crop_the_middle_and_blur) {
  VImage stripes = (VImage::xyz(90, 30).extract_band(0) / 30).floor() * 100;
  VImage image = stripes.bandjoin(stripes)
                     .bandjoin(stripes)
                     .cast(VIPS_FORMAT_UCHAR)
                     .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
  const Bytes png = bytes_of(image.pngsave_buffer());
  const Done cropped =
      do_job(png, variant_job({{Kind::crop, Kernel::lanczos2, 1, 1, 0}}, Format::png));
  EXPECT_EQ(opened(cropped.rendition.bytes).min(), 100);
  EXPECT_EQ(opened(cropped.rendition.bytes).max(), 100);
  const Done blurred =
      do_job(png, variant_job({{Kind::blur, Kernel::lanczos2, 0, 0, 5}}, Format::png));
  EXPECT_GT(opened(blurred.rendition.bytes).getpoint(30, 15)[0], 30);
  EXPECT_LT(opened(blurred.rendition.bytes).getpoint(30, 15)[0], 70);
}

// An upload with operations is screened whole, and stored as asked.
TEST_F(Variants, of_an_upload_are_made_while_the_whole_is_looked_at) {
  WireJob job = variant_job({{Kind::crop, Kernel::lanczos2, 1, 1, 0}}, std::nullopt);
  job.want_fingerprints = 1;
  const Bytes jpeg = bytes_of(gradient(300, 200, 3).jpegsave_buffer());
  const Done done = do_job(jpeg, job);
  WireJob whole = variant_job({}, std::nullopt);
  whole.want_fingerprints = 1;
  EXPECT_EQ(done.fingerprints[0].pdq, do_job(jpeg, whole).fingerprints[0].pdq);
  EXPECT_EQ(done.width, 300);
  EXPECT_EQ(done.rendition.width, 200);
  EXPECT_EQ(done.rendition.format, Format::jpeg);
}

// --- from fewer coefficients ---

class Smaller : public Variants {
 protected:
  static hash::PdqHash looks_of(const Bytes& bytes) {
    WireJob job = variant_job({}, std::nullopt);
    job.want_fingerprints = 1;
    return do_job(bytes, job).fingerprints[0].pdq[0];
  }
  static WireJob small_job(std::uint32_t side, const hash::PdqHash& looks) {
    WireJob job = variant_job({{Kind::fit, Kernel::lanczos3, side, 0, 0}}, Format::png);
    job.has_looks = 1;
    job.looks_like = looks;
    return job;
  }
};

TEST_F(Smaller, pictures_have_the_size_and_looks_of_those_made_of_the_whole) {
  for (const auto& [width, height] : {std::pair(1001, 777), {640, 480}, {2000, 300}}) {
    const Bytes jpeg = bytes_of(testing::landscape(width, height).jpegsave_buffer());
    const hash::PdqHash looks = looks_of(jpeg);
    for (const std::uint32_t side : {16u, 50u, 96u, 160u, 300u}) {
      const WireJob job = small_job(side, looks);
      WireJob without = job;
      without.has_looks = 0;
      const Done quick = do_job(jpeg, job), thorough = do_job(jpeg, without);
      EXPECT_EQ(quick.rendition.width, thorough.rendition.width) << side;
      EXPECT_EQ(quick.rendition.height, thorough.rendition.height) << side;
      EXPECT_EQ(quick.width, width);
      EXPECT_LT((opened(quick.rendition.bytes) - opened(thorough.rendition.bytes)).abs().avg(), 10)
          << width << 'x' << height << " to " << side;
    }
  }
}

TEST_F(Smaller, coefficients_are_left_out_only_when_twice_the_size_remains) {
  const Bytes jpeg = bytes_of(testing::landscape(1600, 800).jpegsave_buffer());
  const WireJob any = variant_job({}, std::nullopt);
  const Head head = read_head(jpeg, any);
  const struct {
    std::uint32_t side;
    int width;  // 0: the whole is needed
  } cases[] = {{800, 0}, {401, 0}, {400, 800}, {201, 800}, {200, 400}, {100, 200}, {10, 200}};
  for (const auto& c : cases) {
    const auto frames = decode_smaller(
        jpeg, head, variant_job({{Kind::fit, Kernel::lanczos3, c.side, 0, 0}}, Format::png));
    EXPECT_EQ(frames ? frames->width : 0, c.width) << c.side;
  }
  EXPECT_FALSE(decode_smaller(jpeg, head, variant_job({}, Format::png)));
  EXPECT_FALSE(decode_smaller(jpeg, head,
                              variant_job({{Kind::crop, Kernel::lanczos3, 1, 1, 0}}, Format::png)));
}

// Whatever the fewer coefficients show: unless it is what was screened, the whole is decoded.
TEST_F(Smaller, pictures_that_do_not_look_like_the_whole_are_made_of_the_whole) {
  const Bytes jpeg = bytes_of(testing::landscape(1200, 900).jpegsave_buffer());
  hash::PdqHash other = looks_of(jpeg);
  for (auto& word : other.words) word = ~word;
  WireJob job = small_job(96, other), without = job;
  without.has_looks = 0;
  EXPECT_EQ(do_job(jpeg, job).rendition.bytes, do_job(jpeg, without).rendition.bytes);
  job.looks_like = looks_of(jpeg);
  EXPECT_NE(do_job(jpeg, job).rendition.bytes, do_job(jpeg, without).rendition.bytes);
  const Bytes flat_jpeg =
      bytes_of((gradient(900, 900, 3) * 0 + 90)
                   .cast(VIPS_FORMAT_UCHAR)
                   .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
                   .jpegsave_buffer());
  job = small_job(96, looks_of(flat_jpeg));  // too little in it to be recognised by
  without = job;
  without.has_looks = 0;
  EXPECT_EQ(do_job(flat_jpeg, job).rendition.bytes, do_job(flat_jpeg, without).rendition.bytes);
}

}  // namespace
}  // namespace portcullis::decoder

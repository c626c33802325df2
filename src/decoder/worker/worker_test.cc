// What a worker makes of pictures: views, fingerprints, renditions. In this process, without the
// lock.
#include <numeric>

#include "testing/decoding.h"

namespace portcullis::decoder {
namespace {

using testing::animation;
using testing::any_job;
using testing::avif;
using testing::bytes_of;
using testing::code_of;
using testing::difference;
using testing::gif;
using testing::jpeg;
using testing::jxl;
using testing::landscape;
using testing::opened;
using testing::png;
using testing::webp;
using testing::WorkerTest;
using vips::VImage;

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
      {"lossless webp", webp(landscape(150, 100), VImage::option()->set("lossless", true))},
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
  const VImage deep = testing::deep(landscape(90, 60));
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
      {Format::jpeg, jpeg(image), 0},  {Format::png, png(image), 0},
      {Format::webp, webp(image), 60}, {Format::gif, gif(image), 60},
      {Format::avif, avif(image), 60}, {Format::jxl, jxl(image), 60},
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
  for (const bool is_gif : {true, false}) {
    const VImage strip = animation(6, 240, 160);
    const Bytes bytes = is_gif ? gif(strip) : webp(strip, VImage::option()->set("lossless", true));
    const Done done = do_job(bytes, any_job());
    EXPECT_EQ(done.head.frames, 6u);
    EXPECT_EQ(done.fingerprints.size(), 6u);
    EXPECT_EQ(done.pictures[0].size(), 6u);
    const Done again = do_job(done.rendition.bytes, any_job());
    EXPECT_EQ(again.head.frames, 6u);
    const VImage after =
        VImage::new_from_buffer(done.rendition.bytes.data(), done.rendition.bytes.size(), "",
                                VImage::option()->set("n", -1));
    EXPECT_EQ(after.get_array_int("delay"), std::vector<int>(6, 80)) << is_gif;
    for (std::size_t i = 0; i < 6; ++i)
      EXPECT_LE(hash::distance(again.fingerprints[i].pdq[0], done.fingerprints[i].pdq[0]), 10) << i;
  }
}

TEST_F(WorkerTest, frames_that_are_alike_may_become_one_that_is_shown_as_long) {
  VImage strip = animation(4);
  strip = strip.insert(strip.extract_area(0, 0, 120, 80), 0, 80).copy_memory().copy();
  const struct {
    Format format;
    int frames;
  } cases[] = {{Format::webp, 3}, {Format::gif, 4}, {Format::apng, 4}};
  for (const auto& c : cases) {
    WireJob job = any_job();
    job.has_format = 1;
    job.format = c.format;
    const Made made = do_job(gif(strip), job).rendition;
    EXPECT_EQ(made.frames, c.frames) << name(c.format);
    const Frames frames = decode(made.bytes, read_head(made.bytes, any_job()));
    EXPECT_EQ(frames.count, c.frames) << name(c.format);
    EXPECT_EQ(std::accumulate(frames.delays.begin(), frames.delays.end(), 0), 4 * 80)
        << name(c.format);
  }
}

TEST_F(WorkerTest, one_bad_frame_among_many_is_seen) {
  const VImage bad = landscape(240, 160).rot180();
  VImage strip = animation(20, 240, 160);
  strip = strip.insert(bad, 0, 160 * 13).copy_memory().copy();
  strip.set(VIPS_META_PAGE_HEIGHT, 160);
  const hash::PdqHash wanted = do_job(png(bad), any_job()).fingerprints[0].pdq[0];
  int nearest = 256;
  for (const WireFingerprint& print : do_job(gif(strip), any_job()).fingerprints)
    nearest = std::min(nearest, hash::distance(print.pdq[0], wanted));
  EXPECT_LE(nearest, 31);  // a GIF's palette moves it by some bits
}

TEST_F(WorkerTest, an_animated_png_is_never_read_as_a_still_one) {
  Bytes bytes = png(landscape(60, 40));
  const std::string_view control(
      "\0\0\0\x08"
      "acTL\0\0\0\x02\0\0\0\0\xF3\x8D\x93\x70",
      20);
  const ByteView chunk = as_bytes(control);
  bytes.insert(bytes.begin() + 33, chunk.begin(), chunk.end());  // after IHDR
  WireJob job = any_job();
  job.formats = 0x3F;
  EXPECT_EQ(code_of(bytes, job), "media-disallowed");
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
               {"webp", webp(image)}};
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

#include "decoder/worker/trims.h"

#include <gmock/gmock.h>

#include <functional>

#include "decoder/worker/views.h"
#include "testing/pictures.h"

namespace portcullis::decoder {
namespace {

using testing::bytes_of;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::landscape;
using ::testing::SizeIs;
using vips::VImage;

// Rows of pixels, of what `value` says for each channel.
struct Canvas {
  int width, height;
  std::vector<std::uint8_t> rgb;

  using Value = std::function<int(int x, int y, int channel)>;
  Canvas(int w, int h, const Value& value) : width(w), height(h) {
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x)
        for (int c = 0; c < 3; ++c) rgb.push_back(static_cast<std::uint8_t>(value(x, y, c)));
  }
  void fill(Area area, int value) {
    for (int y = area.top; y < area.top + area.height; ++y)
      for (int i = area.left * 3; i < (area.left + area.width) * 3; ++i)
        rgb[static_cast<std::size_t>(y * width * 3 + i)] = static_cast<std::uint8_t>(value);
  }
  std::vector<Area> trims() const { return trims_of(rgb, width, height); }
};

int noise(int x, int y, int c) {
  auto mixed = static_cast<unsigned>(x) * 73856093u ^ static_cast<unsigned>(y) * 19349663u ^
               static_cast<unsigned>(c) * 83492791u;
  mixed = (mixed ^ mixed >> 13) * 0x5bd1e995;
  return static_cast<int>(mixed >> 24);
}

// Noise with lines of one colour around it.
Canvas framed(int width, int height, Area inside, int frame) {
  return {width, height, [=](int x, int y, int c) {
            const bool is_inside = x >= inside.left && x < inside.left + inside.width &&
                                   y >= inside.top && y < inside.top + inside.height;
            return is_inside ? noise(x, y, c) : frame;
          }};
}

TEST(Trims, find_what_an_edge_of_one_colour_encloses) {
  const struct {
    const char* name;
    Area inside;
  } cases[] = {
      {"all sides", {20, 15, 160, 120}},
      {"above and below", {0, 20, 200, 110}},
      {"left and right", {30, 0, 140, 150}},
      {"a band at the bottom", {0, 0, 200, 135}},
      {"a band at the top", {0, 12, 200, 138}},
      {"one side and a little of another", {2, 40, 198, 110}},
      {"two lines", {1, 0, 198, 150}},
  };
  for (const auto& c : cases)
    for (const int colour : {0, 255, 128, 37}) {
      const auto areas = framed(200, 150, c.inside, colour).trims();
      ASSERT_THAT(areas, ::testing::Not(IsEmpty())) << c.name;
      EXPECT_EQ(areas.front(), c.inside) << c.name << ", colour " << colour;
    }
}

TEST(Trims, take_each_side_for_itself) {
  Canvas canvas = framed(200, 150, {10, 10, 180, 130}, 0);
  canvas.fill({0, 0, 200, 10}, 255);  // white above, grey below, black on both sides
  canvas.fill({0, 140, 200, 10}, 128);
  EXPECT_EQ(canvas.trims().front(), (Area{10, 10, 180, 130}));
}

TEST(Trims, look_past_specks_and_the_noise_of_a_jpeg) {
  Canvas canvas(200, 150, [](int x, int y, int c) {
    return y >= 20 && y < 130 ? noise(x, y, c) : 40 + noise(x, y, c) / 12;
  });
  canvas.fill({50, 5, 3, 3}, 255);
  EXPECT_EQ(canvas.trims().front(), (Area{0, 20, 200, 110}));
}

TEST(Trims, look_past_the_letters_of_a_caption) {
  Canvas canvas = framed(200, 150, {0, 30, 200, 120}, 255);
  for (int x = 10; x < 180; x += 10) canvas.fill({x, 10, 4, 12}, 0);
  EXPECT_THAT(canvas.trims(), ElementsAre(Area{0, 10, 200, 140}, Area{0, 30, 200, 120}));
}

TEST(Trims, open_frames_within_frames_one_after_the_other) {
  Canvas canvas = framed(200, 150, {30, 30, 140, 90}, 255);
  for (const Area& bar :
       {Area{0, 0, 200, 12}, {0, 138, 200, 12}, {0, 0, 12, 150}, {188, 0, 12, 150}})
    canvas.fill(bar, 0);
  EXPECT_THAT(canvas.trims(), ElementsAre(Area{12, 12, 176, 126}, Area{30, 30, 140, 90}));
}

TEST(Trims, of_a_dark_picture_between_black_bars_are_also_those_of_equal_bars) {
  EXPECT_THAT(framed(200, 150, {0, 50, 200, 80}, 0).trims(),
              ElementsAre(Area{0, 50, 200, 80}, Area{0, 20, 200, 110}));
}

TEST(Trims, there_are_none_without_such_edges) {
  const struct {
    const char* name;
    Canvas canvas;
  } cases[] = {
      {"noise", {200, 150, noise}},
      {"a border of noise",
       {200, 150,
        [](int x, int y, int c) {
          return x > 20 && x < 180 && y > 20 && y < 130 ? x : noise(x, y, c);
        }}},
      {"one colour", {200, 150, [](int, int, int c) { return 90 + c; }}},
      {"nearly one colour", {200, 150, [](int x, int y, int c) { return noise(x, y, c) / 16; }}},
      {"a single line", framed(300, 300, {0, 1, 300, 299}, 0)},
      {"too little left", framed(200, 150, {85, 60, 30, 30}, 0)},
      {"too narrow a rest", framed(512, 512, {226, 0, 60, 512}, 0)},
      {"a pixel", {1, 1, noise}},
      {"a line", {512, 1, noise}},
      {"a column", {1, 512, noise}},
      {"black, a line high", {512, 1, [](int, int, int) { return 0; }}},
      {"smaller than what is worth it", framed(30, 30, {5, 5, 20, 20}, 0)},
  };
  for (const auto& c : cases) EXPECT_THAT(c.canvas.trims(), IsEmpty()) << c.name;
}

TEST(Trims, are_few_and_lie_within_the_picture_whatever_it_is) {
  std::uint32_t random = 1;
  const auto next = [&](int below) {
    return static_cast<int>((random = random * 1664525 + 1013904223) >> 8) % below;
  };
  for (int i = 0; i < 200; ++i) {
    const int width = 1 + next(180), height = 1 + next(180), shades = 1 + next(3) * next(100);
    Canvas canvas(width, height, [&](int, int, int) { return next(shades); });
    for (int n = next(6); n > 0; --n) {
      const int x = next(width), y = next(height);
      canvas.fill({x, y, 1 + next(width - x), 1 + next(height - y)}, next(256));
    }
    const auto areas = canvas.trims();
    EXPECT_LE(areas.size(), kMaxTrims);
    for (const Area& area : areas) {
      EXPECT_GE(area.left, 0);
      EXPECT_GE(area.top, 0);
      EXPECT_GE(area.width, 32);
      EXPECT_GE(area.height, 32);
      EXPECT_LE(area.left + area.width, width);
      EXPECT_LE(area.top + area.height, height);
    }
  }
}

class TrimmedViews : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { start_vips(); }

  static WireJob job() {
    WireJob job;
    job.formats = 0xFF;
    job.want_fingerprints = 1;
    job.image = job.animation = {4'000, 4'000, 16'000'000, 10'000'000, 50};
    return job;
  }
  static Done seen(const Bytes& bytes) { return do_job(bytes, job()); }
  static Bytes jpeg(const VImage& image, int quality = 75) {
    return bytes_of(image.jpegsave_buffer(VImage::option()->set("Q", quality)));
  }
  static int nearest(const std::vector<WireFingerprint>& prints, const hash::PdqHash& wanted) {
    int least = 256;
    for (const WireFingerprint& print : prints)
      if (print.quality >= hash::kMinQuality)
        for (const hash::PdqHash& pdq : print.pdq)
          least = std::min(least, hash::distance(pdq, wanted));
    return least;
  }
  static VImage bordered(const VImage& image, int left, int top, int right, int bottom,
                         double colour) {
    return image.embed(left, top, image.width() + left + right, image.height() + top + bottom,
                       VImage::option()
                           ->set("extend", VIPS_EXTEND_BACKGROUND)
                           ->set("background", std::vector<double>(3, colour)));
  }
};

TEST_F(TrimmedViews, find_a_bordered_copy_of_a_picture) {
  for (const auto& [width, height] : {std::pair{300, 200}, {720, 540}}) {
    const VImage plain = landscape(width, height);
    const hash::PdqHash wanted = seen(jpeg(plain)).fingerprints[0].pdq[0];
    for (const int percent : {1, 2, 5, 10, 20})
      for (const double colour : {0.0, 255.0, 120.0}) {
        if (width > 512 && colour > 0) continue;  // what shrinking adds is the same for each
        const int x = width * percent / 100, y = height * percent / 100;
        const std::pair<const char*, VImage> copies[] = {
            {"all around", bordered(plain, x, y, x, y, colour)},
            {"above and below", bordered(plain, 0, y, 0, y, colour)},
            {"left and right", bordered(plain, x, 0, x, 0, colour)},
            {"at the bottom", bordered(plain, 0, 0, 0, y, colour)},
            {"at the left", bordered(plain, x, 0, 0, 0, colour)},
        };
        for (const auto& [name, copy] : copies)
          EXPECT_LE(nearest(seen(jpeg(copy)).fingerprints, wanted), 31)
              << percent << " % " << name << ", colour " << colour << ", " << width << " wide";
      }
  }
}

// What the table would not need them for proves nothing.
TEST_F(TrimmedViews, are_needed_for_that) {
  const VImage plain = landscape(400, 300);
  const hash::PdqHash wanted = seen(jpeg(plain)).fingerprints[0].pdq[0];
  const Done done = seen(jpeg(bordered(plain, 40, 30, 40, 30, 0)));
  ASSERT_GE(done.fingerprints.size(), 2u);
  EXPECT_GT(nearest({done.fingerprints[0]}, wanted), 60);
}

TEST_F(TrimmedViews, come_behind_the_whole_pictures) {
  const VImage plain = landscape(200, 150);
  const Bytes still = bytes_of(bordered(plain, 0, 30, 0, 30, 0).pngsave_buffer());
  const auto whole = fingerprint_of(bordered(plain, 0, 30, 0, 30, 0)).pdq;
  const Done done = seen(still);
  ASSERT_THAT(done.fingerprints, SizeIs(2));
  EXPECT_EQ(done.fingerprints[0].pdq, whole);
  EXPECT_EQ(done.fingerprints[1].pdq, fingerprint_of(plain).pdq);
  EXPECT_THAT(seen(bytes_of(plain.pngsave_buffer())).fingerprints, SizeIs(1));
}

TEST_F(TrimmedViews, are_made_of_every_frame_of_an_animation) {
  const VImage plain = landscape(200, 150);
  VImage strip = bordered(plain, 0, 30, 0, 30, 0)
                     .join(bordered(plain.rot180(), 0, 30, 0, 30, 0), VIPS_DIRECTION_VERTICAL)
                     .copy_memory()
                     .copy();
  strip.set(VIPS_META_PAGE_HEIGHT, 210);
  const Done done = seen(bytes_of(strip.webpsave_buffer(VImage::option()->set("lossless", true))));
  ASSERT_THAT(done.fingerprints, SizeIs(4));
  EXPECT_EQ(done.fingerprints[2].pdq, fingerprint_of(plain).pdq);
  EXPECT_EQ(done.fingerprints[3].pdq, fingerprint_of(plain.rot180().copy_memory()).pdq);
}

TEST_F(TrimmedViews, are_none_of_flat_and_tiny_pictures) {
  const VImage flat = VImage::black(300, 200, VImage::option()->set("bands", 3))
                          .copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
  EXPECT_THAT(seen(bytes_of(flat.pngsave_buffer())).fingerprints, SizeIs(1));
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 4000}, {4000, 1}, {3, 2}, {4000, 16}})
    EXPECT_THAT(
        seen(bytes_of(flat.resize(width / 300.0, VImage::option()->set("vscale", height / 200.0))
                          .pngsave_buffer()))
            .fingerprints,
        SizeIs(1))
        << width << "x" << height;
}

}  // namespace
}  // namespace portcullis::decoder

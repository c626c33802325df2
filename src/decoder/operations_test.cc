#include <gmock/gmock.h>

#include "decoder/blurhash.h"
#include "decoder/decoder.h"

namespace portcullis::decoder {
namespace {

using Kind = Operation::Kind;

Operation fit(std::uint32_t side) { return {Kind::fit, Kernel::lanczos2, side, 0, 0}; }
Operation area(std::uint32_t pixels) { return {Kind::fit_area, Kernel::lanczos2, pixels, 0, 0}; }
Operation crop(std::uint32_t across, std::uint32_t down) {
  return {Kind::crop, Kernel::lanczos2, across, down, 0};
}

TEST(Operations, say_which_size_they_make) {
  const struct {
    Size before;
    std::vector<Operation> operations;
    Size after;
  } table[] = {
      {{1200, 1400}, {}, {1200, 1400}},
      {{1200, 1400}, {fit(256)}, {219, 256}},
      {{1400, 1200}, {fit(256)}, {256, 219}},
      {{100, 80}, {fit(256)}, {100, 80}},  // never larger
      {{10'000, 1}, {fit(100)}, {100, 1}},
      {{999, 998}, {fit(500)}, {500, 499}},
      {{1000, 1000}, {area(10'000)}, {100, 100}},
      {{2000, 500}, {area(10'000)}, {200, 50}},
      {{50, 50}, {area(10'000)}, {50, 50}},
      {{3, 3}, {area(1)}, {1, 1}},
      {{1200, 800}, {crop(1, 1)}, {800, 800}},
      {{800, 1200}, {crop(1, 1)}, {800, 800}},
      {{1200, 800}, {crop(16, 9)}, {1200, 675}},
      {{100, 10}, {crop(1, 20)}, {1, 10}},  // half a pixel is one
      {{1200, 800}, {crop(1, 1), fit(96)}, {96, 96}},
      {{1200, 800}, {fit(96), crop(1, 1)}, {64, 64}},  // in order
      {{1200, 800}, {{Kind::blur, Kernel::lanczos2, 0, 0, 3}}, {1200, 800}},
  };
  for (const auto& row : table)
    EXPECT_EQ(size_after(row.operations, row.before), row.after)
        << row.before.width << 'x' << row.before.height << " -> " << row.after.width << 'x'
        << row.after.height;
}

Bytes painted(int width, int height, auto colour) {
  Bytes rgb;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (const int channel : colour(x, y)) rgb.push_back(std::byte(channel));
  return rgb;
}

// What PyPI blurhash-python 1.2.2 says of the same pixels.
TEST(Blurhash, equals_the_reference) {
  const auto grey = [](int, int) { return std::array{128, 128, 128}; };
  const auto ramp = [](int x, int y) { return std::array{8 * x, 8 * y, 255 - 4 * (x + y)}; };
  const auto steep = [](int x, int y) { return std::array{8 * x, 7 * y, 255 - 4 * (x + y)}; };
  EXPECT_EQ(blurhash(painted(8, 8, grey), 8, 8), "L8Eyb[~qfQ~q~qt7fQt7fQfQfQfQ");
  EXPECT_EQ(blurhash(painted(32, 20, ramp), 32, 20), "LxH0T12fw#W?rPWZjuf9f,fRfQfR");
  EXPECT_EQ(blurhash(painted(20, 32, steep), 20, 32), "TiAejsG0sXhxakfRgNfkfQjLa~fR");
}

TEST(Blurhash, is_known_by_its_shape) {
  for (const int width : {1, 5, 32})
    for (const int height : {1, 7, 32}) {
      const Bytes ramp = painted(
          width, height, [](int x, int y) { return std::array{8 * x, 8 * y, 255 - 4 * (x + y)}; });
      EXPECT_TRUE(is_blurhash(blurhash(ramp, width, height))) << width << 'x' << height;
    }
  for (const std::string_view wrong :
       {"", "L", "L8Eyb[", "L8Eyb[~qfQ~q~qt7fQt7fQfQfQf", "L8Eyb[~qfQ~q~qt7fQt7fQfQfQf\"",
        "~8Eyb[~qfQ~q~qt7fQt7fQfQfQfQ"})
    EXPECT_FALSE(is_blurhash(wrong)) << wrong;
}

}  // namespace
}  // namespace portcullis::decoder

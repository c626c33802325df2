#include <gtest/gtest.h>

#include "hash/hash.h"
#include "hash/pdq_path.h"
#include "hash/pdq_steps.h"

namespace portcullis::hash {
namespace {

// Value of a channel at a place; whole numbers only, so that every language makes the same pixels.
using Pattern = int (*)(int x, int y, int channel, int width, int height);

int waves(int x, int y, int c, int, int) {
  return x * x / (40 + 10 * c) + y * (3 + c) + x * y / 97;
}
int boxes(int x, int y, int c, int, int) {
  return x / 23 * 37 + y / 31 * 101 + (x / 23) * (y / 31) * (59 + c);
}
int rings(int x, int y, int c, int w, int h) {
  return ((2 * x - w) * (2 * x - w) + (2 * y - h) * (2 * y - h) * (2 + c)) / 256;
}

struct Picture {
  int width, height;
  std::vector<std::uint8_t> rgb;

  static Picture of(Pattern pattern, int width, int height) {
    Picture picture{width, height, {}};
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (int c = 0; c < 3; ++c)
          picture.rgb.push_back(static_cast<std::uint8_t>(pattern(x, y, c, width, height) % 256));
    return picture;
  }
  // `from` says which place of this picture lands at (x, y) of a new one.
  template <class From>
  Picture moved(int new_width, int new_height, From from) const {
    Picture picture{new_width, new_height, {}};
    for (int y = 0; y < new_height; ++y)
      for (int x = 0; x < new_width; ++x) {
        const auto [old_x, old_y] = from(x, y);
        for (int c = 0; c < 3; ++c)
          picture.rgb.push_back(rgb[static_cast<std::size_t>((old_y * width + old_x) * 3 + c)]);
      }
    return picture;
  }
  Dihedral hashed() const { return pdq_dihedral(rgb, width, height); }
};

// Recorded from pdqhash 0.2.8, compute_dihedral().
TEST(Pdq, gives_the_hashes_of_the_reference) {
  const struct {
    Pattern pattern;
    int width, height, quality;
    std::array<const char*, 8> hashes;
  } cases[] = {
      {waves,
       200,
       300,
       100,
       {"f2c72aee52c2b49fad8e6b1f597c93104c3c93f06c3093f06c30d3f0ec30d3f0",
        "99545954dc2accaa4ea0e755e550f0aaf8551daa42ffe9005e80617fdc00ebff",
        "b797804007d51e35f8dbc1b50c2939aa1969395a3965395a39653b5a3965fb5a",
        "cc15f3ff897fe6001bff4dffb0055a00ad00b70017aa43aa0bd5cbd5a955c155",
        "f2c7d51552c24b60ad8e94e0597c6cff4c3c6c0f6c30ec0f6c30ee0f6c30ee0f",
        "b7937fbf0795e1caf8db3e4a0c29c6551969c6a53965c6a53165c4a5316504a5",
        "9957a6afdc2ab3554eaa18aae5550f55f855e25542ff17ff5e80de80fc009400",
        "cc010c01897f99ff1bffb200b005a5ffad0068ff17aabc550bd5b42a8955beaa"}},
      {boxes,
       512,
       511,
       100,
       {"8cbe1cc693e5bbfff970e8ba070990959102e447f4cb304a07f4d5487f41e7c4",
        "bde5f3981c33b749dc023db4320bc776f5298780bc0862f796140eb6d4f0cc9d",
        "d9ebb6eed6b08155ac054210535c3a3fc4576eeda5969ae052a17be22b144d6e",
        "f8b0593249661de38957971e675e6dd8e07c2d2ae95dc85dc341a41cc1a56637",
        "8cbee3bb83e5d400f970174506097f6a91023bb8f0c3cfb507f42eb77e41183b",
        "d9eb4993d6b0feaaac25bdef535cd5c0c4579112a596651f52a1851d2b14b291",
        "bde50c671c7379b6dc02c26f320b3a8ff529787fbc089d089634f149d4f03362",
        "f8b0a6cd4966e31c895768e1675e9227e07cd2d5e15d37a2c3415be3c1a599c8"}},
      {rings,
       129,
       257,
       100,
       {"0545e8598445ffd9a6a1beea6601aa686415ee79e66e7659beaae5798005a179",
        "7d6fad0b5ffdeba7554841031f782ffa1c080a8a0d6daf2a557d5f5d04280528",
        "511042f3d5105533f7f41440335400c2315044d3f37fdcf3ffff4fd3d5500bd3",
        "283a57e50aa8555d001dffed4a2dd554495df570583805c10028f5f7517dbfd7",
        "054557e684455567a6a15555660155d7641555d7e66e99e7beaa5f8780055e97",
        "5010bc0cd110aa8cf3f4ebbf3354ff3d3140ab2cb33b230cebffb02cd550f42c",
        "7d6f52f45ffd14185548befc1f7890051c08f5750d6d50d5557da0a20428fad7",
        "283af87e0aa8beba001d3c5e4a2dbaaf495d4fff5838faff00280a28517d507d"}},
      {rings,
       300,
       5,
       100,
       {"911210126eed6eed6eed6eed6eed901290129112911210126eed6eed6eed6eed",
        "c1e0c1f03e0f3e0f3e0fc1f03e0f3c0f3e0fc1f03e0f3e0f3e0fc1f0c1f0c1f0",
        "c4471bb83bb8c4473bb8c4473ab83bb8c4473bb8c4473bb83bb8c4473bb8c447",
        "94a56b5a2b4a94a52b5a6b5a6b5a94256b5a6b5a6b5a94a56b5a6b5a94a52b4a",
        "911246ec6eed91126eed91126eed6eed90126eed91124eec6eed91126eed9112",
        "c447c4473bb83bb83bb83bb83ab8c447c447c447c44744473bb83bb83bb83bb8",
        "81e03e0f3e0fc1f03e0f3e0f3e0f80603e0f3e0f3e0fc1f03e0f3e0fc1f03e0f",
        "94a594a52b5a6b5a6b5a94a56b5a695a6b5a94a56b5a6b5a6b5a94a594a594a5"}},
  };
  for (const auto& c : cases) {
    const Dihedral got = Picture::of(c.pattern, c.width, c.height).hashed();
    EXPECT_EQ(got.quality, c.quality);
    for (std::size_t i = 0; i < c.hashes.size(); ++i)
      EXPECT_EQ(to_hex(got.pdq[i]), c.hashes[i])
          << c.width << "x" << c.height << ", orientation " << i;
  }
}

TEST(Pdq, knows_a_turned_or_mirrored_picture_by_the_orientation_of_that_name) {
  using At = std::pair<int, int>;
  const int w = 320, h = 240;
  const Picture picture = Picture::of(boxes, w, h);
  const Dihedral eight = picture.hashed();
  const struct {
    std::size_t orientation;
    Picture moved;
  } cases[] = {
      {0, picture},
      {1, picture.moved(h, w, [](int x, int y) { return At{w - 1 - y, x}; })},
      {2, picture.moved(w, h, [](int x, int y) { return At{w - 1 - x, h - 1 - y}; })},
      {3, picture.moved(h, w, [](int x, int y) { return At{y, h - 1 - x}; })},
      {4, picture.moved(w, h, [](int x, int y) { return At{x, h - 1 - y}; })},
      {5, picture.moved(w, h, [](int x, int y) { return At{w - 1 - x, y}; })},
      {6, picture.moved(h, w, [](int x, int y) { return At{y, x}; })},
      {7, picture.moved(h, w, [](int x, int y) { return At{w - 1 - y, h - 1 - x}; })},
  };
  for (const auto& c : cases)
    for (std::size_t i = 0; i < 8; ++i) {
      const int bits = distance(c.moved.hashed().pdq[0], eight.pdq[i]);
      EXPECT_EQ(bits <= 31, i == c.orientation)
          << c.orientation << " against " << i << ": " << bits;
    }
}

// What the steps of the algorithm depend on: sizes on both sides of each step of the box and of
// each strip of rows, and pictures from flat to noise.
TEST(Pdq, is_the_same_on_every_path) {
  const auto noise = [](int x, int y, int c, int w, int h) {
    auto mixed = static_cast<unsigned>(x) * 73856093u ^ static_cast<unsigned>(y) * 19349663u ^
                 static_cast<unsigned>(c) * 83492791u ^ static_cast<unsigned>(w * h);
    mixed = (mixed ^ mixed >> 13) * 0x5bd1e995;
    return static_cast<int>(mixed >> 24);
  };
  const struct {
    const char* name;
    Pattern pattern;
  } patterns[] = {
      {"noise", noise},
      {"waves", waves},
      {"boxes", boxes},
      {"rings", rings},
      {"gradient",
       [](int x, int y, int c, int w, int h) { return (x * 255 / w + y * c * 255 / h) / 3; }},
      {"blocks",
       [](int x, int y, int c, int, int) { return (x / 8 * 31 + y / 8 * 17 * (c + 1)) * 5; }},
      {"stripes", [](int x, int, int, int, int) { return x % 2 * 255; }},
      {"chequers", [](int x, int y, int, int, int) { return (x / 4 + y / 4) % 2 * 255; }},
      {"flat", [](int, int, int c, int, int) { return 200 + c; }},
  };
  const std::pair<int, int> sizes[] = {{5, 5},     {5, 512},   {512, 5},   {6, 7},     {15, 17},
                                       {16, 16},   {17, 15},   {31, 33},   {64, 64},   {63, 65},
                                       {127, 128}, {128, 129}, {129, 127}, {255, 257}, {256, 255},
                                       {385, 383}, {512, 511}};
  int others = 0;
  for (const PdqPath path : kPdqPaths) {
    if (path == PdqPath::portable || !can_take(path)) continue;
    ++others;
    for (const auto& [name_of_pattern, pattern] : patterns)
      for (const auto& [width, height] : sizes) {
        const Picture picture = Picture::of(pattern, width, height);
        EXPECT_EQ(pdq_dihedral(picture.rgb, width, height, path),
                  pdq_dihedral(picture.rgb, width, height, PdqPath::portable))
            << name(path) << ", " << name_of_pattern << ", " << width << "x" << height;
      }
  }
  EXPECT_TRUE(can_take(best_pdq_path()));
  if (others == 0) GTEST_SKIP() << "this processor has no other path";
}

// The luma of whole numbers is the one of floating point with double precision, rounded once.
TEST(Pdq, sees_every_colour_as_the_reference_does) {
  int wrong = 0;
  for (int red = 0; red < 256; ++red)
    for (int green = 0; green < 256; ++green)
      for (int blue = 0; blue < 256; ++blue)
        wrong += pdq::luma(red, green, blue) !=
                 static_cast<float>(0.299 * red + 0.587 * green + 0.114 * blue);
  EXPECT_EQ(wrong, 0);
}

TEST(Pdq, has_no_hash_for_tiny_pictures_and_no_quality_for_flat_ones) {
  for (const auto& [width, height] : {std::pair{4, 200}, {200, 4}, {1, 1}, {0, 0}})
    EXPECT_EQ(Picture::of(waves, width, height).hashed(), Dihedral{}) << width << "x" << height;
  EXPECT_EQ(Picture::of([](int, int, int, int, int) { return 77; }, 100, 100).hashed().quality, 0);
  EXPECT_LT(Picture::of([](int x, int, int, int, int) { return x / 4; }, 400, 400).hashed().quality,
            kMinQuality);
}

TEST(Pdq, wants_pictures_beyond_512_as_512_by_512) {
  const struct {
    Size from, to;
  } cases[] = {{{512, 512}, {512, 512}},
               {{513, 10}, {512, 512}},
               {{10, 513}, {512, 512}},
               {{5, 512}, {5, 512}}};
  for (const auto& c : cases) {
    const Size got = pdq_input_size(c.from.width, c.from.height);
    EXPECT_EQ(std::pair(got.width, got.height), std::pair(c.to.width, c.to.height));
  }
}

TEST(PdqHash, is_written_highest_bit_first) {
  PdqHash hash;
  hash.words = {1, 0, 0, 0x8000000000000000};
  EXPECT_EQ(to_hex(hash), "8" + std::string(62, '0') + "1");
  EXPECT_EQ(pdq_from_hex(to_hex(hash)), hash);
  const std::string mixed = "0123456789abcdefABCDEF0123456789fedcba9876543210FEDCBA9876543210";
  EXPECT_EQ(to_hex(pdq_from_hex(mixed).value()), ascii_lower(mixed));
}

TEST(PdqHash, is_read_from_64_digits_only) {
  for (const std::string& text :
       {std::string(), std::string(63, '0'), std::string(65, '0'), std::string(62, '0'),
        std::string(63, '0') + "g", std::string(63, '0') + " "})
    EXPECT_FALSE(pdq_from_hex(text)) << text;
}

TEST(PdqHash, distance_counts_the_bits_that_differ) {
  const PdqHash nothing{}, all{{~0ull, ~0ull, ~0ull, ~0ull}}, some{{1, 2, 4, 0xf0}};
  EXPECT_EQ(distance(nothing, nothing), 0);
  EXPECT_EQ(distance(nothing, all), 256);
  EXPECT_EQ(distance(nothing, some), 7);
  EXPECT_EQ(distance(some, all), 249);
}

}  // namespace
}  // namespace portcullis::hash

#include "decoder/containers.h"

#include <gtest/gtest.h>

namespace portcullis::decoder {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kGifHead =
    "GIF89a\x01\0\x01\0\x80\0\0\xFF\xFF\xFF\0\0\0"sv;  // a table of two colours
constexpr std::string_view kGifFrame = "\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"sv;
constexpr std::string_view kGifDelay = "\x21\xF9\x04\0\x08\0\0\0"sv;

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

TEST(Gif, is_whole_when_its_blocks_lead_to_the_trailer) {
  const struct {
    const char* name;
    std::string bytes;
    bool whole;
    std::uint32_t frames;
  } cases[] = {
      {"one frame", joined({kGifHead, kGifFrame, ";"}), true, 1},
      {"two frames with delays",
       joined({kGifHead, kGifDelay, kGifFrame, kGifDelay, kGifFrame, ";"}), true, 2},
      {"bytes after the end", joined({kGifHead, kGifFrame, ";PK\x03\x04"}), true, 1},
      {"no trailer", joined({kGifHead, kGifFrame}), false, 1},
      {"cut in a block", joined({kGifHead, kGifFrame.substr(0, 12)}), false, 1},
      {"cut in a descriptor", joined({kGifHead, kGifFrame.substr(0, 5)}), false, 0},
      {"unknown block", joined({kGifHead, "x;"}), false, 0},
      {"head alone", std::string(kGifHead), false, 0},
      {"nothing", "", false, 0},
  };
  for (const auto& c : cases) {
    const GifBlocks found = walk_gif(as_bytes(c.bytes));
    EXPECT_EQ(found.whole, c.whole) << c.name;
    EXPECT_EQ(found.frames, c.frames) << c.name;
  }
}

TEST(Png, is_animated_when_a_control_chunk_comes_before_the_pixels) {
  constexpr auto kSignature = "\x89PNG\r\n\x1A\n"sv, kHeader = "\0\0\0\x04IHDRxxxxCRC!"sv,
                 kControl =
                     "\0\0\0\x08"
                     "acTLxxxxxxxxCRC!"sv,
                 kPixels = "\0\0\0\x01IDATxCRC!"sv, kHuge = "\xFF\xFF\xFF\xFFtEXtxxxxCRC!"sv;
  EXPECT_TRUE(is_animated_png(as_bytes(joined({kSignature, kHeader, kControl, kPixels}))));
  EXPECT_FALSE(is_animated_png(as_bytes(joined({kSignature, kHeader, kPixels, kControl}))));
  EXPECT_FALSE(is_animated_png(as_bytes(joined({kSignature, kHeader}))));
  EXPECT_FALSE(is_animated_png(as_bytes(joined({kSignature, kHuge, kControl}))));
  EXPECT_FALSE(is_animated_png({}));
}

TEST(Jpeg, is_progressive_by_its_first_frame_header) {
  constexpr auto kStart = "\xFF\xD8"sv, kInfo = "\xFF\xE0\0\x04JF"sv,
                 kBaseline = "\xFF\xC0\0\x02"sv, kProgressive = "\xFF\xC2\0\x02"sv;
  EXPECT_TRUE(is_progressive_jpeg(as_bytes(joined({kStart, kInfo, kProgressive}))));
  EXPECT_FALSE(is_progressive_jpeg(as_bytes(joined({kStart, kInfo, kBaseline, kProgressive}))));
  EXPECT_FALSE(is_progressive_jpeg(as_bytes(joined({kStart, "\xFF\xE0\xFF\xFFx"sv}))));
  EXPECT_FALSE(is_progressive_jpeg({}));
}

TEST(Webp, is_lossless_by_its_picture_chunk) {
  EXPECT_TRUE(is_lossless_webp(as_bytes("RIFF\0\0\0\0WEBPVP8L\x01\0\0\0x\0"sv)));
  EXPECT_FALSE(is_lossless_webp(as_bytes("RIFF\0\0\0\0WEBPVP8 \x01\0\0\0x\0"sv)));
  EXPECT_TRUE(is_lossless_webp(as_bytes("RIFF\0\0\0\0WEBPVP8X\x01\0\0\0x\0VP8L\0\0\0\0"sv)));
  EXPECT_FALSE(is_lossless_webp(as_bytes("RIFF\0\0\0\0WEBPVP8X\xFF\xFF\xFF\xFFxVP8L"sv)));
}

}  // namespace
}  // namespace portcullis::decoder

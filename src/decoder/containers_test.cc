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

// A box of ISO base media.
std::string box(std::string_view kind, std::string_view content) {
  const auto size = static_cast<std::uint32_t>(content.size() + 8);
  std::string text;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) text += static_cast<char>(size >> shift);
  return joined({text, kind, content});
}
// An entry of "iinf" in its second version: flags, number, protection, kind, no name.
std::string item(std::string_view kind) {
  return box("infe", joined({"\2\0\0\0\0\1\0\0"sv, kind, "\0"sv}));
}
// The parts of an AVIF that say what is in it.
std::string avif_of(std::string_view items) {
  return joined({box("ftyp", "avif\0\0\0\0avifmif1miaf"sv),
                 box("meta", joined({"\0\0\0\0"sv, box("hdlr", "pict"),
                                     box("iinf", joined({"\0\0\0\0\0\1"sv, items}))})),
                 box("mdat", "coded")});
}

TEST(Avif, holds_only_av1_when_every_item_says_so) {
  const std::string av1 = avif_of(item("av01"));
  const struct {
    const char* name;
    std::string bytes;
    bool is_taken;
  } cases[] = {
      {"one picture", av1, true},
      {"in tiles, with metadata",
       avif_of(joined({item("av01"), item("grid"), item("Exif"), item("mime")})), true},
      {"entries of the third version", avif_of(box("infe", "\3\0\0\0\0\0\0\1\0\0av01\0"sv)), true},
      {"cut in its coded data", av1.substr(0, av1.size() - 2), true},
      {"a box to the end of the file", joined({av1, "\0\0\0\0free and more"sv}), true},
      {"HEVC", avif_of(item("hvc1")), false},
      {"HEVC beside AV1", avif_of(joined({item("av01"), item("hvc1")})), false},
      {"HEVC with parameters in band", avif_of(item("hev1")), false},
      {"JPEG", avif_of(item("jpeg")), false},
      {"a kind that is none", avif_of(item("\0\0\0\0"sv)), false},
      {"a second description with HEVC", joined({av1, avif_of(item("hvc1"))}), false},
      {"entries that cannot say what they are", avif_of(box("infe", "\1\0\0\0\0\1\0\0av01\0"sv)),
       false},
      {"something else among the entries", avif_of(joined({item("av01"), box("free", "")})), false},
      {"an entry that is too long", avif_of(joined({"\0\0\1\0infe"sv, item("av01")})), false},
      {"no entries", joined({box("ftyp", "avif"), box("meta", "\0\0\0\0"sv)}), false},
      {"cut in its description", av1.substr(0, 60), false},
      {"nothing", "", false},
  };
  for (const auto& c : cases) EXPECT_EQ(holds_only_av1(as_bytes(c.bytes)), c.is_taken) << c.name;
}

}  // namespace
}  // namespace portcullis::decoder

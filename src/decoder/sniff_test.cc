#include "decoder/sniff.h"

#include <gtest/gtest.h>

namespace portcullis::decoder {
namespace {

using namespace std::string_view_literals;

TEST(Sniff, knows_formats_by_their_first_bytes_and_no_others) {
  const struct {
    const char* name;
    std::string_view head;
    std::optional<Format> want;
  } cases[] = {
      {"jpeg", "\xFF\xD8\xFF\xE0"sv, Format::jpeg},
      {"png", "\x89PNG\r\n\x1A\n"sv, Format::png},
      {"gif 87", "GIF87a"sv, Format::gif},
      {"gif 89", "GIF89a"sv, Format::gif},
      {"webp", "RIFF\x10\0\0\0WEBPVP8X"sv, Format::webp},
      {"jxl codestream", "\xFF\x0A\x00"sv, Format::jxl},
      {"jxl container", "\0\0\0\x0CJXL \r\n\x87\n"sv, Format::jxl},
      {"avif",
       "\0\0\0\x1C"
       "ftypavif\0\0\0\0avifmif1miaf"sv,
       Format::avif},
      {"avif by a later brand",
       "\0\0\0\x1C"
       "ftypmif1\0\0\0\0mif1avifmiaf"sv,
       Format::avif},
      {"animated avif",
       "\0\0\0\x1C"
       "ftypavis\0\0\0\0avifavismsf1"sv,
       std::nullopt},
      {"animated avif by a later brand",
       "\0\0\0\x1C"
       "ftypavif\0\0\0\0avifavismiaf"sv,
       std::nullopt},
      {"heic",
       "\0\0\0\x18"
       "ftypheic\0\0\0\0mif1heic"sv,
       std::nullopt},
      {"mp4",
       "\0\0\0\x18"
       "ftypisom\0\0\0\0isomavc1"sv,
       Format::mp4},
      {"quicktime",
       "\0\0\0\x14"
       "ftypqt  \0\0\0\0qt  "sv,
       Format::mp4},
      {"mp4 that is heic as well",
       "\0\0\0\x18"
       "ftypisom\0\0\0\0heicmp42"sv,
       std::nullopt},
      {"sound alone",
       "\0\0\0\x14"
       "ftypM4A \0\0\0\0M4A "sv,
       std::nullopt},
      {"webm", "\x1A\x45\xDF\xA3\x87\x42\x82\x84webm"sv, Format::webm},
      {"webm whose lengths are long",
       "\x1A\x45\xDF\xA3\x01\0\0\0\0\0\0\x0E\x42\x82\x01\0\0\0\0\0\0\x04webm"sv, Format::webm},
      {"matroska", "\x1A\x45\xDF\xA3\x8B\x42\x82\x88matroska"sv, std::nullopt},
      {"wave", "RIFF\x10\0\0\0WAVEfmt "sv, std::nullopt},
      {"bmp", "BM\x36\0"sv, std::nullopt},
      {"svg", "<svg "sv, std::nullopt},
      {"empty", ""sv, std::nullopt},
      {"one byte", "\xFF"sv, std::nullopt},
      {"half a png", "\x89PN"sv, std::nullopt},
      {"ftyp that is too small",
       "\0\0\0\x08"
       "ftypavif\0\0\0\0"sv,
       std::nullopt},
  };
  for (const auto& c : cases) EXPECT_EQ(sniff(as_bytes(c.head)), c.want) << c.name;
}

TEST(Formats, have_names_that_read_back) {
  for (std::size_t i = 0; i < kFormats; ++i) {
    const auto format = static_cast<Format>(i);
    EXPECT_EQ(format_from(name(format)), format);
    EXPECT_EQ(extension(format), "." + std::string(name(format)));
    EXPECT_EQ(content_type(format),
              (is_video(format) ? "video/" : "image/") + std::string(name(format)));
  }
  EXPECT_FALSE(format_from("bmp"));
}

}  // namespace
}  // namespace portcullis::decoder

#include "decoder/coded_video.h"

#include <gtest/gtest.h>

namespace portcullis::decoder {
namespace {

using namespace std::string_view_literals;

Bytes bytes_of(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

const H264Sets kSets{4, {bytes_of("\x67\x64\x00\x0A\x01"sv)}, {bytes_of("\x68\x01"sv)}};

TEST(H264, sets_are_read_and_written_without_what_stands_behind_them) {
  const std::string_view avcc =
      "\x01\x64\x00\x0A\xFD\xE1\x00\x05\x67\x64\x00\x0A\x01\x01\x00\x02\x68\x01"sv;
  const auto sets = read_avcc(as_bytes(std::string(avcc) + "more"));
  ASSERT_TRUE(sets) << sets.error().what;
  EXPECT_EQ(sets->length_size, 2u);
  EXPECT_EQ(sets->sequence, kSets.sequence);
  EXPECT_EQ(sets->picture, kSets.picture);
  Bytes wanted = bytes_of(avcc);
  wanted[4] = std::byte{0xFF};
  EXPECT_EQ(write_avcc(*sets), wanted);
  for (std::size_t cut = 0; cut < avcc.size(); ++cut)
    EXPECT_FALSE(read_avcc(as_bytes(avcc.substr(0, cut)))) << cut;
}

TEST(H264, a_sample_keeps_its_slices_alone) {
  const struct {
    const char* name;
    std::string_view sample;
    std::optional<std::string_view> want;
  } cases[] = {
      {"a slice", "\0\0\0\2\x65\x88"sv, "\0\0\0\2\x65\x88"sv},
      {"a message to the user", "\0\0\0\3\x06\x05x\0\0\0\2\x41\x88"sv, "\0\0\0\2\x41\x88"sv},
      {"padding and a divider", "\0\0\0\2\x0C\xFF\0\0\0\2\x09\x10\0\0\0\1\x61"sv, "\0\0\0\1\x61"sv},
      {"zeros at the end", "\0\0\0\4\x65\x88\0\0"sv, "\0\0\0\2\x65\x88"sv},
      {"the track's own sets", "\0\0\0\5\x67\x64\x00\x0A\x01\0\0\0\2\x68\x01\0\0\0\1\x65"sv,
       "\0\0\0\1\x65"sv},
      {"other sets", "\0\0\0\5\x67\x64\x00\x0B\x01\0\0\0\1\x65"sv, std::nullopt},
      {"no slice", "\0\0\0\2\x09\x10"sv, std::nullopt},
      {"partitions", "\0\0\0\2\x42\x10\0\0\0\1\x65"sv, std::nullopt},
      {"a start code inside", "\0\0\0\6\x65\0\0\1\x65\1"sv, std::nullopt},
      {"a length beyond the end", "\0\0\0\3\x65\x88"sv, std::nullopt},
      {"half a length", "\0\0\0\1\x65\0\0"sv, std::nullopt},
      {"empty", ""sv, std::nullopt},
  };
  for (const auto& c : cases) {
    const auto clean = clean_h264(as_bytes(c.sample), kSets);
    EXPECT_EQ(clean.has_value(), c.want.has_value()) << c.name;
    if (clean && c.want) EXPECT_EQ(as_text(*clean), *c.want) << c.name;
  }
}

TEST(Av1, a_unit_keeps_headers_and_tiles_alone) {
  const struct {
    const char* name;
    std::string_view unit;
    std::optional<std::string_view> want;
  } cases[] = {
      {"a frame", "\x32\x02xy"sv, "\x32\x02xy"sv},
      {"a divider, metadata, padding", "\x12\x00\x2A\x03sec\x32\x01x\x7A\x02pp"sv, "\x32\x01x"sv},
      {"without a size", "\x0A\x01s\x30xyz"sv, "\x0A\x01s\x32\x03xyz"sv},
      {"a temporal layer", "\x36\x20\x01x"sv, "\x36\x20\x01x"sv},
      {"a spatial layer", "\x36\x08\x01x"sv, std::nullopt},
      {"a list of tiles", "\x42\x01x"sv, std::nullopt},
      {"nothing to show", "\x2A\x03sec"sv, std::nullopt},
      {"a size beyond the end", "\x32\x05xy"sv, std::nullopt},
      {"a size without an end", "\x32\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"sv, std::nullopt},
      {"a forbidden bit", "\xB2\x02xy"sv, std::nullopt},
  };
  for (const auto& c : cases) {
    const auto clean = clean_av1(as_bytes(c.unit));
    EXPECT_EQ(clean.has_value(), c.want.has_value()) << c.name;
    if (clean && c.want) EXPECT_EQ(as_text(*clean), *c.want) << c.name;
  }
  EXPECT_EQ(as_text(*clean_av1c(as_bytes("\x81\x00\x0C\x00\x0A\x01s\x2A\x03sec"sv))),
            "\x81\x00\x0C\x00\x0A\x01s"sv);
  EXPECT_FALSE(clean_av1c(as_bytes("\x81\x00"sv)));
}

TEST(Vorbis, headers_lose_their_comment) {
  const std::string identification(30, 'i');
  const auto clean =
      clean_vorbis_headers(as_bytes("\x02\x1E\x06" + identification + "SECRETsetup"));
  ASSERT_TRUE(clean) << clean.error().what;
  EXPECT_EQ(as_text(*clean).find("SECRET"), std::string_view::npos);
  EXPECT_TRUE(as_text(*clean).ends_with("setup"));
  EXPECT_EQ(*clean_vorbis_headers(*clean), *clean);
  for (const std::string_view bad : {""sv, "\x02"sv, "\x02\x1E\xFF\xFF"sv, "\x01\x1E\x06"sv})
    EXPECT_FALSE(clean_vorbis_headers(as_bytes(bad)));
}

}  // namespace
}  // namespace portcullis::decoder

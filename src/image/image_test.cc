#include "image/image.h"

#include <gtest/gtest.h>

namespace portcullis::image {
namespace {

Seen picture(std::uint32_t width, std::uint32_t height, std::uint32_t frames = 1,
             Format format = Format::png) {
  Seen seen{format, width, height, frames, {}, {format, width / 2 + 1, height, 1, "L8Eyb["}};
  hash::Dihedral print;
  for (std::size_t i = 0; i < print.pdq.size(); ++i)
    print.pdq[i].words[i % 4] = 0x0123456789abcdefull + i;
  print.quality = 77;
  seen.fingerprints.push_back(print);
  return seen;
}

const Rules kRules{{Format::png, Format::gif, Format::webm},
                   {100, 200, 10'000, 5'000, 1},
                   {50, 60, 2'000, 4'000, 10},
                   {30, 40, 1'200, 3'000, 90}};

TEST(Seen, is_the_same_after_it_was_remembered) {
  const Seen before = picture(3, 4, 5, Format::gif);
  const auto after = seen_from_json(to_json(before));
  ASSERT_TRUE(after) << after.error().what;
  EXPECT_EQ(*after, before);
}

TEST(Seen, is_an_error_and_never_a_guess_when_the_record_is_damaged) {
  const std::string good = to_json(picture(3, 4));
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    EXPECT_FALSE(seen_from_json(good.substr(0, cut))) << cut;
  for (const char* bad :
       {"{}", "[]", R"({"format":"bmp","width":1,"height":1,"frames":1,"fingerprints":[]})",
        R"({"format":"png","width":1,"height":1,"frames":1,"fingerprints":[]})",
        R"({"format":"png","width":-1,"height":1,"frames":1,"fingerprints":[]})"})
    EXPECT_FALSE(seen_from_json(bad)) << bad;
}

TEST(Rules, refuse_with_the_word_that_clients_know) {
  const struct {
    const char* name;
    Seen seen;
    std::uint64_t size;
    const char* code;  // empty: taken
  } cases[] = {
      {"fits", picture(100, 100), 5'000, ""},
      {"too wide", picture(101, 1), 1, "validate-width"},
      {"too high", picture(1, 201), 1, "validate-height"},
      {"too much area", picture(100, 101), 1, "validate-area"},
      {"file too large", picture(1, 1), 5'001, "validate-file-size"},
      {"format off", picture(1, 1, 1, Format::jpeg), 1, "media-disallowed"},
      {"animation fits", picture(40, 50, 10, Format::gif), 4'000, ""},
      {"animation has its own width", picture(51, 1, 2, Format::gif), 1, "validate-width"},
      {"too many frames", picture(1, 1, 11, Format::gif), 1, "validate-frames"},
      {"video fits", picture(30, 40, 90, Format::webm), 1, ""},
      {"video has its own width", picture(31, 1, 1, Format::webm), 1, "validate-width"},
      {"video of too many frames", picture(1, 1, 91, Format::webm), 1, "validate-frames"},
  };
  for (const auto& c : cases) {
    const Status status = within(kRules, c.seen, c.size);
    EXPECT_EQ(status ? "" : status.error().code, c.code) << c.name;
  }
}

TEST(Job, allows_only_the_formats_of_the_rules) {
  const decoder::Job made = job(kRules, 7, 99, {{256, 256, 224, 224}});
  EXPECT_EQ(made.formats, (1u << unsigned(Format::png)) | (1u << unsigned(Format::gif)) |
                              (1u << unsigned(Format::webm)));
  EXPECT_EQ(made.video.max_frames, 90u);
  EXPECT_FALSE(made.allow_audio);
  EXPECT_EQ(made.fd, 7);
  EXPECT_EQ(made.size, 99u);
  EXPECT_EQ(made.views.size(), 1u);
  EXPECT_TRUE(made.want_rendition);
}

TEST(Formats, are_taken_by_name_and_a_wrong_name_is_said) {
  EXPECT_EQ(formats_from({"jpeg", "jxl"}), (std::vector{Format::jpeg, Format::jxl}));
  const auto wrong = formats_from({"jpeg", "bmp"});
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().what.find("bmp"), std::string::npos);
}

}  // namespace
}  // namespace portcullis::image

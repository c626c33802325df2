#include <gmock/gmock.h>

#include "image/image.h"

namespace portcullis::image {
namespace {

using decoder::Kernel;
using decoder::Operation;
using Kind = Operation::Kind;

const std::vector<std::string> kAll{"blur", "crop", "identity", "resize", "thumbnail"};

TEST(Variant, is_named_as_pict_rs_names_it) {
  const struct {
    const char* extension;
    Parameters parameters;
    const char* key;
    std::vector<Operation> operations;
  } table[] = {
      {"webp", {}, "webp", {}},
      {"jpg", {}, "jpeg", {}},
      {"jpeg", {{"identity", "true"}}, "jpeg", {}},
      {"webp",
       {{"thumbnail", "96"}},
       "thumbnail/96/webp",
       {{Kind::fit, Kernel::lanczos3, 96, 0, 0}}},
      {"png", {{"resize", "300"}}, "resize/300/png", {{Kind::fit, Kernel::lanczos2, 300, 0, 0}}},
      {"png",
       {{"resize", "lanczos.300"}},
       "resize/lanczos.300/png",
       {{Kind::fit, Kernel::lanczos3, 300, 0, 0}}},
      {"png",
       {{"resize", "MITCHELL.300"}},
       "resize/MITCHELL.300/png",
       {{Kind::fit, Kernel::mitchell, 300, 0, 0}}},
      {"png",
       {{"resize", "Foo.100"}},
       "resize/Foo.100/png",
       {{Kind::fit, Kernel::lanczos2, 100, 0, 0}}},
      {"png",
       {{"resize", ".a10000"}},
       "resize/.a10000/png",
       {{Kind::fit_area, Kernel::lanczos2, 10'000, 0, 0}}},
      {"avif",
       {{"crop", "16x9"}, {"blur", "2.5"}},
       "crop/16x9/blur/2.5/avif",
       {{Kind::crop, {}, 16, 9, 0}, {Kind::blur, {}, 0, 0, 2.5F}}},
      {"webp",
       {{"src", "a.png"}, {"nonsense", "1"}, {"thumbnail", "8"}},
       "thumbnail/8/webp",
       {{Kind::fit, Kernel::lanczos3, 8, 0, 0}}},
  };
  for (const auto& row : table) {
    const auto variant = variant_from(row.extension, row.parameters, kAll);
    ASSERT_TRUE(variant) << row.key << ": " << variant.error().what;
    EXPECT_EQ(variant->key, row.key);
    EXPECT_EQ(variant->rendering.operations, row.operations) << row.key;
  }
}

TEST(Variant, leaves_out_what_the_site_does_not_offer) {
  const auto variant = variant_from("webp", {{"blur", "3"}, {"resize", "9"}}, {"resize"});
  ASSERT_TRUE(variant);
  EXPECT_EQ(variant->key, "resize/9/webp");
}

TEST(Variant, that_cannot_be_is_refused_with_the_word_that_clients_know) {
  const struct {
    const char* extension;
    const char* key;
    const char* value;
    const char* code;
  } table[] = {
      {"bmp", "resize", "1", "invalid-file-extension"},
      {"", "resize", "1", "invalid-file-extension"},
      {"mp4", "resize", "1", "invalid-file-extension"},
      {"WEBP", "resize", "1", "invalid-file-extension"},
      {"../webp", "resize", "1", "invalid-file-extension"},
      {"webp", "resize", "0", "invalid-process-path"},
      {"webp", "resize", "-1", "invalid-process-path"},
      {"webp", "resize", "+1", "invalid-process-path"},
      {"webp", "resize", " 1", "invalid-process-path"},
      {"webp", "resize", "1 ", "invalid-process-path"},
      {"webp", "resize", "", "invalid-process-path"},
      {"webp", "resize", "a10", "invalid-process-path"},
      {"webp", "resize", ".a0", "invalid-process-path"},
      {"webp", "resize", ".a", "invalid-process-path"},
      {"webp", "resize", "1.2.3", "invalid-process-path"},
      {"webp", "resize", "4294967296", "invalid-process-path"},
      {"webp", "thumbnail", "99999999999999999999", "invalid-process-path"},
      {"webp", "thumbnail", "1e3", "invalid-process-path"},
      {"webp", "crop", "16", "invalid-process-path"},
      {"webp", "crop", "0x1", "invalid-process-path"},
      {"webp", "crop", "21x1", "invalid-process-path"},
      {"webp", "crop", "1x2x3", "invalid-process-path"},
      {"webp", "blur", "NaN", "invalid-process-path"},
      {"webp", "blur", "inf", "invalid-process-path"},
      {"webp", "blur", "-1", "invalid-process-path"},
      {"webp", "blur", "101", "invalid-process-path"},
      {"webp", "blur", "1e99", "invalid-process-path"},
  };
  for (const auto& row : table) {
    const auto variant = variant_from(row.extension, {{row.key, row.value}}, kAll);
    ASSERT_FALSE(variant) << row.key << '=' << row.value;
    EXPECT_EQ(variant.error().code, row.code) << row.key << '=' << row.value;
    EXPECT_EQ(variant.error().fault, Fault::client);
  }
  EXPECT_FALSE(variant_from("webp", Parameters(9, {"blur", "1"}), kAll));
}

TEST(Wishes, narrow_the_rules_and_never_widen_them) {
  const Rules rules{{Format::png}, {100, 200, 10'000, 5'000, 1}, {50, 60, 2'000, 4'000, 10}};
  const auto wishes = wishes_from({{"max_width", "70"},
                                   {"max_height", "65535"},
                                   {"max_area", "3000"},
                                   {"max_frame_count", "5"},
                                   {"max_file_size", "1"},
                                   {"allow_animation", "false"},
                                   {"resize", "64"}});
  ASSERT_TRUE(wishes);
  const Rules narrow = narrowed(rules, *wishes);
  EXPECT_EQ(narrow.image.max_width, 70u);
  EXPECT_EQ(narrow.animation.max_width, 50u);
  EXPECT_EQ(narrow.image.max_height, 200u);
  EXPECT_EQ(narrow.image.max_area, 3'000u);
  EXPECT_EQ(narrow.animation.max_area, 2'000u);
  EXPECT_EQ(narrow.animation.max_frames, 5u);
  EXPECT_EQ(narrow.image.max_file_size, 5'000u);
  EXPECT_FALSE(narrow.allow_animation);
  EXPECT_TRUE(narrow.allow_image);
  ASSERT_TRUE(wishes->operations);
  EXPECT_EQ(wishes->operations->size(), 1u);
  EXPECT_FALSE(wishes_from({})->operations);
  EXPECT_TRUE(wishes_from({{"identity", "1"}})->operations);
}

TEST(Wishes, that_are_none_are_refused) {
  const struct {
    const char* key;
    const char* value;
    const char* code;
  } table[] = {
      {"max_width", "abc", "invalid-query"},
      {"max_width", "-1", "invalid-query"},
      {"max_width", "70000", "invalid-query"},
      {"max_height", "", "invalid-query"},
      {"max_area", "4294967296", "invalid-query"},
      {"max_file_size", "1.5", "invalid-query"},
      {"max_file_size", "18446744073709551615", "invalid-query"},
      {"allow_image", "maybe", "invalid-query"},
      {"allow_video", "1", "invalid-query"},
      {"nonsense", "1", "invalid-process-path"},
      {"thumbnail", "0", "invalid-process-path"},
  };
  for (const auto& row : table) {
    const auto wishes = wishes_from({{row.key, row.value}});
    ASSERT_FALSE(wishes) << row.key << '=' << row.value;
    EXPECT_EQ(wishes.error().code, row.code) << row.key << '=' << row.value;
  }
}

}  // namespace
}  // namespace portcullis::image

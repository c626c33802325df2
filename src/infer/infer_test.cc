#include "infer/infer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/fd.h"
#include "infer/parse_manifest.h"
#include "testing/temporary_folder.h"

namespace portcullis::infer {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kGood = R"(name = "m"
source = "a package"
licence = "MIT"
provenance = "known"
file = "m.onnx"
sha256 = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"
[input]
layout = "NCHW"
width = 2
height = 1
colour = "BGR"
mean = [1, 2.0, 3.0]
scale = [1.0, 0.5, 2.0]
resize = { width = 4, height = 3 }
[output]
labels = ["fine", "bad"]
sensitive = ["bad"]
[run]
precision = "bf16"
)";

std::string changed(std::string_view from, std::string_view to) {
  std::string text(kGood);
  const auto at = text.find(from);
  PORTCULLIS_CHECK(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST(Manifest, says_how_input_is_made_and_what_outputs_mean) {
  const auto manifest = parse_manifest(kGood, "model.toml");
  ASSERT_TRUE(manifest) << manifest.error().what;
  EXPECT_EQ(manifest->layout, Layout::nchw);
  EXPECT_EQ(manifest->colour, Colour::bgr);
  EXPECT_EQ(manifest->resize_width, 4);
  EXPECT_EQ(manifest->mean, (std::array<float, 3>{1, 2, 3}));
  EXPECT_EQ(manifest->labels, (std::vector<std::string>{"fine", "bad"}));
  EXPECT_EQ(manifest->precision, Precision::bf16);
}

TEST(Manifest, errors_say_where_and_what) {
  const struct {
    const char *from, *to, *where, *what;
  } cases[] = {
      {"name = \"m\"", "name = 3", "model.toml:1:", "in quotes"},
      {"licence = \"MIT\"\n", "", "model.toml:", "`licence` is missing"},
      {"\"m.onnx\"", "\"../m.onnx\"", "model.toml:5:", "own folder"},
      {"\"m.onnx\"", "\"/etc/passwd\"", "model.toml:5:", "own folder"},
      {"864bb", "xyz", "model.toml:6:", "64 hexadecimal digits"},
      {"\"NCHW\"", "\"CHW\"", "model.toml:8:", "\"NHWC\" or \"NCHW\""},
      {"width = 2", "width = 0", "model.toml:9:", "from 1 to"},
      {"width = 2", "width = 99999", "model.toml:9:", "from 1 to"},
      {"width = 2", "width = 5", "model.toml:14:", "smaller than the input"},
      {"[1, 2.0, 3.0]", "[1, 2.0]", "model.toml:12:", "three numbers"},
      {"[1, 2.0, 3.0]", "[1, nan, 3.0]", "model.toml:12:", "numbers"},
      {"[\"bad\"]", "[\"awful\"]", "model.toml:17:", "which is no label"},
      {"[\"fine\", \"bad\"]", "[\"bad\", \"bad\"]", "model.toml:16:", "twice"},
      {"\"bf16\"", "\"int8\"", "model.toml:19:", "\"f32\" or \"bf16\""},
      {"[run]", "[run]\nthreads = 3", "model.toml:19:", "`run.threads` is not known"},
      {"[output]", "[output", "model.toml:15:", ""},
  };
  for (const auto& c : cases) {
    const auto manifest = parse_manifest(changed(c.from, c.to), "model.toml");
    ASSERT_FALSE(manifest) << c.to;
    EXPECT_THAT(manifest.error().what, HasSubstr(c.where)) << c.to;
    EXPECT_THAT(manifest.error().what, HasSubstr(c.what)) << c.to;
  }
}

TEST(Tensor, has_the_order_of_colour_and_layout_that_the_manifest_says) {
  Manifest manifest = *parse_manifest(kGood, "model.toml");
  const std::array<std::byte, 6> view{std::byte{10}, std::byte{20}, std::byte{30},
                                      std::byte{40}, std::byte{50}, std::byte{60}};
  EXPECT_EQ(to_tensor(manifest, view), (std::vector<float>{29, 59, 9, 24, 14, 74}));
  manifest.layout = Layout::nhwc;
  EXPECT_EQ(to_tensor(manifest, view), (std::vector<float>{29, 9, 14, 59, 24, 74}));
  manifest.colour = Colour::rgb;
  EXPECT_EQ(to_tensor(manifest, view), (std::vector<float>{9, 9, 54, 39, 24, 114}));
}

TEST(Scores, that_make_no_sense_are_errors_and_never_scores) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              inf = std::numeric_limits<float>::infinity();
  const std::vector<std::string> labels{"a", "b"};
  for (const std::vector<float>& values : {std::vector<float>{0.5f},
                                           {0.1f, 0.2f, 0.3f},
                                           {},
                                           {nan, 0.5f},
                                           {0.5f, inf},
                                           {-0.5f, 0.5f},
                                           {0.5f, 1.5f}})
    EXPECT_FALSE(checked_scores(values, labels));
  const auto scores = checked_scores(std::vector<float>{-1e-6f, 1.0000001f}, labels);
  ASSERT_TRUE(scores);
  EXPECT_EQ(*scores, (Scores{{"a", 0.0}, {"b", 1.0}}));
}

const std::filesystem::path kModel =
    std::filesystem::path(PORTCULLIS_SOURCE_DIR) / "models" / "open_nsfw";

TEST(Model, gives_scores_that_add_up_and_do_not_depend_on_company) {
  auto model = Model::load(kModel, {.threads = 2});
  ASSERT_TRUE(model) << model.error().what;
  const std::size_t size = std::size_t{224} * 224 * 3;
  Bytes grey(size, std::byte{128}), stripes(size);
  for (std::size_t i = 0; i < size; ++i)
    stripes[i] = static_cast<std::byte>((i / 96) % 2 ? 250 : 5);
  const std::vector<View> both{grey, stripes};
  const auto together = (*model)->scores(both);
  ASSERT_TRUE(together) << together.error().what;
  for (const Scores& scores : *together)
    EXPECT_NEAR(scores.at("sfw") + scores.at("nsfw"), 1.0, 1e-4);
  const auto alone = (*model)->scores(std::vector<View>{stripes});
  ASSERT_TRUE(alone);
  EXPECT_NEAR((*alone)[0].at("nsfw"), (*together)[1].at("nsfw"), 1e-5);
}

TEST(Model, refuses_views_and_tensors_of_another_size) {
  auto model = Model::load(kModel, {.threads = 1});
  ASSERT_TRUE(model);
  const Bytes small(10);
  EXPECT_FALSE((*model)->scores(std::vector<View>{small}));
  EXPECT_FALSE((*model)->scores_of_tensor(std::vector<float>(100), 1));
  EXPECT_FALSE((*model)->scores_of_tensor({}, 0));
}

TEST(Model, with_missing_or_changed_weights_says_what_to_do) {
  ::portcullis::testing::TemporaryFolder folder;
  folder.write("model.toml", as_text(*read_file((kModel / "model.toml").string(), 65536)));
  auto missing = Model::load(folder.path(), {});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().what, HasSubstr("tools/setup"));
  folder.write("open-nsfw.onnx", std::string_view("not these"));
  auto changed_weights = Model::load(folder.path(), {});
  ASSERT_FALSE(changed_weights);
  EXPECT_THAT(changed_weights.error().what, HasSubstr("restore the right file"));
}

}  // namespace
}  // namespace portcullis::infer

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(Manifest, of_every_shipped_model_is_good) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PORTCULLIS_SOURCE_DIR "/models")) {
    if (!entry.is_directory()) continue;
    const auto manifest = load_manifest(entry.path());
    ASSERT_TRUE(manifest) << manifest.error().what;
    EXPECT_EQ(manifest->name, entry.path().filename()) << "a model is called what its folder is";
    ++count;
  }
  EXPECT_EQ(count, 3);
}

TEST(Manifest, that_is_missing_or_endless_is_an_error_that_names_the_file) {
  const ::portcullis::testing::TemporaryFolder folder;
  EXPECT_THAT(load_manifest(folder.path()).error().what, HasSubstr("model.toml"));
  folder.write("model.toml", std::string(1'000'000, '#'));
  EXPECT_THAT(load_manifest(folder.path()).error().what, HasSubstr("model.toml"));
}

}  // namespace
}  // namespace portcullis::infer

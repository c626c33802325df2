#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "base/fd.h"
#include "infer/infer.h"
#include "infer/tiny_onnx.h"
#include "testing/temporary_folder.h"

namespace portcullis::infer {
namespace {

using ::portcullis::testing::TemporaryFolder;
using ::testing::HasSubstr;

// A model folder whose model is one operator on one pixel.
class TinyModel : public ::testing::Test {
 protected:
  void write(std::string_view operation, std::string_view labels = R"("a", "b", "c")",
             std::string_view digest = {}) {
    const std::string weights = tiny_onnx(operation, {1, 1, 1, 3});
    folder_.write("tiny.onnx", weights);
    folder_.write("model.toml", fmt::format(R"(name = "tiny"
source = "this test"
licence = "none"
provenance = "none"
file = "tiny.onnx"
sha256 = "{}"
[input]
layout = "NHWC"
colour = "RGB"
width = 1
height = 1
mean = [-1, -1, -1]
scale = [1, 1, 1]
resize = {{ width = 1, height = 1 }}
[output]
labels = [{}]
sensitive = ["a"]
[run]
precision = "f32"
)",
                                            digest.empty() ? sha256_of(as_bytes(weights)).hex()
                                                           : std::string(digest),
                                            labels));
  }
  Result<std::unique_ptr<Model>> load() { return Model::load(folder_.path(), {.threads = 1}); }
  std::string why_not() {
    const auto model = load();
    return model ? "it was loaded" : model.error().what;
  }

  TemporaryFolder folder_;
};

TEST_F(TinyModel, gives_a_score_for_each_label) {
  write("Log");  // of 0 + 1
  const auto model = load();
  ASSERT_TRUE(model) << model.error().what;
  const Bytes black(3);
  const auto scores = (*model)->scores(std::vector<View>{black});
  ASSERT_TRUE(scores) << scores.error().what;
  EXPECT_EQ(*scores, (std::vector<Scores>{{{"a", 0.0}, {"b", 0.0}, {"c", 0.0}}}));
}

TEST_F(TinyModel, whose_output_is_not_a_number_or_beyond_1_has_learned_nothing) {
  write("Log");
  const auto model = load();
  ASSERT_TRUE(model) << model.error().what;
  for (const std::vector<float>& tensor : {std::vector<float>{1, -1, 1}, {1, 0, 1}, {1, 100, 1}}) {
    const auto scores = (*model)->scores_of_tensor(tensor, 1);
    ASSERT_FALSE(scores) << tensor[1];
    EXPECT_EQ(scores.error().fault, Fault::upstream);
    EXPECT_THAT(scores.error().what, HasSubstr("\"b\", which is no score"));
  }
  EXPECT_TRUE((*model)->scores_of_tensor(std::vector<float>{1, 1, 1}, 1)) << "the next is unharmed";
}

TEST_F(TinyModel, whose_labels_do_not_fit_is_refused_when_loaded) {
  write("Log", R"("a", "b")");
  EXPECT_THAT(why_not(), HasSubstr("names 2 labels"));
}

TEST_F(TinyModel, of_unknown_operators_or_no_model_at_all_is_refused) {
  write("NoSuchOperator");
  EXPECT_THAT(why_not(), HasSubstr("tiny.onnx cannot be loaded"));
  write("Log");
  folder_.write("tiny.onnx", std::string_view("not these"));
  const std::string digest = sha256_of(as_bytes("not these")).hex();
  write("Log", R"("a", "b", "c")", digest);
  folder_.write("tiny.onnx", std::string_view("not these"));
  EXPECT_THAT(why_not(), HasSubstr("tiny.onnx cannot be loaded"));
}

TEST_F(TinyModel, with_missing_or_changed_weights_says_what_to_do) {
  write("Log", R"("a", "b", "c")", std::string(64, 'a'));
  EXPECT_THAT(why_not(), HasSubstr("restore the right file"));
  std::filesystem::remove(folder_.path() / "tiny.onnx");
  EXPECT_THAT(why_not(), HasSubstr("tools/setup"));
}

TEST_F(TinyModel, has_another_version_when_its_weights_or_labels_differ) {
  const auto version = [&] { return load().value()->version(); };
  write("Log");
  const std::string first = version();
  EXPECT_EQ(version(), first);
  write("Sqrt");
  EXPECT_NE(version(), first);
  write("Log", R"("a", "b", "d")");
  EXPECT_NE(version(), first);
}

TEST_F(TinyModel, that_was_loaded_does_not_notice_what_happens_to_its_files) {
  write("Log");
  const auto model = load();
  ASSERT_TRUE(model) << model.error().what;
  const std::vector<float> ones{1, 1, 1};
  write("Sqrt");  // the square root of 1 is 1, its logarithm 0
  EXPECT_EQ((*model)->scores_of_tensor(ones, 1).value()[0].at("a"), 0.0);
  folder_.write("tiny.onnx", std::string_view("torn"));
  EXPECT_EQ((*model)->scores_of_tensor(ones, 1).value()[0].at("a"), 0.0);
  std::filesystem::remove(folder_.path() / "tiny.onnx");
  EXPECT_EQ((*model)->scores_of_tensor(ones, 1).value()[0].at("a"), 0.0);
  write("Sqrt");
  EXPECT_EQ(load().value()->scores_of_tensor(ones, 1).value()[0].at("a"), 1.0) << "the next does";
}

// The example of models/README.md with a model that an admin might bring along.
TEST(OwnModel, drops_in_with_the_manifest_that_the_documentation_shows) {
  const std::filesystem::path readme = PORTCULLIS_SOURCE_DIR "/models/README.md";
  std::string manifest(as_text(read_file(readme.string(), 65536).value()));
  const auto begin = manifest.find("```toml\n") + 8;
  manifest = manifest.substr(begin, manifest.find("```", begin) - begin);
  const std::string weights = tiny_onnx("GlobalMaxPool", {1, 3, 384, 384}, Shape{1, 3, 1, 1});
  const auto digest = manifest.find(std::string(64, '0'));
  ASSERT_NE(digest, std::string::npos);
  manifest.replace(digest, 64, sha256_of(as_bytes(weights)).hex());
  const TemporaryFolder folder;
  folder.write("model.toml", manifest);
  folder.write("gore.onnx", weights);

  const auto model = Model::load(folder.path(), {.threads = 1});
  ASSERT_TRUE(model) << model.error().what;
  Bytes picture(std::size_t{384} * 384 * 3, std::byte{128});  // grey, with one red point
  picture[3000] = std::byte{255};
  const auto scores = (*model)->scores(std::vector<View>{picture});
  ASSERT_TRUE(scores) << scores.error().what;
  EXPECT_NEAR(scores->front().at("calm"), 1.0, 1e-6);  // the first output: red
  EXPECT_NEAR(scores->front().at("drawn"), 0.5 / 127.5, 1e-6);
  EXPECT_NEAR(scores->front().at("gore"), 0.5 / 127.5, 1e-6);
}

const std::filesystem::path kShipped =
    std::filesystem::path(PORTCULLIS_SOURCE_DIR) / "models" / "open_nsfw";

Bytes view_of(int stripe) {
  Bytes view(std::size_t{224} * 224 * 3);
  for (std::size_t i = 0; i < view.size(); ++i)
    view[i] = static_cast<std::byte>(i / static_cast<std::size_t>(stripe) % 2 ? 250 : 5);
  return view;
}

TEST(ShippedModel, gives_scores_that_add_up_and_do_not_depend_on_company) {
  const auto model = Model::load(kShipped, {.threads = 2});
  ASSERT_TRUE(model) << model.error().what;
  const Bytes one = view_of(96), two = view_of(3000);
  const auto together = (*model)->scores(std::vector<View>{one, two});
  ASSERT_TRUE(together) << together.error().what;
  for (const Scores& scores : *together)
    EXPECT_NEAR(scores.at("sfw") + scores.at("nsfw"), 1.0, 1e-4);
  const auto alone = (*model)->scores(std::vector<View>{two});
  ASSERT_TRUE(alone);
  EXPECT_EQ((*alone)[0], (*together)[1]);
}

TEST(ShippedModel, may_be_asked_by_more_threads_than_it_has) {
  const auto model = Model::load(kShipped, {.threads = 2});
  ASSERT_TRUE(model);
  const Bytes view = view_of(500);
  const Scores want = (*model)->scores(std::vector<View>{view}).value()[0];
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    threads.reserve(6);
    for (int i = 0; i < 6; ++i)
      threads.emplace_back([&] {
        const auto scores = (*model)->scores(std::vector<View>{view, view});
        if (scores && (*scores)[0] == want && (*scores)[1] == want) ++right;
      });
  }
  EXPECT_EQ(right, 6);
}

TEST(ShippedModel, refuses_views_and_tensors_of_another_size) {
  const auto model = Model::load(kShipped, {.threads = 1});
  ASSERT_TRUE(model);
  const Bytes small(10);
  EXPECT_FALSE((*model)->scores(std::vector<View>{small}));
  EXPECT_FALSE((*model)->scores_of_tensor(std::vector<float>(100), 1));
  EXPECT_FALSE((*model)->scores_of_tensor(std::vector<float>(100), 0));
}

TEST(ShippedModel, scores_in_bf16_within_the_stated_tolerance_of_f32) {
  std::string manifest(as_text(read_file((kShipped / "model.toml").string(), 65536).value()));
  const auto at = manifest.find("precision = \"f32\"");
  ASSERT_NE(at, std::string::npos);
  manifest.replace(at, 17, "precision = \"bf16\"");
  const TemporaryFolder folder;
  folder.write("model.toml", manifest);
  std::filesystem::create_symlink(std::filesystem::canonical(kShipped / "open-nsfw.onnx"),
                                  folder.path() / "open-nsfw.onnx");
  const auto quick = Model::load(folder.path(), {.threads = 1});
  if (!quick) {
    EXPECT_THAT(quick.error().what, HasSubstr("precision = \"f32\"")) << "says what to do";
    GTEST_SKIP() << quick.error().what;
  }
  const auto exact = Model::load(kShipped, {.threads = 1});
  ASSERT_TRUE(exact);
  EXPECT_NE((*quick)->version(), (*exact)->version());
  for (const int stripe : {1, 7, 96, 672, 3000, 40000}) {
    const Bytes view = view_of(stripe);
    const std::vector<View> views{view};
    EXPECT_NEAR((*quick)->scores(views).value()[0].at("nsfw"),
                (*exact)->scores(views).value()[0].at("nsfw"), 0.02)
        << stripe;
  }
}

}  // namespace
}  // namespace portcullis::infer

#include "infer/tensor.h"

#include <gtest/gtest.h>

#include <limits>

namespace portcullis::infer {
namespace {

TEST(Tensor, has_the_order_of_colour_and_layout_that_the_manifest_says) {
  Manifest manifest;
  manifest.width = 2;
  manifest.height = 1;
  manifest.layout = Layout::nchw;
  manifest.colour = Colour::bgr;
  manifest.mean = {1, 2, 3};
  manifest.scale = {1, 0.5, 2};
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

}  // namespace
}  // namespace portcullis::infer

#include "app/progress.h"

#include <gtest/gtest.h>

namespace portcullis::app {
namespace {

TEST(Progress, says_how_far_how_fast_and_how_long) {
  EXPECT_EQ(progress_line("Rescan", 1'200, 5'000, 80, "3 found"),
            "Rescan  1,200 of 5,000  24 %  80/s  48 s left  3 found");
  EXPECT_EQ(progress_line("Purge", 0, 1'234'567, 0, ""), "Purge  0 of 1,234,567  0 %");
  EXPECT_EQ(progress_line("Purge", 5, 5, 2.5, ""), "Purge  5 of 5  100 %  2.5/s");
  EXPECT_EQ(progress_line("Purge", 1, 1'000'000, 100, ""),
            "Purge  1 of 1,000,000  0 %  100/s  2 h 46 min left");
  EXPECT_EQ(progress_line("Purge", 7, 0, 0, ""), "Purge  7 of 0");
}

}  // namespace
}  // namespace portcullis::app

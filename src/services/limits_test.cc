#include "services/limits.h"

#include <gtest/gtest.h>

#include "testing/virtual_clock.h"

namespace portcullis::services {
namespace {

using namespace std::chrono_literals;

class LimitsTest : public ::testing::Test {
 protected:
  Admission admit(std::size_t requests = 1) { return limits_.admit(requests, clock_.steady()); }
  void fail() { limits_.failed(clock_.steady()); }

  testing::VirtualClock clock_;
  Limits limits_{{.per_minute = 6, .failures = 3, .rest = 30s}, clock_.steady()};
};

TEST_F(LimitsTest, a_minute_s_worth_may_go_at_once_and_then_one_at_a_time) {
  for (int i = 0; i < 6; ++i) EXPECT_EQ(admit(), Admission::yes) << i;
  EXPECT_EQ(admit(), Admission::over_budget);
  clock_.advance(9'999ms);
  EXPECT_EQ(admit(), Admission::over_budget);
  clock_.advance(1ms);
  EXPECT_EQ(admit(), Admission::yes);
  EXPECT_EQ(admit(), Admission::over_budget);
  clock_.advance(24h);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(admit(), Admission::yes) << i;
  EXPECT_EQ(admit(), Admission::over_budget);
}

TEST_F(LimitsTest, what_a_picture_needs_is_given_as_a_whole_or_not_at_all) {
  EXPECT_EQ(admit(4), Admission::yes);
  EXPECT_EQ(admit(3), Admission::over_budget);
  EXPECT_EQ(admit(2), Admission::yes);
  clock_.advance(1min);
  EXPECT_EQ(admit(7), Admission::over_budget);  // never possible
  EXPECT_EQ(admit(6), Admission::yes);
}

TEST_F(LimitsTest, so_many_failures_in_a_row_open_the_breaker) {
  fail();
  fail();
  limits_.succeeded();
  fail();
  fail();
  EXPECT_EQ(admit(), Admission::yes);
  EXPECT_FALSE(limits_.is_resting());
  fail();
  EXPECT_TRUE(limits_.is_resting());
  EXPECT_EQ(admit(), Admission::resting);
  clock_.advance(29'999ms);
  EXPECT_EQ(admit(), Admission::resting);
}

TEST_F(LimitsTest, after_a_rest_one_picture_tries_and_decides) {
  for (int i = 0; i < 3; ++i) fail();
  clock_.advance(30s);
  EXPECT_EQ(admit(), Admission::yes);
  EXPECT_EQ(admit(), Admission::resting);
  fail();
  clock_.advance(29s);
  EXPECT_EQ(admit(), Admission::resting);
  clock_.advance(1s);
  EXPECT_EQ(admit(), Admission::yes);
  limits_.succeeded();
  EXPECT_EQ(admit(), Admission::yes);
  EXPECT_FALSE(limits_.is_resting());
}

TEST_F(LimitsTest, a_try_that_is_never_heard_of_does_not_keep_it_closed_for_ever) {
  for (int i = 0; i < 3; ++i) fail();
  clock_.advance(30s);
  EXPECT_EQ(admit(), Admission::yes);
  clock_.advance(30s);
  EXPECT_EQ(admit(), Admission::yes);
}

TEST_F(LimitsTest, what_the_breaker_holds_back_costs_no_budget) {
  for (int i = 0; i < 3; ++i) fail();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(admit(), Admission::resting);
  clock_.advance(30s);
  EXPECT_EQ(admit(6), Admission::yes);
}

TEST_F(LimitsTest, what_the_budget_holds_back_is_no_try) {
  EXPECT_EQ(admit(6), Admission::yes);
  for (int i = 0; i < 3; ++i) fail();
  clock_.advance(30s);
  EXPECT_EQ(admit(4), Admission::over_budget);
  EXPECT_EQ(admit(3), Admission::yes);
}

}  // namespace
}  // namespace portcullis::services

#include "config/units.h"

#include <gtest/gtest.h>

namespace portcullis::config {

namespace {

using namespace std::chrono_literals;

TEST(Units, sizes_are_a_whole_number_and_a_unit) {
  const struct {
    std::string_view text;
    std::optional<std::uint64_t> want;
  } cases[] = {
      {"0 B", 0},
      {"1B", 1},
      {"40 MiB", 41'943'040},
      {"40MiB", 41'943'040},
      {"2 KiB", 2'048},
      {"3 GiB", 3'221'225'472},
      {"16777215 TiB", 16'777'215ull << 40},
      {"16777216 TiB", std::nullopt},
      {"18446744073709551615 B", UINT64_MAX},
      {"18446744073709551616 B", std::nullopt},
      {"", std::nullopt},
      {"40", std::nullopt},
      {"MiB", std::nullopt},
      {" 40 MiB", std::nullopt},
      {"40  MiB", std::nullopt},
      {"40 MiB ", std::nullopt},
      {"40 MB", std::nullopt},
      {"40 mib", std::nullopt},
      {"1.5 MiB", std::nullopt},
      {"-1 MiB", std::nullopt},
      {"+1 MiB", std::nullopt},
      {"0x10 B", std::nullopt},
  };
  for (const auto& c : cases) EXPECT_EQ(bytes_from(c.text), c.want) << c.text;
}

TEST(Units, times_are_too) {
  const struct {
    std::string_view text;
    std::optional<std::chrono::milliseconds> want;
  } cases[] = {
      {"0s", 0ms},
      {"250ms", 250ms},
      {"30s", 30s},
      {"5 m", 5min},
      {"25h", 25h},
      {"1d", 24h},
      {"11574d", 11574 * 24h},
      {"11575d", std::nullopt},
      {"", std::nullopt},
      {"30", std::nullopt},
      {"s", std::nullopt},
      {"1h30m", std::nullopt},
      {"1.5h", std::nullopt},
      {"30S", std::nullopt},
      {"99999999999999999999s", std::nullopt},
  };
  for (const auto& c : cases) EXPECT_EQ(duration_from(c.text), c.want) << c.text;
}

TEST(Units, are_written_in_the_largest_that_fits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1'000), "1000 B");
  EXPECT_EQ(bytes_text(1'024), "1 KiB");
  EXPECT_EQ(bytes_text(1'536), "1536 B");
  EXPECT_EQ(bytes_text(1ull << 41), "2 TiB");
  EXPECT_EQ(duration_text(0ms), "0ms");
  EXPECT_EQ(duration_text(1'500ms), "1500ms");
  EXPECT_EQ(duration_text(60s), "1m");
  EXPECT_EQ(duration_text(25h), "25h");
  EXPECT_EQ(duration_text(48h), "2d");
}

TEST(Units, what_is_written_can_be_read) {
  for (std::uint64_t number = 1; number < (1ull << 60); number = number * 7 / 3 + 1)
    EXPECT_EQ(bytes_from(bytes_text(number)), number);
  for (std::int64_t number = 1; number < 1'000'000'000'000; number = number * 7 / 3 + 1)
    EXPECT_EQ(duration_from(duration_text(std::chrono::milliseconds(number))),
              std::chrono::milliseconds(number));
}

}  // namespace

}  // namespace portcullis::config

#include "media/range.h"

#include <gtest/gtest.h>

#include <ostream>

namespace portcullis::media {

void PrintTo(const Range& range, std::ostream* out) {
  *out << static_cast<int>(range.kind) << ' ' << range.offset << '+' << range.length;
}

namespace {

TEST(Ranges, are_read_as_pict_rs_s_clients_mean_them) {
  using Kind = Range::Kind;
  const struct {
    const char* value;
    std::uint64_t size;
    Range want;
  } cases[] = {
      {"", 100, {}},
      {"bytes=0-0", 100, {Kind::part, 0, 1}},
      {"bytes=0-", 100, {Kind::part, 0, 100}},
      {"bytes=10-19", 100, {Kind::part, 10, 10}},
      {"bytes=90-1000", 100, {Kind::part, 90, 10}},
      {"bytes=-1", 100, {Kind::part, 99, 1}},
      {"bytes=-99999999", 100, {Kind::part, 0, 100}},
      {"BYTES = 1 - 2", 100, {Kind::part, 1, 2}},
      {"bytes=100-", 100, {Kind::unsatisfiable, 0, 0}},
      {"bytes=99999999999999999999-", 100, {Kind::unsatisfiable, 0, 0}},
      {"bytes=-0", 100, {Kind::unsatisfiable, 0, 0}},
      {"bytes=0-", 0, {Kind::unsatisfiable, 0, 0}},
      {"bytes=abc", 100, {}},
      {"bytes=5-4", 100, {}},
      {"bytes=1-x", 100, {}},
      {"bytes=+1-2", 100, {}},
      {"bytes", 100, {}},
      {"bytes=0-1,5-6", 100, {Kind::several, 0, 0}},
      {"lines=0-1", 100, {Kind::several, 0, 0}},
  };
  for (const auto& c : cases) EXPECT_EQ(parse_range(c.value, c.size), c.want) << c.value;
}

TEST(Conditions, compare_tags_weakly_and_dates_to_the_second) {
  for (const char* yes : {"*", "\"x\"", "W/\"x\"", "\"a\", \"x\"", " \"a\",W/\"x\" "})
    EXPECT_TRUE(etag_listed(yes, "\"x\"")) << yes;
  for (const char* no : {"", "x", "\"y\"", "\"xx\"", "w/\"x\""})
    EXPECT_FALSE(etag_listed(no, "\"x\"")) << no;
  const auto date = parse_http_date("Tue, 24 Nov 2026 18:10:59 GMT");
  ASSERT_TRUE(date);
  EXPECT_EQ(http_date(*date), "Tue, 24 Nov 2026 18:10:59 GMT");
  for (const char* no : {"", "yesterday", "Tue, 24 Nov 2026 18:10:59",
                         "Tue, 24 Nov 2026 18:10:59 GMT x", "1795543859"})
    EXPECT_FALSE(parse_http_date(no)) << no;
}

}  // namespace
}  // namespace portcullis::media

#include <gtest/gtest.h>

#include "media/internal.h"

namespace portcullis::media {
namespace {

TEST(OwnUrl, names_a_picture_or_what_it_stands_for_or_nothing) {
  const struct {
    const char* url;
    OwnUrl found;
  } table[] = {
      {"https://h/pictrs/image/a.png", {"a.png", ""}},
      {"https://h:8443/pictrs/image/a.png?format=webp&thumbnail=9#x", {"a.png", ""}},
      {"http://h/api/v4/image/a.png", {"a.png", ""}},
      {"https://h/pictrs/image/%61.png", {"a.png", ""}},
      {"https://h/api/v3/image_proxy?url=http%3A%2F%2Fo%2Fx%3Fa%3D1%26b", {"", "http://o/x?a=1&b"}},
      {"https://h/api/v4/image/proxy?max_size=9&url=http%3A%2F%2Fo%2F#x", {"", "http://o/"}},
      {"https://h/api/v3/image_proxy?url=a&url=b", {}},
      {"https://h/api/v3/image_proxy", {}},
      {"https://h/pictrs/image/", {}},
      {"https://h/pictrs/image/..", {}},
      {"https://h/pictrs/image/a%2Fb", {}},
      {"https://h/pictrs/image/a/b", {}},
      {"https://h/pictrs/image/%zz", {}},
      {"https://h/post/1", {}},
      {"https://h?/pictrs/image/a.png", {}},
      {"https://h#/pictrs/image/a.png", {}},
      {"https://h", {}},
      {"/pictrs/image/a.png", {}},
      {"", {}},
  };
  for (const auto& row : table) EXPECT_EQ(own_url(row.url), row.found) << row.url;
}

TEST(Rfc3339, is_read_in_its_forms_and_nothing_else_is) {
  for (const char* same : {"2026-11-24T18:10:59.123456Z", "2026-11-24t18:10:59.123456z",
                           "2026-11-24 18:10:59.1234567Z", "2026-11-24T19:40:59.123456+01:30",
                           "2026-11-24T13:10:59.123456-05:00"}) {
    const auto time = parse_rfc3339(same);
    ASSERT_TRUE(time) << same;
    EXPECT_EQ(rfc3339(*time), "2026-11-24T18:10:59.123456Z") << same;
  }
  EXPECT_TRUE(parse_rfc3339("2024-02-29T00:00:00Z"));
  for (const char* none : {"", "2026", "2026-11-24", "2026-11-24T18:10:59", "2026-13-24T18:10:59Z",
                           "2026-02-29T18:10:59Z", "2026-11-24T24:10:59Z", "2026-11-24T18:60:59Z",
                           "2026-11-24T18:10:61Z", "2026-11-24T18:10:59.Z", "2026-11-24T18:10:59Zx",
                           "2026-11-24T18:10:59+1:30", "2026-11-24T18:10:59+24:00",
                           "2026-11-24X18:10:59Z", "+026-11-24T18:10:59Z", "yesterday"})
    EXPECT_FALSE(parse_rfc3339(none)) << none;
}

}  // namespace
}  // namespace portcullis::media

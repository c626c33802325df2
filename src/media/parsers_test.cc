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

}  // namespace
}  // namespace portcullis::media

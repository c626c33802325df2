#include "lemmy/origins.h"

#include <gtest/gtest.h>

#include "postgres/postgres.h"

namespace portcullis::lemmy {

using postgres::parse_target;
using postgres::shown_url;
namespace {

const OwnSite kSite{"https://lemmy.example", {"lemmy.example", "old.lemmy.example"}};

TEST(Origins, an_address_behind_this_site_s_proxy_is_unwrapped) {
  struct {
    const char *url, *expected;
  } const rows[] = {
      {"https://a.example/x.png", "https://a.example/x.png"},
      {"https://lemmy.example/api/v3/image_proxy?url=https%3A%2F%2Fa.example%2Fx.png%3Fb%3D1%26c",
       "https://a.example/x.png?b=1&c"},
      {"https://lemmy.example/api/v3/image_proxy?url=https%3a%2f%2fa.example%2fx.png",
       "https://a.example/x.png"},
      {"https://lemmy.example/api/v4/image/"
       "proxy?url=https%3A%2F%2Fa%2Eexample%2Fx%2Dy%2Epng&max_size=9",
       "https://a.example/x-y.png"},
      {"https://lemmy.example/api/v4/image/proxy?max_size=9&url=https%3A%2F%2Fa.example%2Fx#top",
       "https://a.example/x"},
      // Another site's proxy is that site's own business.
      {"https://other.example/api/v3/image_proxy?url=https%3A%2F%2Fa.example%2Fx.png",
       "https://other.example/api/v3/image_proxy?url=https%3A%2F%2Fa.example%2Fx.png"},
      {"https://lemmy.example/api/v3/image_proxy", "https://lemmy.example/api/v3/image_proxy"},
      {"https://lemmy.example/api/v3/image_proxy?url=%zz",
       "https://lemmy.example/api/v3/image_proxy?url=%zz"},
      {"https://lemmy.example/api/v3/image_proxy?url=a&url=b",
       "https://lemmy.example/api/v3/image_proxy?url=a&url=b"},
      {"", ""},
  };
  for (const auto& row : rows) EXPECT_EQ(unproxied(row.url, kSite.url), row.expected);
}

TEST(Origins, only_http_on_another_host_is_somewhere_to_send_people) {
  struct {
    const char* url;
    bool is_foreign;
  } const rows[] = {
      {"https://a.example/x.png", true},
      {"http://a.example:8080/x.png?y", true},
      {"https://lemmy.example/pictrs/image/x.png", false},
      {"https://LEMMY.example:443/x.png", false},
      {"https://lemmy.example./x.png", false},
      {"https://old.lemmy.example/x.png", false},
      {"https://notlemmy.example/x.png", true},
      {"https://lemmy.example.a.example/x.png", true},
      {"https://lemmy.example@a.example/x.png", false},  // nobody writes that in good faith
      {"ftp://a.example/x.png", false},
      {"javascript:alert(1)", false},
      {"/pictrs/image/x.png", false},
      {"", false},
  };
  for (const auto& row : rows) EXPECT_EQ(is_foreign(row.url, kSite), row.is_foreign) << row.url;
}

TEST(Origins, what_must_not_be_shown_is_not) {
  struct {
    const char *url, *shown;
  } const rows[] = {
      {"postgres://lemmy:hunter2@db.example:5433/lemmy", "postgres://lemmy@db.example:5433/lemmy"},
      {"postgresql://lemmy:hunter2@/lemmy?host=/run/x", "postgres://lemmy@/run/x/lemmy"},
      {"postgres://db.example/lemmy?user=me&password=hunter2&sslpassword=hunter2",
       "postgres://me@db.example/lemmy"},
      {"postgres://lemmy:hunter2@[::1]:5433", "postgres://lemmy@::1:5433/"},
      // Not addresses: nothing of them is shown, since nobody knows where the password is.
      {"postgres://lemmy:hunter2%zz@db.example/lemmy", "an address that cannot be read"},
      {"postgres://lemmy:hunter2@db.example/lemmy?pasword=hunter2",
       "an address that cannot be read"},
      {"host=db.example password=hunter2", "an address that cannot be read"},
      {"hunter2", "an address that cannot be read"},
      {"", "an address that cannot be read"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(shown_url(row.url), row.shown);
    const auto target = parse_target(row.url, "Lemmy's database");
    if (!target) {
      EXPECT_EQ(target.error().fault, Fault::client);
      EXPECT_FALSE(target.error().what.contains("hunter2")) << target.error().what;
    }
  }
}

}  // namespace
}  // namespace portcullis::lemmy

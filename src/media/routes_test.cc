#include "media/routes.h"

#include <gtest/gtest.h>

#include <ostream>

namespace portcullis::media {

void PrintTo(const Route& route, std::ostream* out) {
  *out << static_cast<int>(route.action) << " alias=" << route.alias << " token=" << route.token;
}

namespace {

TEST(Routes, are_pict_rs_s_and_nothing_else) {
  const Route nothing;
  const Route original{Action::original, "a.jpeg", {}};
  const Route details{Action::details, "a.jpeg", {}};
  const Route remove{Action::remove, "a.jpeg", "t0k"};
  const struct {
    const char *method, *path, *query;
    Route direct, relayed;
  } cases[] = {
      {"GET", "/healthz", "", {Action::health, {}, {}}, {Action::health, {}, {}}},
      {"POST", "/image", "", {Action::upload, {}, {}}, {Action::upload, {}, {}}},
      {"POST",
       "/image",
       "resize=1024&allow_video=true",
       {Action::upload, {}, {}},
       {Action::upload, {}, {}}},
      {"GET", "/image/original/a.jpeg", "", original, original},
      {"HEAD", "/image/original/a.jpeg", "", original, nothing},
      {"GET", "/image/original/%61.jpeg", "", original, original},
      {"GET", "/image/original", "alias=a.jpeg", original, nothing},
      {"GET", "/image/original", "alias=a.jpeg&alias=b.jpeg", nothing, nothing},
      {"GET", "/image/details/original/a.jpeg", "", details, nothing},
      {"GET", "/image/details/original", "alias=a.jpeg", details, nothing},
      {"DELETE", "/image/delete/t0k/a.jpeg", "", remove, nothing},
      {"GET", "/image/delete/t0k/a.jpeg", "", remove, nothing},
      {"POST", "/image/delete/t0k/a.jpeg", "", nothing, nothing},
      {"GET", "/image", "", nothing, nothing},
      {"PUT", "/image", "", nothing, nothing},
      {"POST", "/healthz", "", nothing, nothing},
      {"POST", "/internal/purge", "alias=a.jpeg", nothing, nothing},
      {"GET", "/", "", nothing, nothing},
      {"GET", "", "", nothing, nothing},
      {"get", "/image/original/a.jpeg", "", nothing, nothing},
      {"GET", "//image/original/a.jpeg", "", nothing, nothing},
      {"GET", "/image/original/", "", nothing, nothing},
      {"GET", "/image/delete/t0k", "", nothing, nothing},
      {"GET", "/image/delete//a.jpeg", "", nothing, nothing},
      {"GET", "/image/delete/t0k/", "", nothing, nothing},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(route(c.method, c.path, c.query, "", false), c.direct)
        << c.method << ' ' << c.path << " direct";
    EXPECT_EQ(route(c.method, c.path, c.query, "", true), c.relayed)
        << c.method << ' ' << c.path << " relayed";
  }
}

TEST(Routes, take_no_alias_that_could_mean_something_else) {
  for (const char* alias : {"..",   ".",    "%2e%2e", "a%2fb", "a/b",    "a%5Cb", "a%00",
                            "a%0a", "a%25", "a%252e", "a?b",   "a%3Fb",  "a%23b", "a%",
                            "a%4",  "a%zz", "a b",    "a+b",   "%C3%A4", "~a",    "a:b"})
    for (const bool relayed : {false, true})
      EXPECT_EQ(route("GET", std::string("/image/original/") + alias, "", "", relayed), Route())
          << alias;
  EXPECT_TRUE(is_alias(std::string(128, 'a')));
  EXPECT_FALSE(is_alias(std::string(129, 'a')));
}

TEST(Routes, exist_only_under_the_secret_prefix_if_there_is_one) {
  EXPECT_EQ(route("GET", "/s3cret/healthz", "", "/s3cret/", false).action, Action::health);
  for (const char* path :
       {"/healthz", "/s3cre/healthz", "/s3crethealthz", "/S3CRET/healthz", "/s3cret//healthz"})
    EXPECT_EQ(route("GET", path, "", "/s3cret/", false), Route()) << path;
}

}  // namespace
}  // namespace portcullis::media

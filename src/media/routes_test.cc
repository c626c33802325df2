#include "media/routes.h"

#include <gtest/gtest.h>

#include <ostream>

namespace portcullis::media {

void PrintTo(const Route& route, std::ostream* out) {
  *out << static_cast<int>(route.action) << " alias=" << route.alias << " url=" << route.url
       << " token=" << route.token << " extension=" << route.extension;
  for (const auto& [key, value] : route.parameters) *out << ' ' << key << '=' << value;
}

namespace {

TEST(Routes, are_pict_rs_s_and_nothing_else) {
  const Route nothing;
  const Route original{.action = Action::original, .alias = "a.jpeg"};
  const Route details{.action = Action::details, .alias = "a.jpeg"};
  const Route remove{.action = Action::remove, .alias = "a.jpeg", .token = "t0k"};
  const Route health{.action = Action::health};
  const Route upload{.action = Action::upload};
  const Route resized{.action = Action::upload,
                      .parameters = {{"resize", "1024"}, {"allow_video", "true"}}};
  const Route plain{.action = Action::process, .alias = "a.jpeg", .extension = "webp"};
  const Route small{.action = Action::process,
                    .alias = "a.jpeg",
                    .extension = "webp",
                    .parameters = {{"thumbnail", "96"}}};
  const struct {
    const char *method, *path, *query;
    Route direct, relayed;
  } cases[] = {
      {"GET", "/healthz", "", health, health},
      {"POST", "/image", "", upload, upload},
      {"POST", "/image", "resize=1024&allow_video=true", resized, resized},
      {"GET", "/image/original/a.jpeg", "", original, original},
      {"HEAD", "/image/original/a.jpeg", "", original, nothing},
      {"GET", "/image/original/%61.jpeg", "", original, original},
      {"GET", "/image/original", "alias=a.jpeg", original, nothing},
      {"GET", "/image/original", "alias=a.jpeg&alias=b.jpeg", nothing, nothing},
      {"GET", "/image/process.webp", "src=a.jpeg", plain, plain},
      {"GET", "/image/process.webp", "src=a.jpeg&thumbnail=96", small, small},
      {"GET", "/image/process.webp", "alias=a.jpeg&thumbnail=96", small, nothing},
      {"GET", "/image/process.webp", "thumbnail=96&src=a.jpeg", small, nothing},
      {"HEAD", "/image/process.webp", "src=a.jpeg&thumbnail=96", small, nothing},
      {"GET",
       "/image/process.webp",
       "src=a.jpeg&blur=3",
       {.action = Action::process,
        .alias = "a.jpeg",
        .extension = "webp",
        .parameters = {{"blur", "3"}}},
       nothing},
      {"GET", "/image/process.webp", "src=a.jpeg&src=b.jpeg", nothing, nothing},
      {"GET", "/image/process.webp", "src=..%2Fa", nothing, nothing},
      {"GET", "/image/process.webp", "", {.action = Action::process, .extension = "webp"}, nothing},
      {"GET", "/image/details/original/a.jpeg", "", details, nothing},
      {"GET", "/image/details/original", "alias=a.jpeg", details, nothing},
      {"GET",
       "/image/details/process.png",
       "src=a.jpeg",
       {.action = Action::process_details, .alias = "a.jpeg", .extension = "png"},
       nothing},
      {"GET",
       "/image/process_backgrounded.png",
       "src=a.jpeg",
       {.action = Action::process_backgrounded, .alias = "a.jpeg", .extension = "png"},
       nothing},
      {"GET",
       "/image/blurhash",
       "alias=a.jpeg",
       {.action = Action::blurhash, .alias = "a.jpeg"},
       nothing},
      {"GET",
       "/image/backgrounded/claim",
       "upload_id=1",
       {.action = Action::claim, .parameters = {{"upload_id", "1"}}},
       nothing},
      {"GET",
       "/image/download",
       "url=http%3A%2F%2Fx%2F",
       {.action = Action::download, .parameters = {{"url", "http://x/"}}},
       nothing},
      {"POST", "/image/backgrounded", "", {.action = Action::upload_backgrounded}, nothing},
      {"DELETE", "/image/delete/t0k/a.jpeg", "", remove, nothing},
      {"GET", "/image/delete/t0k/a.jpeg", "", remove, nothing},
      {"POST", "/image/delete/t0k/a.jpeg", "", nothing, nothing},
      {"POST",
       "/internal/purge",
       "alias=a.jpeg",
       {.action = Action::purge, .alias = "a.jpeg"},
       nothing},
      {"POST",
       "/internal/delete",
       "proxy=http%3A%2F%2Fx%2F",
       {.action = Action::internal_delete, .url = "http://x/"},
       nothing},
      {"GET", "/internal/purge", "alias=a.jpeg", nothing, nothing},
      {"POST", "/internal/export", "", nothing, nothing},
      {"DELETE", "/internal/variants", "", {.action = Action::remove_variants}, nothing},
      {"GET",
       "/internal/hashes",
       "limit=3",
       {.action = Action::hashes, .parameters = {{"limit", "3"}}},
       nothing},
      {"GET", "/openapi.yaml", "", {.action = Action::description}, nothing},
      {"GET", "/image", "", nothing, nothing},
      {"PUT", "/image", "", nothing, nothing},
      {"POST", "/healthz", "", nothing, nothing},
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
        << c.method << ' ' << c.path << '?' << c.query << " direct";
    EXPECT_EQ(route(c.method, c.path, c.query, "", true), c.relayed)
        << c.method << ' ' << c.path << '?' << c.query << " relayed";
  }
}

TEST(Routes, read_the_url_of_a_remote_picture_in_both_spellings) {
  const image::Parameters small{{"thumbnail", "96"}};
  const struct {
    const char* query;
    const char* url;
    image::Parameters parameters;
  } cases[] = {
      {"proxy=https%3A%2F%2Fo%2Fx.png%3Fa%3D1%26b%3D2", "https://o/x.png?a=1&b=2", {}},
      {"proxy=https%3A%2F%2Fo%2Fx.png&thumbnail=96", "https://o/x.png", small},
      {"thumbnail=96&proxy=https%3A%2F%2Fo%2Fx.png", "https://o/x.png", small},
      {"proxy=http://o/x.png?a=1&b=2", "http://o/x.png?a=1&b=2", {}},
      {"proxy=http://o/x.png?a=1&b=2&thumbnail=96", "http://o/x.png?a=1&b=2", small},
      {"proxy=http://o/x.png?thumbnail=1&thumbnail=96", "http://o/x.png?thumbnail=1", small},
      {"proxy=http://o/x.png?a=1&thumbnail=9x", "http://o/x.png?a=1&thumbnail=9x", {}},
      {"proxy=HTTP://o/x%20y.png", "HTTP://o/x%20y.png", {}},  // as it stands
      {"proxy=http://o/x.png#part", "http://o/x.png", {}},
      {"proxy=http%3A%2F%2Fo%2Fx.png%23part", "http://o/x.png", {}},
      {"proxy=data%3Aimage%2Fpng%3Bbase64%2CAAAA", "data:image/png;base64,AAAA", {}},
      {"proxy=javascript:1", "javascript:1", {}},
      {"proxy=", "", {}},
      {"proxy=%zz", "", {}},
      {"a=proxy=http://o/", "", {}},
  };
  for (const auto& c : cases) {
    const Proxied found = proxied_from(c.query);
    EXPECT_EQ(found.url, c.url) << c.query;
    EXPECT_EQ(found.parameters, c.parameters) << c.query;
  }
}

TEST(Routes, pass_a_remote_url_on_when_they_are_relayed_but_nothing_beside_it) {
  const Route original{.action = Action::original, .url = "http://o/x.png?a=1&b=2"};
  for (const char* query :
       {"proxy=http://o/x.png?a=1&b=2", "proxy=http%3A%2F%2Fo%2Fx.png%3Fa%3D1%26b%3D2"}) {
    EXPECT_EQ(route("GET", "/image/original", query, "", true), original) << query;
    EXPECT_EQ(route("GET", "/image/original", query, "", false), original) << query;
    EXPECT_EQ(route("HEAD", "/image/original", query, "", true), Route()) << query;
    EXPECT_EQ(route("GET", "/image/details/original", query, "", true), Route()) << query;
  }
  for (const char* query : {"proxy=http%3A%2F%2Fo%2F&thumbnail=9", "blur=3&proxy=http://o/"})
    EXPECT_EQ(route("GET", "/image/original", query, "", true), Route()) << query;
  const Route small{.action = Action::process,
                    .url = "http://o/x.png",
                    .extension = "jpg",
                    .parameters = {{"thumbnail", "9"}}};
  EXPECT_EQ(route("GET", "/image/process.jpg", "proxy=http://o/x.png&thumbnail=9", "", true),
            small);
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

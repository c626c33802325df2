#include "media/instead.h"
#include "media/media_testing.h"
#include "media/placeholder.h"

namespace portcullis::media {
namespace {

class RemotesTest : public MediaTest {
 protected:
  RemotesTest() {
    options_.hosts = {"lemmy.example"};
    restart();
    fetcher_.web = {{"https://o.example/cat.png?a=1&b=2", "picture cat"},
                    {"https://o.example/page", "no picture"},
                    {"https://o.example/large", std::string(6'000, 'x')}};
  }
  static std::string encoded(std::string_view url) {
    std::string text;
    for (const char c : url) text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return text;
  }
  void flip(const char* state) {
    ASSERT_TRUE(store_->set_switch({"remote", state, "", "me", clock_.now(), {}}));
  }
  static std::string alias_in(const net::Response& response) {
    return std::string(object(response).at("files").at(0).at("file").as_string());
  }
  std::string download() {
    const net::Response response = ask("GET", "/image/download?url=" + encoded(cat_));
    EXPECT_EQ(response.status, 201) << text(response);
    return alias_in(response);
  }
  const std::string cat_ = "https://o.example/cat.png?a=1&b=2";
  const std::vector<net::Header> relayed_{{"X-Forwarded-For", "192.0.2.1"}};
};

TEST_F(RemotesTest, are_served_to_strangers_only_after_lemmy_asked_for_them) {
  EXPECT_EQ(ask("GET", "/image/original?proxy=" + cat_, relayed_).status, 404);
  EXPECT_EQ(fetcher_.fetches, 0);
  EXPECT_EQ(text(ask("GET", "/image/original?proxy=" + encoded(cat_))), "rendition of cat");
  EXPECT_EQ(text(ask("GET", "/image/original?proxy=" + cat_, relayed_)), "rendition of cat");
  EXPECT_EQ(text(ask("GET", "/image/process.webp?proxy=" + cat_ + "&thumbnail=32", relayed_)),
            "rendition of cat 32x24 webp");
  EXPECT_EQ(ask("GET", "/image/details/original?proxy=" + encoded(cat_)).status, 200);
  EXPECT_EQ(fetcher_.fetches, 1);
}

TEST_F(RemotesTest, that_expired_are_fetched_again_for_strangers_since_they_were_announced) {
  ASSERT_EQ(ask("GET", "/image/original?proxy=" + encoded(cat_)).status, 200);
  clock_.advance(options_.keep_proxied + std::chrono::hours(1));
  ASSERT_TRUE(media_->maintain());
  EXPECT_EQ(ask("GET", "/image/details/original?proxy=" + encoded(cat_)).status, 404);
  EXPECT_EQ(ask("GET", "/image/original?proxy=" + cat_, relayed_).status, 200);
  EXPECT_EQ(fetcher_.fetches, 2);
}

TEST_F(RemotesTest, downloaded_again_cost_neither_a_fetch_nor_a_look_nor_disk) {
  const std::string path = "/image/download?resize=32&url=" + encoded(cat_);
  const net::Response first = ask("GET", path);
  ASSERT_EQ(first.status, 201) << text(first);
  const int decodes = decoders_.decodes;
  const net::Response second = ask("GET", path);
  ASSERT_EQ(second.status, 201) << text(second);
  EXPECT_NE(text(first), text(second));  // another alias
  EXPECT_EQ(fetcher_.fetches, 1);
  EXPECT_EQ(decoders_.decodes, decodes);
  EXPECT_EQ(blobs_on_disk(), 1u);
  const auto alias = [&](const net::Response& response) {
    return std::string(object(response).at("files").at(0).at("file").as_string());
  };
  EXPECT_EQ(text(ask("GET", "/image/original/" + alias(first))), "rendition of cat 32x24 png");
  EXPECT_EQ(text(ask("GET", "/image/original/" + alias(second))), "rendition of cat 32x24 png");
}

TEST_F(RemotesTest, that_are_refused_are_stood_in_for_and_not_fetched_again) {
  model_->nsfw = {0.95};
  for (int i = 0; i < 2; ++i) {
    const std::string stand_in = download();
    EXPECT_EQ(text(ask("GET", "/image/original/" + stand_in, relayed_)), kPlaceholder);
    EXPECT_EQ(text(ask("GET", "/image/original?proxy=" + encoded(cat_))), kPlaceholder);
  }
  EXPECT_EQ(fetcher_.fetches, 1);
  EXPECT_EQ(blobs_on_disk(), 0u);
  EXPECT_EQ(header(ask("GET", "/image/original?proxy=" + cat_, relayed_), "cache-control"),
            "no-store");
}

TEST_F(RemotesTest, are_kept_passed_through_or_blocked_as_the_switch_says) {
  constexpr std::string_view kKept = "rendition of cat", kOrigin = "", kNothing = "x";
  const struct {
    const char* state;
    int download;
    std::string_view stand_in, proxied;  // what is shown
    int details;
    int fetches;
  } cases[] = {
      {"block", 201, kPlaceholder, kPlaceholder, 200, 0},
      {"pass_through", 403, kNothing, kOrigin, 404, 0},
      {"cache", 201, kKept, kKept, 200, 1},
      {"pass_through", 403, kNothing, kOrigin, 404, 1},
      {"block", 201, kPlaceholder, kPlaceholder, 200, 1},
  };
  for (const auto& c : cases) {
    flip(c.state);
    const net::Response proxied = ask("GET", "/image/original?proxy=" + encoded(cat_));
    EXPECT_EQ(proxied.status, c.proxied == kOrigin ? 307 : 200) << c.state;
    EXPECT_EQ(text(proxied), c.proxied) << c.state;
    if (c.proxied == kOrigin) EXPECT_EQ(header(proxied, "location"), cat_);
    EXPECT_EQ(text(ask("GET", "/image/original?proxy=" + cat_, relayed_)), c.proxied) << c.state;
    EXPECT_EQ(ask("GET", "/image/details/original?proxy=" + encoded(cat_)).status, c.details);
    const net::Response downloaded = ask("GET", "/image/download?url=" + encoded(cat_));
    EXPECT_EQ(downloaded.status, c.download) << c.state;
    if (c.stand_in != kNothing)
      EXPECT_EQ(text(ask("GET", "/image/original/" + alias_in(downloaded), relayed_)), c.stand_in);
    EXPECT_EQ(fetcher_.fetches, c.fetches) << c.state;
  }
}

TEST_F(RemotesTest, that_were_stood_in_for_are_shown_as_the_switch_says_later) {
  flip("block");
  const net::Response stood_in = ask("GET", "/image/download?url=" + encoded(cat_));
  const std::string alias = alias_in(stood_in);
  const std::string token(object(stood_in).at("files").at(0).at("delete_token").as_string());
  const std::string target = "/image/original/" + alias;
  const std::string small = "/image/process.webp?src=" + alias + "&thumbnail=32";
  flip("pass_through");
  EXPECT_EQ(header(ask("GET", target, relayed_), "location"), cat_);
  EXPECT_EQ(ask("GET", small, relayed_).status, 307);
  EXPECT_EQ(fetcher_.fetches, 0);
  flip("cache");
  EXPECT_EQ(text(ask("GET", small, relayed_)), "rendition of cat 32x24 webp");
  EXPECT_EQ(text(ask("GET", target, relayed_)), "rendition of cat");
  EXPECT_EQ(fetcher_.fetches, 1);
  flip("block");
  EXPECT_EQ(text(ask("GET", target, relayed_)), "rendition of cat") << "it was screened";
  EXPECT_EQ(ask("DELETE", "/image/delete/" + token + "/" + alias).status, 204) << "as before";
}

TEST_F(RemotesTest, that_turn_out_to_be_refused_later_are_never_led_to) {
  flip("block");
  const std::string alias = download();
  flip("cache");
  model_->nsfw = {0.95};
  EXPECT_EQ(text(ask("GET", "/image/original/" + alias, relayed_)), kPlaceholder);
  for (const char* state : {"pass_through", "block", "cache"}) {
    flip(state);
    EXPECT_EQ(text(ask("GET", "/image/original/" + alias, relayed_)), kPlaceholder) << state;
    EXPECT_EQ(text(ask("GET", "/image/original?proxy=" + encoded(cat_))), kPlaceholder) << state;
    EXPECT_EQ(text(ask("GET", "/image/original/" + download(), relayed_)), kPlaceholder) << state;
  }
  clock_.advance(options_.keep_proxied + std::chrono::hours(1));
  flip("pass_through");
  EXPECT_EQ(text(ask("GET", "/image/original/" + alias, relayed_)), kPlaceholder)
      << "nobody looks again, so the verdict holds";
  EXPECT_EQ(fetcher_.fetches, 1);
}

TEST_F(RemotesTest, that_cannot_be_had_now_are_shown_where_they_lie) {
  flip("block");
  const std::string alias = download();
  flip("cache");
  fetcher_.web.clear();
  EXPECT_EQ(header(ask("GET", "/image/original/" + alias, relayed_), "location"), cat_);
}

TEST_F(RemotesTest, are_not_kept_by_default_where_no_classifier_looks) {
  judge_by(
      "[[rule]]\nname = \"all\"\nwhen = { format = [\"gif\"] }\nthen = \"accept\"\n"
      "[default]\nthen = \"accept\"\n");
  EXPECT_EQ(ask("GET", "/image/download?url=" + encoded(cat_)).status, 403);
  EXPECT_EQ(ask("GET", "/image/original?proxy=" + encoded(cat_)).status, 307);
  flip("cache");
  EXPECT_EQ(ask("GET", "/image/download?url=" + encoded(cat_)).status, 201);
}

TEST(SmallerLook, is_asked_of_other_lemmy_sites_in_their_own_words) {
  const struct {
    const char* url;
    const char* smaller;
  } cases[] = {
      {"https://a.example/pictrs/image/x.png",
       "https://a.example/pictrs/image/x.png?format=webp&thumbnail=96"},
      {"https://a.example/api/v4/image/x.png",
       "https://a.example/api/v4/image/x.png?file_type=webp&max_size=96"},
      {"https://a.example/pictrs/image/x.png?format=jpg",
       "https://a.example/pictrs/image/x.png?format=jpg"},
      {"https://a.example/x.png", "https://a.example/x.png"},
      {"https://a.example/y/pictrs/image/x.png", "https://a.example/y/pictrs/image/x.png"},
      {"https://a.example", "https://a.example"},
  };
  for (const auto& c : cases) EXPECT_EQ(smaller_look(c.url, "webp", "96"), c.smaller);
  EXPECT_EQ(smaller_look(cases[0].url, "webp", ""), cases[0].url) << "the whole was asked for";
}

TEST_F(RemotesTest, that_cannot_be_had_leave_nothing) {
  const struct {
    const char* url;
    int status;
    const char* code;
  } cases[] = {
      {"https://o.example/missing", 400, "download-file-error"},
      {"https://o.example/page", 400, "command-failure"},
      {"https://o.example/large", 413, "validate-file-size"},
      {"data:image/png;base64,AAAA", 400, "download-file-error"},
      {"ftp://o.example/x", 400, "download-file-error"},
  };
  for (const auto& c : cases)
    for (const char* path : {"/image/download?url=", "/image/original?proxy="}) {
      const net::Response response = ask("GET", path + encoded(c.url));
      EXPECT_EQ(response.status, c.status) << path << c.url;
      EXPECT_THAT(text(response), HasSubstr(c.code)) << path << c.url;
    }
  EXPECT_EQ(blobs_on_disk(), 0u);
}

TEST_F(RemotesTest, of_this_very_site_are_resolved_inside_and_go_with_their_parent) {
  const File cat = uploaded("picture cat");
  const std::string own = "https://lemmy.example/pictrs/image/" + cat.alias;
  const net::Response small = ask("GET", "/image/download?resize=32&url=" + encoded(own));
  ASSERT_EQ(small.status, 201) << text(small);
  const std::string alias(object(small).at("files").at(0).at("file").as_string());
  EXPECT_EQ(text(ask("GET", "/image/original/" + alias)), "rendition of cat 32x24 png");
  EXPECT_EQ(text(ask("GET", "/image/original?proxy=" + encoded(own))), "rendition of cat");
  EXPECT_EQ(text(ask("GET", "/image/original?proxy=" + own, relayed_)), "rendition of cat");
  EXPECT_EQ(fetcher_.fetches, 0);
  ASSERT_EQ(ask("DELETE", "/image/delete/" + cat.token + '/' + cat.alias).status, 204);
  EXPECT_EQ(ask("GET", "/image/original/" + alias).status, 404);
  EXPECT_EQ(ask("GET", "/image/download?url=" + encoded("https://lemmy.example/post/1")).status,
            400);
  EXPECT_EQ(fetcher_.fetches, 0);
}

TEST_F(RemotesTest, behind_this_site_s_own_proxy_address_are_the_remote_ones) {
  const std::string wrapped = "https://lemmy.example/api/v3/image_proxy?url=" + encoded(cat_);
  EXPECT_EQ(text(ask("GET", "/image/original?proxy=" + encoded(wrapped))), "rendition of cat");
  EXPECT_EQ(text(ask("GET", "/image/original?proxy=" + cat_, relayed_)), "rendition of cat");
  EXPECT_EQ(fetcher_.fetches, 1);
}

TEST_F(RemotesTest, make_room_for_uploads_and_are_passed_through_when_there_is_none) {
  ASSERT_EQ(ask("GET", "/image/original?proxy=" + encoded(cat_)).status, 200);
  uploaded("picture dog");
  options_.max_bytes = 20;  // "rendition of dog" alone has 16
  restart();
  ASSERT_TRUE(media_->maintain());
  EXPECT_EQ(ask("GET", "/image/details/original?proxy=" + encoded(cat_)).status, 404);
  EXPECT_EQ(ask("GET", "/image/original?proxy=" + cat_, relayed_).status, 200);  // fetched again
  ASSERT_TRUE(media_->maintain());
  options_.max_bytes = 10;
  restart();
  ASSERT_TRUE(media_->maintain());
  const net::Response passed = ask("GET", "/image/original?proxy=" + cat_, relayed_);
  EXPECT_EQ(passed.status, 307);
  EXPECT_EQ(header(passed, "location"), cat_);
  EXPECT_EQ(header(passed, "cache-control"), "no-store");
  const net::Response full = upload({"picture bird"});
  EXPECT_EQ(full.status, 503);
  EXPECT_THAT(text(full), HasSubstr("storage-full"));
}

// --- the internal API ---

}  // namespace
}  // namespace portcullis::media

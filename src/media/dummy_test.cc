#include "media/media_testing.h"

namespace portcullis::media {
namespace {

class DummyTest : public ::testing::Test {
 protected:
  net::Response ask(const std::string& method, const std::string& target,
                    std::vector<net::Header> headers = {}, const std::string& body = "") {
    net::Request request;
    request.method = method;
    request.path = target.substr(0, target.find('?'));
    if (target.contains('?')) request.query = target.substr(target.find('?') + 1);
    request.headers = std::move(headers);
    TextBody reader(body);
    return ::portcullis::testing::run_task(dummy_.handle(request, reader));
  }
  net::Response upload(const std::string& bytes, const std::string& path = "/image") {
    return ask("POST", path, {{"Content-Type", "multipart/form-data; boundary=b"}},
               multipart({bytes}));
  }
  static std::string text(const net::Response& response) {
    return std::get<std::string>(response.body);
  }
  static std::string alias_in(const net::Response& response) {
    return std::string(json::parse(text(response)).at("files").at(0).at("file").as_string());
  }

  ::portcullis::testing::VirtualClock clock_;
  FakeFetcher fetcher_;
  Dummy dummy_{"the key", {.max_file_size = 1'000, .max_bytes = 1'500}, fetcher_, clock_};
};

TEST_F(DummyTest, takes_any_bytes_and_gives_them_back) {
  const net::Response uploaded = upload("test");
  ASSERT_EQ(uploaded.status, 201);
  EXPECT_THAT(text(uploaded), HasSubstr(R"("width":0,"height":0)"));
  EXPECT_THAT(text(uploaded), HasSubstr(R"("content_type":"image/png")"));
  const std::string alias = alias_in(uploaded);
  EXPECT_TRUE(alias.ends_with(".png"));
  EXPECT_EQ(text(ask("GET", "/image/original/" + alias)), "test");
  EXPECT_EQ(text(ask("GET", "/image/process.webp?src=" + alias + "&thumbnail=9")), "test");
  EXPECT_EQ(ask("GET", "/image/details/original/" + alias).status, 200);
  EXPECT_EQ(ask("GET", "/image/original/nobody.png").status, 404);
}

TEST_F(DummyTest, says_what_it_is) {
  EXPECT_THAT(text(ask("GET", "/healthz")), HasSubstr("dummy mode"));
}

TEST_F(DummyTest, deletes_purges_and_lets_claim) {
  const std::string alias = alias_in(upload("test"));
  EXPECT_EQ(ask("DELETE", "/image/delete/wrong/" + alias).status, 403);
  EXPECT_EQ(ask("POST", "/internal/purge?alias=" + alias).status, 401);
  EXPECT_EQ(ask("POST", "/internal/purge?alias=" + alias, {{"X-Api-Token", "the key"}}).status,
            200);
  EXPECT_EQ(ask("GET", "/image/original/" + alias).status, 404);
  const json::value begun = json::parse(text(upload("later", "/image/backgrounded")));
  const std::string claim = "/image/backgrounded/claim?upload_id=" +
                            std::string(begun.at("uploads").at(0).at("upload_id").as_string());
  EXPECT_EQ(ask("GET", claim).status, 200);
  EXPECT_EQ(ask("GET", claim).status, 400);
}

TEST_F(DummyTest, fetches_what_is_asked_for_by_url) {
  fetcher_.web["http://o.example/a"] = "remote";
  EXPECT_EQ(ask("GET", "/image/details/original?proxy=http%3A%2F%2Fo.example%2Fa").status, 404);
  EXPECT_EQ(text(ask("GET", "/image/original?proxy=http%3A%2F%2Fo.example%2Fa")), "remote");
  EXPECT_EQ(ask("GET", "/image/details/original?proxy=http%3A%2F%2Fo.example%2Fa").status, 200);
  EXPECT_EQ(ask("GET", "/image/download?url=http%3A%2F%2Fo.example%2Fa").status, 201);
  EXPECT_EQ(ask("GET", "/image/download?url=http%3A%2F%2Fo.example%2Fb").status, 400);
}

TEST_F(DummyTest, holds_no_more_than_it_may) {
  EXPECT_EQ(upload(std::string(1'001, 'x')).status, 413);
  EXPECT_EQ(upload(std::string(1'000, 'x')).status, 201);
  EXPECT_EQ(upload(std::string(600, 'x')).status, 503);
  EXPECT_EQ(dummy_.pictures(), 1u);
}

}  // namespace
}  // namespace portcullis::media

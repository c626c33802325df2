#include "media/media_testing.h"

namespace portcullis::media {
namespace {

class VariantsTest : public MediaTest {
 protected:
  std::string of(const File& file, const std::string& rest) { return "src=" + file.alias + rest; }
};

TEST_F(VariantsTest, are_made_once_and_served_with_their_own_type) {
  const File cat = uploaded("picture cat");
  const std::string path = "/image/process.webp?" + of(cat, "&thumbnail=32");
  EXPECT_EQ(ask("HEAD", path).status, 404);  // HEAD makes nothing
  const int before = decoders_.decodes;
  const net::Response made = ask("GET", path);
  EXPECT_EQ(made.status, 200);
  EXPECT_EQ(text(made), "rendition of cat 32x24 webp");
  EXPECT_EQ(header(made, "content-type"), "image/webp");
  EXPECT_EQ(text(ask("GET", path, {{"X-Forwarded-For", "192.0.2.1"}})), text(made));
  EXPECT_EQ(ask("HEAD", path).status, 200);
  EXPECT_EQ(decoders_.decodes, before + 1);
  restart();  // nothing is hot any more
  EXPECT_EQ(text(ask("GET", path)), text(made));
  EXPECT_EQ(decoders_.decodes, before + 1);
  const json::object details =
      object(ask("GET", "/image/details/process.webp?" + of(cat, "&thumbnail=32")));
  EXPECT_EQ(details.at("width").to_number<int>(), 32);
  EXPECT_EQ(ask("GET", "/image/details/process.webp?" + of(cat, "&thumbnail=33")).status, 404);
}

TEST_F(VariantsTest, that_cannot_be_are_the_client_s_mistake) {
  const File cat = uploaded("picture cat");
  const struct {
    std::string target;
    int status;
    std::string code;
  } cases[] = {
      {"/image/process.bmp?src=" + cat.alias, 400, "invalid-file-extension"},
      {"/image/process.webp?resize=0&src=" + cat.alias, 400, "invalid-process-path"},
      {"/image/process.webp?resize=1", 400, "invalid-query"},
      {"/image/process.webp?src=nobody.png&blur=x", 400, "invalid-process-path"},
      {"/image/process.webp?src=nobody.png", 404, ""},
  };
  for (const auto& c : cases) {
    const net::Response response = ask("GET", c.target);
    EXPECT_EQ(response.status, c.status) << c.target;
    EXPECT_THAT(text(response), HasSubstr(c.code)) << c.target;
  }
}

TEST_F(VariantsTest, go_with_their_picture) {
  const File cat = uploaded("picture cat");
  const std::string path = "/image/process.webp?" + of(cat, "&thumbnail=32");
  ASSERT_EQ(ask("GET", path).status, 200);
  EXPECT_EQ(blobs_on_disk(), 2u);
  ASSERT_EQ(ask("DELETE", "/image/delete/" + cat.token + '/' + cat.alias).status, 204);
  EXPECT_EQ(ask("GET", path).status, 404);
  EXPECT_EQ(sweep(*store_, *blobs_, 10).value(), 2u);
  EXPECT_EQ(blobs_on_disk(), 0u);
}

TEST_F(VariantsTest, go_when_nobody_asks_for_them_and_come_back_when_somebody_does) {
  options_.keep_variants = std::chrono::hours(24);
  restart();
  const File cat = uploaded("picture cat");
  const std::string path = "/image/process.webp?" + of(cat, "&thumbnail=32");
  ASSERT_EQ(ask("GET", path).status, 200);
  clock_.advance(std::chrono::hours(20));
  ASSERT_EQ(ask("GET", path).status, 200);
  ASSERT_TRUE(media_->maintain());
  clock_.advance(std::chrono::hours(20));
  ASSERT_TRUE(media_->maintain());
  EXPECT_EQ(ask("HEAD", path).status, 200);
  ASSERT_TRUE(media_->maintain());
  clock_.advance(std::chrono::hours(25));
  ASSERT_TRUE(media_->maintain());
  EXPECT_EQ(ask("HEAD", path).status, 404);
  EXPECT_EQ(ask("GET", path).status, 200);
  EXPECT_EQ(ask("GET", "/image/original/" + cat.alias).status, 200);
}

TEST_F(VariantsTest, wait_for_a_decoder_no_longer_than_they_may) {
  const File cat = uploaded("picture cat");
  decoders_.fail_with = Error{Fault::limits, "no decoder came free in time", "decoder-busy"};
  const net::Response response = ask("GET", "/image/process.webp?" + of(cat, "&thumbnail=32"));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(header(response, "retry-after"), "5");
  decoders_.fail_with.reset();
  EXPECT_EQ(ask("GET", "/image/process.webp?" + of(cat, "&thumbnail=32")).status, 200);
}

// --- remote pictures ---

class InternalTest : public MediaTest {
 protected:
  InternalTest() {
    options_.api_key = "the key";
    options_.max_file_count = 3;
    restart();
  }
  net::Response order(const std::string& method, const std::string& target,
                      const std::string& body = "") {
    return ask(method, target, {{"X-Api-Token", "the key"}}, body);
  }
};

TEST_F(InternalTest, lets_in_whoever_has_the_key_and_nobody_else) {
  const char* path = "/internal/hashes";
  EXPECT_EQ(order("GET", path).status, 200);
  for (const char* key : {"", "the kez", "the key ", "the keythe key"}) {
    const net::Response refused = ask("GET", path, {{"X-Api-Token", key}});
    EXPECT_EQ(refused.status, 401) << key;
    EXPECT_EQ(text(refused), R"({"msg":"Invalid API Key","code":"invalid-api-token"})");
  }
  EXPECT_EQ(ask("GET", path).status, 401);
  EXPECT_EQ(ask("GET", path, {{"X-Api-Token", "the key"}, {"X-Forwarded-For", "192.0.2.1"}}).status,
            404);
  options_.api_key = "";
  restart();
  EXPECT_EQ(ask("GET", path, {{"X-Api-Token", ""}}).status, 401);
}

TEST_F(InternalTest, deletes_purges_and_tells_who_shares_a_picture) {
  const File a = uploaded("picture cat"), b = uploaded("picture cat"), c = uploaded("picture dog");
  EXPECT_THAT(text(order("GET", "/internal/aliases?alias=" + a.alias)), HasSubstr(b.alias));
  EXPECT_EQ(order("GET", "/internal/aliases?alias=nobody").status, 404);
  EXPECT_THAT(text(order("GET", "/internal/identifier?alias=" + a.alias)),
              HasSubstr(R"({"msg":"ok","identifier":")"));
  EXPECT_EQ(order("POST", "/internal/delete?alias=" + c.alias).status, 200);
  EXPECT_EQ(order("POST", "/internal/delete?alias=" + c.alias).status, 200);  // gone is deleted
  EXPECT_EQ(ask("GET", "/image/original/" + c.alias).status, 404);
  const net::Response purged = order("POST", "/internal/purge?alias=" + a.alias);
  EXPECT_EQ(purged.status, 200);
  EXPECT_THAT(text(purged), HasSubstr(b.alias));
  EXPECT_EQ(ask("GET", "/image/original/" + b.alias).status, 404);
  EXPECT_EQ(order("POST", "/internal/purge?alias=" + a.alias).status, 404);
}

TEST_F(InternalTest, and_deletions_tell_who_wants_to_know_what_went) {
  std::vector<std::string> told;
  options_.on_deleted = [&](const std::vector<std::string>& aliases) {
    told.insert(told.end(), aliases.begin(), aliases.end());
  };
  restart();
  const File a = uploaded("picture cat"), b = uploaded("picture cat"), c = uploaded("picture dog");
  ask("DELETE", "/image/delete/wrong/" + c.alias);
  EXPECT_TRUE(told.empty());
  ask("DELETE", "/image/delete/" + c.token + '/' + c.alias);
  EXPECT_EQ(told, std::vector<std::string>{c.alias});
  order("POST", "/internal/purge?alias=" + a.alias);
  EXPECT_THAT(told, ::testing::UnorderedElementsAre(a.alias, b.alias, c.alias));
}

TEST_F(InternalTest, shows_what_an_admin_chose_for_pictures_that_are_not_there) {
  EXPECT_EQ(text(ask("GET", "/image/original/nobody.png")), "");
  EXPECT_EQ(order("POST", "/internal/set_not_found", R"({"alias":"nobody.png"})").status, 404);
  EXPECT_EQ(order("POST", "/internal/set_not_found", R"({"proxy":"http://x/"})").status, 400);
  EXPECT_EQ(order("POST", "/internal/set_not_found", "nonsense").status, 400);
  const File cat = uploaded("picture cat");
  EXPECT_EQ(order("POST", "/internal/set_not_found", R"({"alias":")" + cat.alias + "\"}").status,
            201);
  const net::Response shown = ask("GET", "/image/original/nobody.png");
  EXPECT_EQ(shown.status, 404);
  EXPECT_EQ(text(shown), "rendition of cat");
  EXPECT_EQ(header(shown, "cache-control"), "no-store");
  EXPECT_EQ(text(ask("GET", "/image/original/nobody.png", {{"X-Forwarded-For", "192.0.2.1"}})), "");
}

TEST_F(InternalTest, pages_through_everything_that_is_stored) {
  for (const char* name : {"a", "b", "c"}) {
    uploaded(std::string("picture ") + name);
    clock_.advance(std::chrono::seconds(1));
  }
  const json::object first =
      object(order("GET", "/internal/hashes?limit=2")).at("page").as_object();
  EXPECT_EQ(first.at("hashes").as_array().size(), 2u);
  EXPECT_FALSE(first.contains("prev"));
  EXPECT_EQ(first.at("hashes").at(0).at("hex").as_string().size(), 78u);
  const std::string next(first.at("next").as_string());
  const json::object second =
      object(order("GET", "/internal/hashes?limit=2&slug=" + next)).at("page").as_object();
  EXPECT_EQ(second.at("current").as_string(), next);
  EXPECT_EQ(second.at("prev").as_string(), first.at("current").as_string());
  EXPECT_FALSE(second.contains("next"));
  EXPECT_EQ(second.at("hashes").as_array().size(), 1u);
  EXPECT_EQ(order("GET", "/internal/hashes?slug=!!!").status, 200);
  EXPECT_EQ(order("GET", "/internal/hashes?limit=x").status, 400);
  EXPECT_EQ(order("GET", "/internal/hashes?timestamp=yesterday").status, 400);
}

TEST_F(InternalTest, imports_under_the_names_that_files_have) {
  const auto import = [&](const std::string& bytes) {
    return ask("POST", "/internal/import",
               {{"X-Api-Token", "the key"}, {"Content-Type", "multipart/form-data; boundary=b"}},
               multipart({bytes}));
  };
  const net::Response first = import("picture cat");
  EXPECT_EQ(first.status, 201) << text(first);
  EXPECT_EQ(text(ask("GET", "/image/original/x.png")), "rendition of cat");
  const net::Response second = import("picture dog");
  EXPECT_EQ(second.status, 400);
  EXPECT_THAT(text(second), HasSubstr("duplicate-alias"));
  EXPECT_EQ(text(ask("GET", "/image/original/x.png")), "rendition of cat");
  model_->nsfw = {0.95};
  EXPECT_EQ(import("picture bird").status, 400);
}

TEST_F(InternalTest, forgets_pictures_whose_files_are_lost) {
  const File cat = uploaded("picture cat"), dog = uploaded("picture dog");
  const auto row = store_->find(cat.alias);
  ASSERT_TRUE(blobs_->remove((*row)->alias.blob));
  EXPECT_EQ(text(order("POST", "/internal/prune_missing")),
            R"({"complete":false,"progress":0,"total":0})");
  EXPECT_THAT(text(order("POST", "/internal/prune_missing")), HasSubstr(R"("complete":true)"));
  EXPECT_EQ(ask("GET", "/image/original/" + cat.alias).status, 404);
  EXPECT_EQ(ask("GET", "/image/original/" + dog.alias).status, 200);
}

// --- uploads that are screened after the answer ---

TEST_F(MediaTest, an_upload_in_the_background_is_claimed_once) {
  const auto begin = [&](const std::string& bytes) {
    const net::Response begun =
        ask("POST", "/image/backgrounded", {{"Content-Type", "multipart/form-data; boundary=b"}},
            multipart({bytes}));
    EXPECT_EQ(begun.status, 202) << text(begun);
    return "/image/backgrounded/claim?upload_id=" +
           std::string(object(begun).at("uploads").at(0).at("upload_id").as_string());
  };
  const std::string cat = begin("picture cat");
  const net::Response claimed = ask("GET", cat);
  EXPECT_EQ(claimed.status, 200) << text(claimed);
  const std::string alias(object(claimed).at("files").at(0).at("file").as_string());
  EXPECT_EQ(text(ask("GET", "/image/original/" + alias)), "rendition of cat");
  EXPECT_EQ(ask("GET", cat).status, 400);
  EXPECT_EQ(ask("GET", "/image/backgrounded/claim?upload_id=nobody").status, 400);
  model_->nsfw = {0.95};
  const net::Response refused = ask("GET", begin("picture dog"));
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(text(refused), HasSubstr("failed-external-validation"));
  EXPECT_EQ(blobs_on_disk(), 1u);
}

TEST_F(MediaTest, limits_and_operations_of_the_query_count) {
  const auto send = [&](const std::string& query) {
    return ask("POST", "/image?" + query, {{"Content-Type", "multipart/form-data; boundary=b"}},
               multipart({"picture cat"}));
  };
  EXPECT_EQ(send("max_width=63").status, 400);
  EXPECT_EQ(send("max_width=64").status, 201);
  EXPECT_EQ(send("allow_image=false").status, 400);
  EXPECT_EQ(send("nonsense=1").status, 400);
  const net::Response small = send("resize=32");
  ASSERT_EQ(small.status, 201) << text(small);
  const json::value file = object(small).at("files").at(0);
  EXPECT_EQ(file.at("details").at("width").to_number<int>(), 32);
  EXPECT_EQ(text(ask("GET", "/image/original/" + std::string(file.at("file").as_string()))),
            "rendition of cat 32x24 png");
}

TEST_F(MediaTest, a_request_that_is_late_is_told_so) {
  const auto with = [](const char* value) {
    return std::vector<net::Header>{{"X-Request-Deadline", value}};
  };
  EXPECT_EQ(ask("GET", "/image/original/a.png", with("1")).status, 408);
  EXPECT_EQ(ask("GET", "/image/original/a.png", with("soon")).status, 400);
  EXPECT_EQ(ask("GET", "/image/original/a.png", with("99999999999999999999999999")).status, 404);
  EXPECT_EQ(ask("GET", "/healthz", with("1")).status, 200);
}

}  // namespace
}  // namespace portcullis::media

// In front of a pict-rs: what reaches it, what it answers, and what never does.
#include "media/media_testing.h"
#include "media/pict_rs_api.h"

namespace portcullis::media {
namespace {

constexpr const char* kKey = "the-gates-key";
constexpr const char* kPictRsKey = "pict-rs's-key";
const net::Header kRelayed{"X-Forwarded-For", "192.0.2.1"};
const net::Header kApiKey{"X-Api-Token", kKey};

// Keeps what it is given, as pict-rs does, and remembers what it was asked.
class FakePictRs final : public net::Upstream {
 public:
  struct Asked {
    std::string method, target, body;
    std::vector<net::Header> headers;
    std::string header(std::string_view name) const {
      for (const net::Header& one : headers)
        if (ascii_equal_ignoring_case(one.name, name)) return one.value;
      return {};
    }
  };

  Task<Result<net::UpstreamAnswer>> ask(net::UpstreamRequest request, Deadline deadline) override {
    Asked one{request.method, request.target, {}, request.headers};
    if (request.body) one.body = CO_TRY(co_await net::read_text(*request.body, 1 << 20));
    asked.push_back(one);
    deadlines.push_back(deadline);
    if (!code.empty()) co_return std::unexpected(Error{Fault::upstream, "it was told to", code});
    if (on_ask) on_ask(one);
    if (instead.status != 0 && one.target.starts_with(instead_of))
      co_return answer(instead.status, instead.body, instead.headers);
    co_return route(one);
  }

  std::string stored(const std::string& alias) const {
    const auto found = pictures.find(alias);
    return found == pictures.end() ? "" : found->second;
  }
  std::size_t asked_for(std::string_view part) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        asked, [&](const Asked& one) { return one.target.find(part) != std::string::npos; }));
  }

  std::vector<Asked> asked;
  std::vector<Deadline> deadlines;
  std::map<std::string, std::string> pictures;  // by alias
  std::string code;                             // of the error that every request ends with
  std::function<void(const Asked&)> on_ask;
  struct {
    int status = 0;
    std::string body;
    std::vector<net::Header> headers;
  } instead;  // what requests to `instead_of` are answered
  std::string instead_of;

 private:
  static net::UpstreamAnswer answer(int status, std::string body,
                                    std::vector<net::Header> headers = {}) {
    net::UpstreamAnswer result{status, std::move(headers), body.size(), nullptr};
    if (!body.empty()) result.body = std::make_shared<TextBody>(std::move(body));
    return result;
  }
  net::UpstreamAnswer keep(const Asked& one, std::string alias) {
    const auto begin = one.body.find("\r\n\r\n") + 4, end = one.body.rfind("\r\n--");
    if (pictures.contains(alias)) return answer(400, R"({"msg":"taken","code":"duplicate-alias"})");
    pictures[alias] = one.body.substr(begin, end - begin);
    return answer(201, fmt::format(R"({{"msg":"ok","files":[{{"file":"{}","delete_token":"token-{}",
      "details":{{"width":64,"height":48,"frames":null,"content_type":"image/png",
      "created_at":"2026-01-01T00:00:00.123456789Z","format":"Image","blurhash":"from-pict-rs",
      "new":1}}}}]}})",
                                   alias, alias));
  }
  net::UpstreamAnswer route(const Asked& one) {
    const auto question = one.target.find('?');
    const std::string path = one.target.substr(0, question);
    const std::string query = question == std::string::npos ? "" : one.target.substr(question + 1);
    const auto alias_in = [&](std::string_view key) {
      const auto values = net::query_values(query, key);
      return values.empty() ? std::string() : values.front();
    };
    if (path.starts_with("/internal/") && one.header("x-api-token") != kPictRsKey)
      return answer(401, R"({"msg":"Invalid API Key","code":"invalid-api-token"})");
    if (path == "/healthz") return answer(200, "");
    if (path == "/image" && one.method == "POST")
      return keep(one, fmt::format("kept-{}.png", ++count_));
    if (path == "/internal/import") {
      const auto name = one.body.find("filename=\"") + 10;
      return keep(one, one.body.substr(name, one.body.find('"', name) - name));
    }
    if (path.starts_with("/image/delete/")) {
      const auto slash = path.rfind('/');
      const std::string alias = path.substr(slash + 1);
      if (path.substr(14, slash - 14) != "token-" + alias && pictures.contains(alias))
        return answer(403, R"({"msg":"no","code":"invalid-delete-token"})");
      pictures.erase(alias);
      return answer(204, "");
    }
    if (path == "/internal/delete")
      return pictures.erase(alias_in("alias")) > 0
                 ? answer(200, R"({"msg":"ok"})")
                 : answer(404, R"({"msg":"none","code":"alias-not-found"})");
    if (path == "/internal/purge") {
      const std::string alias = alias_in("alias");
      if (pictures.erase(alias) == 0)
        return answer(404, R"({"msg":"none","code":"alias-not-found"})");
      return answer(200, fmt::format(R"({{"msg":"ok","aliases":["{}","twin.png"]}})", alias));
    }
    if (path.starts_with("/internal/")) return answer(200, R"({"msg":"ok","by":"pict-rs"})");
    std::string alias = alias_in("src");
    if (alias.empty()) alias = alias_in("alias");
    if (alias.empty()) alias = path.substr(path.rfind('/') + 1);
    if (!pictures.contains(alias))
      return answer(
          404, "not found picture",
          {{"Content-Type", "image/png"}, {"Cache-Control", "public, max-age=604800, immutable"}});
    if (path.starts_with("/image/details/"))
      return answer(200, R"({"width":64})", {{"Content-Type", "application/json"}});
    const std::string bytes = path.starts_with("/image/process.") ? "variant" : pictures[alias];
    return answer(200, bytes,
                  {{"Content-Type", "image/png"},
                   {"Cache-Control", "public, max-age=604800, immutable"},
                   {"Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"},
                   {"Accept-Ranges", "bytes"},
                   {"Set-Cookie", "a=b"},
                   {"X-Powered-By", "pict-rs"}});
  }
  int count_ = 0;
};

class PictRsTest : public MediaTest {
 protected:
  PictRsTest() {
    options_.api_key = kKey;
    options_.pict_rs_key = kPictRsKey;
    options_.hosts = {"lemmy.example"};
    options_.on_deleted = [this](const std::vector<std::string>& aliases) {
      deleted_.insert(deleted_.end(), aliases.begin(), aliases.end());
    };
    reopen();
  }
  void reopen() {
    Services services{*store_, *blobs_, *scanner_, decoders_, fetcher_, *keeper_,
                      pool_,   pool_,   pool_,     clock_,    &pict_rs_};
    media_ = std::make_unique<Media>(options_, services);
  }

  static std::string body_of(const net::Response& response) {
    if (const auto* text = std::get_if<std::string>(&response.body)) return *text;
    const auto& part = std::get<net::StreamPart>(response.body);
    if (!part.reader) return {};
    return ::portcullis::testing::run_task(net::read_text(*part.reader, 1 << 20)).value_or("");
  }
  static std::string code_of(const net::Response& response) {
    return code_from_json(body_of(response));
  }
  // What it was asked, as "GET /image".
  std::vector<std::string> asked() const {
    std::vector<std::string> list;
    for (const auto& one : pict_rs_.asked) list.push_back(one.method + " " + one.target);
    return list;
  }
  void close() {
    ASSERT_TRUE(store_->set_switch({"uploads", "closed", "", "me", clock_.now(), {}}));
  }
  File uploaded_to_pict_rs(const std::string& bytes) {
    const net::Response response = upload({bytes});
    EXPECT_EQ(response.status, 201) << body_of(response);
    const json::object file = object(response).at("files").as_array().at(0).as_object();
    return {std::string(file.at("file").as_string()),
            std::string(file.at("delete_token").as_string())};
  }

  FakePictRs pict_rs_;
  std::vector<std::string> deleted_;
};

TEST_F(PictRsTest, Invariant1_what_reaches_it_is_the_rendition_and_its_answer_comes_back) {
  const net::Response response = upload({"picture cat"});
  EXPECT_EQ(response.status, 201);
  const json::object file = object(response).at("files").as_array().at(0).as_object();
  EXPECT_EQ(file.at("file"), "kept-1.png");
  EXPECT_EQ(file.at("delete_token"), "token-kept-1.png");
  const json::object& details = file.at("details").as_object();
  EXPECT_EQ(details.at("width"), 64);
  EXPECT_EQ(details.at("blurhash"), "from-pict-rs");
  EXPECT_EQ(details.at("created_at"), "2026-01-01T00:00:00.123456Z");
  EXPECT_EQ(pict_rs_.stored("kept-1.png"), "rendition of cat");
  ASSERT_EQ(asked(), std::vector<std::string>{"POST /image"});
  EXPECT_THAT(pict_rs_.asked[0].body, Not(HasSubstr("picture cat")));
  EXPECT_EQ(pict_rs_.asked[0].header("x-api-token"), "");
  EXPECT_EQ(blobs_on_disk(), 0u);
  EXPECT_EQ(store_->recent_verdicts(1)->front().original, sha256_of(as_bytes("picture cat")));
  EXPECT_EQ(media_->counters().accepted, 1u);
}

TEST_F(PictRsTest, Invariant1_what_is_refused_held_or_unanswered_never_reaches_it) {
  model_->nsfw = {0.99};
  EXPECT_EQ(code_of(upload({"picture bad"})), "failed-external-validation");
  model_->nsfw = {0.7};
  EXPECT_EQ(code_of(upload({"picture unsure"})), "held-for-review");
  model_->broken = true;
  EXPECT_EQ(code_of(upload({"picture dog"})), "screening-unavailable");
  EXPECT_EQ(code_of(upload({"broken"})), "command-failure");
  EXPECT_TRUE(asked().empty());
  EXPECT_EQ(store_->evidence_list(true, 10)->size(), 1u);
}

TEST_F(PictRsTest, Invariant2_a_url_is_answered_by_a_screened_copy_and_never_reaches_it) {
  fetcher_.web["https://origin.example/cat"] = "picture cat";
  const std::string target = "/image/original?proxy=https%3A%2F%2Forigin.example%2Fcat";
  for (int i = 0; i < 2; ++i) {
    const net::Response served = ask("GET", target);
    EXPECT_EQ(served.status, 200);
    EXPECT_EQ(body_of(served), "rendition of cat");
  }
  EXPECT_EQ(ask("GET", target, {kRelayed}).status, 200);
  EXPECT_EQ(ask("HEAD", target).status, 200);
  EXPECT_EQ(body_of(ask("GET",
                        "/image/process.webp?proxy=https%3A%2F%2Forigin.example%2Fcat&"
                        "thumbnail=96")),
            "variant");
  EXPECT_EQ(ask("GET", "/image/details/original?proxy=https%3A%2F%2Forigin.example%2Fcat").status,
            200);
  EXPECT_EQ(fetcher_.fetches, 1);
  EXPECT_EQ(pict_rs_.asked_for("proxy"), 0u);
  EXPECT_EQ(pict_rs_.asked_for("origin.example"), 0u);
  EXPECT_EQ(asked().back(), "GET /image/details/original/kept-1.png");
  EXPECT_EQ(asked()[asked().size() - 2], "GET /image/process.webp?src=kept-1.png&thumbnail=96");
}

TEST_F(PictRsTest, a_copy_that_it_lost_is_fetched_again) {
  fetcher_.web["https://origin.example/cat"] = "picture cat";
  const std::string target = "/image/original?proxy=https%3A%2F%2Forigin.example%2Fcat";
  EXPECT_EQ(ask("GET", target).status, 200);
  pict_rs_.pictures.clear();
  EXPECT_EQ(body_of(ask("GET", target)), "rendition of cat");
  EXPECT_EQ(fetcher_.fetches, 2);
  fetcher_.web.clear();
  pict_rs_.pictures.clear();
  EXPECT_EQ(ask("GET", target).status, 400);
}

TEST_F(PictRsTest, a_refused_remote_picture_never_reaches_it_and_is_not_fetched_again) {
  fetcher_.web["https://origin.example/bad"] = "picture bad";
  model_->nsfw = {0.99};
  for (int i = 0; i < 2; ++i) {
    const net::Response shown =
        ask("GET", "/image/original?proxy=https%3A%2F%2Forigin.example%2Fbad");
    EXPECT_EQ(header(shown, "cache-control"), "no-store");  // the placeholder
    EXPECT_THAT(body_of(shown), Not(HasSubstr("bad")));
    EXPECT_EQ(ask("GET", "/image/download?url=https%3A%2F%2Forigin.example%2Fbad").status, 201);
  }
  EXPECT_EQ(fetcher_.fetches, 1);
  EXPECT_TRUE(asked().empty());
}

TEST_F(PictRsTest, a_download_is_fetched_here_and_handed_on) {
  fetcher_.web["https://origin.example/cat"] = "picture cat";
  const net::Response response =
      ask("GET", "/image/download?url=https%3A%2F%2Forigin.example%2Fcat&resize=32");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(asked(), std::vector<std::string>{"POST /image"});
  const auto row = store_->handed_on("kept-1.png").value();
  ASSERT_TRUE(row);
  EXPECT_EQ(row->source, policy::Origin::remote);
  EXPECT_EQ(row->url, "https://origin.example/cat");
}

TEST_F(PictRsTest, a_picture_of_this_site_is_copied_screened_and_goes_with_its_parent) {
  const File cat = uploaded_to_pict_rs("picture cat");
  pict_rs_.pictures["old.png"] = "picture old";  // stored before there was a gate
  EXPECT_EQ(ask("GET",
                "/image/download?url=https%3A%2F%2Flemmy.example%2Fpictrs%2Fimage%2F"
                "old.png&resize=32")
                .status,
            201);
  EXPECT_THAT(pict_rs_.stored("kept-2.png"), HasSubstr("rendition of old"));
  EXPECT_EQ(fetcher_.fetches, 0);
  EXPECT_EQ(pict_rs_.asked_for("download"), 0u);
  model_->nsfw = {0.99};
  pict_rs_.pictures["bad.png"] = "picture bad";
  EXPECT_EQ(ask("GET",
                "/image/download?url=https%3A%2F%2Flemmy.example%2Fpictrs%2Fimage%2F"
                "bad.png")
                .status,
            400);
  EXPECT_EQ(ask("POST", "/internal/purge?alias=old.png", {kApiKey}).status, 200);
  EXPECT_EQ(pict_rs_.stored("kept-2.png"), "");
  EXPECT_EQ(deleted_, (std::vector<std::string>{"old.png", "kept-2.png", "twin.png"}));
  EXPECT_EQ(pict_rs_.stored(cat.alias), "rendition of cat");
  EXPECT_EQ(ask("GET",
                "/image/download?url=https%3A%2F%2Flemmy.example%2Fpictrs%2Fimage%2F"
                "none.png")
                .status,
            404);
}

TEST_F(PictRsTest, an_import_keeps_its_name) {
  const std::string body = multipart({"picture cat"});
  const std::vector<net::Header> headers{{"Content-Type", "multipart/form-data; boundary=b"},
                                         kApiKey};
  EXPECT_EQ(ask("POST", "/internal/import", headers, body).status, 201);
  EXPECT_EQ(pict_rs_.stored("x.png"), "rendition of cat");
  EXPECT_EQ(pict_rs_.asked[0].header("x-api-token"), kPictRsKey);
  const net::Response again = ask("POST", "/internal/import", headers, body);
  EXPECT_EQ(again.status, 400);
  EXPECT_EQ(code_of(again), "duplicate-alias");
}

TEST_F(PictRsTest, an_upload_that_is_claimed_later_is_screened_here) {
  const net::Response begun =
      ask("POST", "/image/backgrounded", {{"Content-Type", "multipart/form-data; boundary=b"}},
          multipart({"picture cat"}));
  ASSERT_EQ(begun.status, 202);
  const std::string id(
      object(begun).at("uploads").as_array().at(0).as_object().at("upload_id").as_string());
  const net::Response claimed = ask("GET", "/image/backgrounded/claim?upload_id=" + id);
  EXPECT_EQ(claimed.status, 200);
  EXPECT_EQ(pict_rs_.stored("kept-1.png"), "rendition of cat");
  EXPECT_EQ(asked(), std::vector<std::string>{"POST /image"});
}

TEST_F(PictRsTest, files_of_one_upload_stand_or_fall_together) {
  options_.max_file_count = 3;
  reopen();
  EXPECT_EQ(upload({"picture a", "picture b", "broken"}).status, 400);
  EXPECT_TRUE(pict_rs_.pictures.empty());
  EXPECT_EQ(upload({"picture a", "picture b"}).status, 201);
  EXPECT_EQ(pict_rs_.pictures.size(), 2u);
}

TEST_F(PictRsTest, Invariant10_what_was_under_way_when_uploads_closed_does_not_stay) {
  decoders_.on_decode = [&] { close(); };
  EXPECT_EQ(code_of(upload({"picture cat"})), "uploads-closed");
  EXPECT_TRUE(asked().empty());
  decoders_.on_decode = {};
  ASSERT_TRUE(store_->set_switch({"uploads", "open", "", "me", clock_.now(), {}}));
  pict_rs_.on_ask = [&](const FakePictRs::Asked& one) {
    if (one.target == "/image") close();
  };
  EXPECT_EQ(code_of(upload({"picture dog"})), "uploads-closed");
  EXPECT_TRUE(pict_rs_.pictures.empty());
  EXPECT_EQ(store_->counts()->verdicts, 0u);
}

TEST_F(PictRsTest, reads_pass_with_the_headers_that_matter) {
  const File cat = uploaded_to_pict_rs("picture cat");
  const net::Response served = ask("GET", "/image/original/" + cat.alias,
                                   {{"Range", "bytes=0-1"},
                                    {"If-None-Match", "\"x\""},
                                    {"Cookie", "jwt=s3cret"},
                                    {"Authorization", "Bearer s3cret"},
                                    {"X-Api-Token", kKey}});
  EXPECT_EQ(served.status, 200);
  EXPECT_EQ(body_of(served), "rendition of cat");
  EXPECT_EQ(header(served, "cache-control"), "public, max-age=86400");
  EXPECT_EQ(header(served, "last-modified"), "Thu, 01 Jan 2026 00:00:00 GMT");
  EXPECT_EQ(header(served, "x-content-type-options"), "nosniff");
  EXPECT_EQ(header(served, "set-cookie"), "");
  EXPECT_EQ(header(served, "x-powered-by"), "");
  const auto& told = pict_rs_.asked.back();
  EXPECT_EQ(told.header("range"), "bytes=0-1");
  EXPECT_EQ(told.header("if-none-match"), "\"x\"");
  for (const char* name : {"cookie", "authorization", "x-api-token", "x-forwarded-for"})
    EXPECT_EQ(told.header(name), "") << name;
  const net::Response head = ask("HEAD", "/image/original/" + cat.alias);
  EXPECT_EQ(std::get<net::StreamPart>(head.body).length, 16u);
}

TEST_F(PictRsTest, relayed_requests_have_their_few_shapes_and_no_condition) {
  const File cat = uploaded_to_pict_rs("picture cat");
  const std::size_t before = asked().size();
  EXPECT_EQ(ask("GET", "/image/original/" + cat.alias,
                {kRelayed, {"If-None-Match", "\"x\""}, {"Range", "bytes=0-1"}})
                .status,
            200);
  EXPECT_EQ(pict_rs_.asked.back().header("if-none-match"), "");
  EXPECT_EQ(pict_rs_.asked.back().header("range"), "bytes=0-1");
  for (const char* target :
       {"/image/details/original/kept-1.png", "/image/delete/token-kept-1.png/kept-1.png",
        "/image/download?url=https%3A%2F%2Forigin.example%2Fcat",
        "/internal/purge?alias=kept-1.png",
        "/image/process.webp?src=kept-1.png&thumbnail=9&proxy=https%3A%2F%2Forigin.example%2Fcat",
        "/image/original/..%2F..%2Finternal%2Fpurge", "/image/blurhash?alias=kept-1.png"})
    EXPECT_EQ(ask("GET", target, {kRelayed, kApiKey}).status, 404) << target;
  EXPECT_EQ(asked().size(), before + 1);
  const net::Response none = ask("GET", "/image/original/none.png", {kRelayed});
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(body_of(none), "");
  for (const int status : {204, 304}) {
    pict_rs_.instead_of = "/image/original/";
    pict_rs_.instead = {status, "", {}};
    EXPECT_EQ(ask("GET", "/image/original/" + cat.alias, {kRelayed}).status, 502) << status;
  }
  EXPECT_EQ(ask("GET", "/image/original/" + cat.alias).status, 304);
}

TEST_F(PictRsTest, whatever_a_query_hides_no_url_reaches_it) {
  fetcher_.web["https://origin.example/cat"] = "picture cat";
  for (const char* target :
       {"/image/process.webp?src=a.png&%70roxy=https%3A%2F%2Forigin.example%2Fcat",
        "/image/process.webp?src=a.png&proxy%3Dhttps%3A%2F%2Forigin.example%2Fcat&thumbnail=9",
        "/image/process.webp?src=a.png&thumbnail=9%26proxy%3Dhttps%3A%2F%2Forigin.example%2Fcat",
        "/image/process.webp?src=a.png&resize=9&url=https%3A%2F%2Forigin.example%2Fcat",
        "/image/original/a.png?proxy=https%3A%2F%2Forigin.example%2Fcat",
        "/image/original/a.png%3Fproxy=https%3A%2F%2Forigin.example%2Fcat",
        "/image/details/process.webp?src=a.png&%70roxy=https%3A%2F%2Forigin.example%2Fcat",
        "/image/process_backgrounded.webp?alias=a.png&%70roxy=https%3A%2F%2Forigin.example%2Fcat"})
    ask("GET", target);
  EXPECT_EQ(pict_rs_.asked_for("roxy"), 0u) << ::testing::PrintToString(asked());
  EXPECT_EQ(pict_rs_.asked_for("origin.example"), 0u) << ::testing::PrintToString(asked());
}

TEST_F(PictRsTest, deleting_passes_and_is_remembered) {
  const File cat = uploaded_to_pict_rs("picture cat");
  EXPECT_EQ(code_of(ask("DELETE", "/image/delete/wrong/" + cat.alias)), "invalid-delete-token");
  EXPECT_TRUE(deleted_.empty());
  EXPECT_EQ(ask("DELETE", "/image/delete/" + cat.token + "/" + cat.alias).status, 204);
  EXPECT_EQ(deleted_, std::vector<std::string>{cat.alias});
  EXPECT_EQ(store_->handed_on(cat.alias).value(), std::nullopt);
}

TEST_F(PictRsTest, the_internal_api_takes_our_key_and_gives_its_own) {
  const File cat = uploaded_to_pict_rs("picture cat");
  const std::size_t before = asked().size();
  for (const char* key : {"", "wrong", kPictRsKey}) {
    const net::Response response =
        ask("POST", "/internal/purge?alias=" + cat.alias, {{"X-Api-Token", key}});
    EXPECT_EQ(response.status, 401);
    EXPECT_EQ(code_of(response), "invalid-api-token");
  }
  EXPECT_EQ(asked().size(), before);
  const struct {
    const char *method, *target, *want;
  } cases[] = {
      {"GET", "/internal/aliases?alias=kept-1.png", "GET /internal/aliases?alias=kept-1.png"},
      {"GET", "/internal/identifier?alias=kept-1.png", "GET /internal/identifier?alias=kept-1.png"},
      {"GET", "/internal/hashes?limit=5&slug=a%2Fb&x=y", "GET /internal/hashes?limit=5&slug=a%2Fb"},
      {"DELETE", "/internal/variants", "DELETE /internal/variants"},
      {"POST", "/internal/prune_missing?force=true", "POST /internal/prune_missing?force=true"},
      {"POST", "/internal/delete?alias=kept-1.png", "POST /internal/delete?alias=kept-1.png"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ask(c.method, c.target, {kApiKey}).status, 200) << c.target;
    EXPECT_EQ(asked().back(), c.want);
    EXPECT_EQ(pict_rs_.asked.back().header("x-api-token"), kPictRsKey);
  }
  EXPECT_EQ(body_of(ask("POST", "/internal/delete?alias=none.png", {kApiKey})), R"({"msg":"ok"})");
  EXPECT_EQ(code_of(ask("POST", "/internal/purge?alias=none.png", {kApiKey})), "alias-not-found");
  EXPECT_EQ(ask("POST", "/internal/set_not_found", {kApiKey}, R"({"alias":"a.png","x":1})").status,
            200);
  EXPECT_EQ(pict_rs_.asked.back().body, R"({"alias":"a.png"})");
  EXPECT_EQ(code_of(ask("POST", "/internal/set_not_found", {kApiKey}, R"({"proxy":"https://o/"})")),
            "proxy-not-allowed");
  EXPECT_EQ(ask("POST", "/internal/export", {kApiKey}).status, 404);
}

TEST_F(PictRsTest, the_internal_api_knows_copies_by_their_url) {
  fetcher_.web["https://origin.example/cat"] = "picture cat";
  const std::string query = "?proxy=https%3A%2F%2Forigin.example%2Fcat";
  EXPECT_EQ(code_of(ask("POST", "/internal/purge" + query, {kApiKey})), "proxy-not-found");
  EXPECT_EQ(ask("GET", "/image/original" + query).status, 200);
  EXPECT_EQ(ask("POST", "/internal/purge" + query, {kApiKey}).status, 200);
  EXPECT_EQ(asked().back(), "POST /internal/purge?alias=kept-1.png");
  EXPECT_EQ(store_->remote("https://origin.example/cat").value()->alias, "");
}

TEST_F(PictRsTest, gone_or_slow_or_failing_it_is_said_and_counted) {
  const struct {
    const char* code;
    int upload, read;
  } cases[] = {{"upstream-unreachable", 503, 503},
               {"upstream-slow", 503, 503},
               {"upstream-busy", 503, 503},
               {"upstream-broken", 502, 502}};
  for (const auto& c : cases) {
    pict_rs_.code = c.code;
    const net::Response uploaded = upload({"picture cat"});
    EXPECT_EQ(uploaded.status, c.upload) << c.code;
    EXPECT_EQ(code_of(uploaded), c.code);
    EXPECT_TRUE(object(uploaded).at("files").is_null());
    const net::Response read = ask("GET", "/image/original/a.png");
    EXPECT_EQ(read.status, c.read) << c.code;
    EXPECT_EQ(code_of(read), c.code);
    EXPECT_EQ(ask("GET", "/healthz").status, 503);
    EXPECT_EQ(ask("DELETE", "/image/delete/t/a.png").status, c.read);
    EXPECT_EQ(ask("POST", "/internal/delete?alias=a.png", {kApiKey}).status, c.read);
  }
  pict_rs_.code.clear();
  pict_rs_.instead_of = "/";
  pict_rs_.instead = {500, R"({"msg":"secret inside","code":"postgres-error"})", {}};
  EXPECT_EQ(code_of(upload({"picture cat"})), "upstream-refused");
  EXPECT_EQ(code_of(ask("GET", "/image/original/a.png")), "upstream-refused");
  for (const char* junk : {"", "{", "[]", R"({"msg":"ok","files":[]})", R"({"msg":"ok"})",
                           R"({"files":[{"file":"../x","delete_token":"t","details":{}}]})"}) {
    pict_rs_.instead = {201, junk, {}};
    const net::Response response = upload({"picture cat"});
    EXPECT_EQ(response.status, 502) << junk;
    EXPECT_EQ(code_of(response), "upstream-broken") << junk;
  }
  EXPECT_GE(media_->counters().pict_rs_failures, 10u);
  EXPECT_EQ(store_->counts()->verdicts, 0u);
}

TEST_F(PictRsTest, nothing_waits_for_it_longer_than_for_ourselves) {
  upload({"picture cat"});
  ask("GET", "/image/original/a.png");
  fetcher_.web["https://origin.example/cat"] = "picture cat";
  ask("GET", "/image/download?url=https%3A%2F%2Forigin.example%2Fcat");
  ASSERT_EQ(pict_rs_.deadlines.size(), 3u);
  EXPECT_EQ(pict_rs_.deadlines[0], clock_.steady() + options_.upload_timeout);
  EXPECT_EQ(pict_rs_.deadlines[1], clock_.steady() + options_.variant_timeout);
  EXPECT_EQ(pict_rs_.deadlines[2], clock_.steady() + options_.fetch_timeout);
}

TEST_F(PictRsTest, a_word_of_its_own_for_the_client_comes_through) {
  pict_rs_.instead_of = "/image";
  pict_rs_.instead = {400, R"({"msg":"too wide","code":"validate-width"})", {}};
  EXPECT_EQ(code_of(upload({"picture cat"})), "validate-width");
  pict_rs_.instead = {400, R"({"msg":"read only","code":"read-only"})", {}};
  const net::Response response = upload({"picture cat"});
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(code_of(response), "upstream-refused");
}

TEST_F(PictRsTest, copies_that_nobody_asks_for_go_and_uploads_that_nobody_claims) {
  fetcher_.web["https://origin.example/cat"] = "picture cat";
  EXPECT_EQ(ask("GET", "/image/original?proxy=https%3A%2F%2Forigin.example%2Fcat").status, 200);
  ask("POST", "/image/backgrounded", {{"Content-Type", "multipart/form-data; boundary=b"}},
      multipart({"picture dog"}));
  EXPECT_EQ(pict_rs_.pictures.size(), 2u);
  ASSERT_TRUE(media_->maintain());
  ::portcullis::testing::run_task(media_->tidy_up());
  EXPECT_EQ(pict_rs_.pictures.size(), 2u);
  clock_.advance(std::chrono::hours(2));
  ::portcullis::testing::run_task(media_->tidy_up());
  EXPECT_EQ(pict_rs_.pictures.size(), 1u);
  clock_.advance(std::chrono::hours(24 * 8));
  ::portcullis::testing::run_task(media_->tidy_up());
  EXPECT_TRUE(pict_rs_.pictures.empty());
  EXPECT_EQ(store_->remote("https://origin.example/cat").value()->alias, "");
}

class PictRsRemoteTest : public PictRsTest {
 protected:
  PictRsRemoteTest() { fetcher_.web["https://origin.example/cat"] = "picture cat"; }
  void set_remote(const char* state) {
    ASSERT_TRUE(store_->set_switch({"remote", state, "", "me", clock_.now(), {}}));
  }
  // A thumbnail that was asked for while remote pictures were blocked.
  File stand_in() {
    set_remote("block");
    const net::Response response =
        ask("GET", "/image/download?url=https%3A%2F%2Forigin.example%2Fcat");
    EXPECT_EQ(response.status, 201);
    const json::object file = object(response).at("files").as_array().at(0).as_object();
    return {std::string(file.at("file").as_string()),
            std::string(file.at("delete_token").as_string())};
  }
};

TEST_F(PictRsRemoteTest, a_stand_in_shows_what_the_switch_says_and_never_asks_for_itself) {
  const std::string target = "/image/original/" + stand_in().alias;
  EXPECT_EQ(ask("GET", target).status, 200);  // the placeholder
  EXPECT_TRUE(asked().empty());
  set_remote("pass_through");
  EXPECT_EQ(ask("GET", target, {kRelayed}).status, 307);
  EXPECT_TRUE(asked().empty());
  set_remote("cache");
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(body_of(ask("GET", target, {kRelayed})), "rendition of cat");
  EXPECT_EQ(fetcher_.fetches, 1);
  EXPECT_EQ(ask("GET", "/image/details/original/" + target.substr(16)).status, 200);
  EXPECT_EQ(asked(), (std::vector<std::string>{"POST /image", "GET /image/original/kept-1.png",
                                               "GET /image/original/kept-1.png",
                                               "GET /image/details/original/kept-1.png"}));
  pict_rs_.pictures.clear();
  EXPECT_EQ(body_of(ask("GET", target)), "rendition of cat");  // once more, from its origin
  EXPECT_EQ(fetcher_.fetches, 2);
}

TEST_F(PictRsRemoteTest, a_stand_in_is_deleted_here_and_purged_with_its_copy) {
  const File one = stand_in();
  EXPECT_EQ(ask("DELETE", "/image/delete/wrong/" + one.alias).status, 403);
  EXPECT_EQ(ask("DELETE", "/image/delete/" + one.token + "/" + one.alias).status, 204);
  EXPECT_TRUE(asked().empty());
  EXPECT_EQ(ask("GET", "/image/original/" + one.alias, {kRelayed}).status, 404);
  const File other = stand_in();
  set_remote("cache");
  EXPECT_EQ(ask("GET", "/image/original/" + other.alias).status, 200);
  EXPECT_EQ(ask("POST", "/internal/purge?alias=" + other.alias, {kApiKey}).status, 200);
  EXPECT_TRUE(pict_rs_.pictures.empty());
  const File third = stand_in();
  EXPECT_EQ(ask("POST", "/internal/delete?alias=" + third.alias, {kApiKey}).status, 200);
  EXPECT_EQ(store_->stand_in(third.alias).value(), std::nullopt);
}

TEST_F(PictRsRemoteTest, what_was_under_way_when_remote_pictures_were_blocked_does_not_stay) {
  set_remote("cache");
  decoders_.on_decode = [&] { set_remote("block"); };
  EXPECT_EQ(ask("GET", "/image/download?url=https%3A%2F%2Forigin.example%2Fcat").status, 403);
  EXPECT_TRUE(asked().empty());
}

TEST_F(PictRsRemoteTest, while_it_is_blocked_or_passed_through_nothing_is_fetched_or_handed_on) {
  const std::string target = "/image/original?proxy=https%3A%2F%2Forigin.example%2Fcat";
  set_remote("block");
  EXPECT_EQ(ask("GET", target).status, 200);
  set_remote("pass_through");
  EXPECT_EQ(ask("GET", target).status, 307);
  EXPECT_EQ(ask("GET", "/image/download?url=https%3A%2F%2Forigin.example%2Fcat").status, 403);
  EXPECT_EQ(fetcher_.fetches, 0);
  EXPECT_TRUE(asked().empty());
}

TEST_F(PictRsTest, what_was_taken_off_the_site_stays_off) {
  // By a verdict, before this site went in front of a pict-rs.
  const Sha256 blob = sha256_of(as_bytes("rendition of bad"));
  ASSERT_TRUE(store_->claim(blob, {64, 48, {}, "image/png", "", 16}, clock_.now()));
  pict_rs_.pictures["gone.png"] = "rendition of bad";
  ASSERT_TRUE(store_->publish({1, {"gone.png", "t", blob, clock_.now()}, {}, {}, {}}));
  ASSERT_TRUE(store_->unpublish(blob, "verdict", "me", clock_.now()));
  EXPECT_EQ(ask("GET", "/image/original/gone.png").status, 410);
  EXPECT_TRUE(asked().empty());
}

TEST_F(PictRsTest, Invariant11_no_secret_reaches_the_log) {
  const File cat = uploaded_to_pict_rs("picture cat");
  ask("POST", "/internal/purge?alias=" + cat.alias, {kApiKey});
  ask("DELETE", "/image/delete/" + cat.token + "/" + cat.alias);
  pict_rs_.code = "upstream-broken";
  ask("DELETE", "/image/delete/" + cat.token + "/" + cat.alias);
  for (const std::string& secret : {std::string(kKey), std::string(kPictRsKey), cat.token})
    EXPECT_THAT(log_, Not(HasSubstr(secret)));
}

}  // namespace
}  // namespace portcullis::media

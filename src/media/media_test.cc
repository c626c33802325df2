#include "media/media_testing.h"

namespace portcullis::media {
namespace {

TEST_F(MediaTest, an_upload_comes_back_as_its_rendition_in_pict_rs_s_shape) {
  const net::Response response = upload({"picture cat"});
  EXPECT_EQ(response.status, 201);
  const json::object root = object(response);
  EXPECT_EQ(root.at("msg"), "ok");
  const json::object file = root.at("files").as_array().at(0).as_object();
  const json::object details = file.at("details").as_object();
  EXPECT_EQ(details.at("width"), 64);
  EXPECT_EQ(details.at("height"), 48);
  EXPECT_TRUE(details.at("frames").is_null());
  EXPECT_EQ(details.at("content_type"), "image/png");
  EXPECT_EQ(details.at("created_at"), "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(details.at("format"), "Image");
  EXPECT_EQ(details.at("blurhash").as_string(), "L8Eyb[~qfQ~q~qt7fQt7fQfQfQfQ");
  const std::string alias(file.at("file").as_string());
  EXPECT_THAT(alias, ::testing::EndsWith(".png"));

  const net::Response served = ask("GET", "/image/original/" + alias);
  EXPECT_EQ(served.status, 200);
  EXPECT_EQ(text(served), "rendition of cat");
  EXPECT_EQ(header(served, "content-type"), "image/png");
  EXPECT_EQ(header(served, "cache-control"), "public, max-age=86400");
  EXPECT_EQ(header(served, "accept-ranges"), "bytes");
  EXPECT_EQ(header(served, "last-modified"), "Thu, 01 Jan 2026 00:00:00 GMT");
  EXPECT_EQ(header(served, "etag"), '"' + sha256_of(as_bytes("rendition of cat")).hex() + '"');
  EXPECT_EQ(object(ask("GET", "/image/details/original/" + alias)), details);
}

TEST_F(MediaTest, Invariant8_a_refusal_says_the_same_whatever_refused_and_leaves_nothing) {
  model_->nsfw = {0.99};
  const net::Response porn = upload({"picture bad"});
  model_->nsfw = {0.7};
  const net::Response held = upload({"picture unsure"});
  EXPECT_EQ(porn.status, 400);
  EXPECT_EQ(object(held).at("code"), "held-for-review");
  const json::object body = object(porn);
  EXPECT_EQ(body.at("code"), "failed-external-validation");
  EXPECT_TRUE(body.at("files").is_null());
  for (const char* key : {"error", "message", "msg"}) {
    const std::string value(body.at(key).as_string());
    EXPECT_THAT(value, Not(HasSubstr(":")));
    for (const char* told : {"nsfw", "0.9", "porn", "model", "list"})
      EXPECT_THAT(value, Not(HasSubstr(told)));
  }
  EXPECT_EQ(blobs_on_disk(), 0u);
  EXPECT_EQ(store_->counts()->aliases, 0u);
  EXPECT_EQ(store_->counts()->refused, 2u);
}

TEST_F(MediaTest,
       Invariant4_while_screening_cannot_answer_uploads_are_refused_and_pictures_served) {
  const File cat = uploaded("picture cat");
  model_->broken = true;
  for (const char* bytes : {"picture dog", "crash"}) {
    const net::Response response = upload({bytes});
    EXPECT_EQ(response.status, 503) << bytes;
    EXPECT_EQ(object(response).at("code"), "screening-unavailable");
    EXPECT_FALSE(header(response, "retry-after").empty());
  }
  EXPECT_EQ(blobs_on_disk(), 1u);
  EXPECT_EQ(text(ask("GET", "/image/original/" + cat.alias)), "rendition of cat");
}

TEST_F(MediaTest, bad_uploads_get_the_word_that_clients_know) {
  const std::string type = "multipart/form-data; boundary=b";
  const std::string good = multipart({"picture cat"});
  const struct {
    const char* name;
    std::string type, body;
    int status;
    const char* code;
  } cases[] = {
      {"not a picture", type, multipart({"broken"}), 400, "command-failure"},
      {"empty file", type, multipart({""}), 400, "validate-file-empty"},
      {"no such field", type, multipart({"picture cat"}, "pictures"), 400, "validate-no-files"},
      {"two files", type, multipart({"picture cat", "picture dog"}), 400, "file-upload-error"},
      {"too large", type, multipart({std::string(5'001, 'x')}), 413, "validate-file-size"},
      {"cut off", type, good.substr(0, good.size() - 6), 400, "file-upload-error"},
      {"no body", type, "", 400, "file-upload-error"},
      {"not multipart", "text/plain", good, 400, "file-upload-error"},
      {"no content type", "", good, 400, "file-upload-error"},
  };
  for (const auto& c : cases) {
    const net::Response response = ask("POST", "/image", {{"Content-Type", c.type}}, c.body);
    EXPECT_EQ(response.status, c.status) << c.name << text(response);
    EXPECT_EQ(object(response).at("code"), c.code) << c.name;
  }
  EXPECT_EQ(blobs_on_disk(), 0u);
  EXPECT_EQ(media_->counters().spooled_bytes, 0u);
}

TEST_F(MediaTest, a_client_that_vanishes_leaves_nothing) {
  ask("POST", "/image", {{"Content-Type", "multipart/form-data; boundary=b"}},
      multipart({"picture cat"}).substr(0, 100), true);
  EXPECT_EQ(media_->counters().spooled_bytes, 0u);
  EXPECT_EQ(blobs_on_disk(), 0u);
}

TEST_F(MediaTest, several_files_stand_or_fall_together) {
  options_.max_file_count = 3;
  restart();
  EXPECT_EQ(upload({"picture a", "picture b", "broken"}).status, 400);
  EXPECT_EQ(store_->counts()->aliases, 0u);
  const net::Response response = upload({"picture a", "picture b"});
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(object(response).at("files").as_array().size(), 2u);
}

TEST_F(MediaTest, Invariant9_all_spools_together_are_bounded) {
  options_.spool_bytes = 10;
  restart();
  const net::Response response = upload({"picture cat"});
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(object(response).at("code"), "spool-full");
  EXPECT_EQ(header(response, "retry-after"), "60");
  EXPECT_EQ(media_->counters().spooled_bytes, 0u);
}

TEST_F(MediaTest, Invariant10_a_lockdown_stops_uploads_under_way_too) {
  const auto close = [&](const char* message) {
    ASSERT_TRUE(store_->set_switch({"uploads", "closed", message, "me", clock_.now(), {}}));
  };
  decoders_.on_decode = [&] { close("Back tomorrow."); };  // after the upload was let in
  const net::Response under_way = upload({"picture cat"});
  decoders_.on_decode = {};
  const net::Response later = upload({"picture dog"});
  for (const net::Response* response : {&under_way, &later}) {
    EXPECT_EQ(response->status, 400);
    EXPECT_EQ(object(*response).at("code"), "uploads-closed");
    EXPECT_EQ(object(*response).at("msg"), "Back tomorrow.");
  }
  EXPECT_EQ(store_->counts()->aliases, 0u);
  EXPECT_EQ(sweep(*store_, *blobs_, 10).value(), 1u);
  EXPECT_EQ(blobs_on_disk(), 0u);
}

TEST_F(MediaTest, the_same_bytes_again_cost_no_decode_and_no_disk) {
  uploaded("picture cat");
  uploaded("picture cat");
  EXPECT_EQ(decoders_.decodes, 1);
  EXPECT_EQ(model_->asked, 1);
  EXPECT_EQ(blobs_on_disk(), 1u);
  EXPECT_EQ(store_->counts()->aliases, 2u);
}

TEST_F(MediaTest, the_same_bytes_are_decoded_again_when_their_rendition_is_gone) {
  const File cat = uploaded("picture cat");
  ask("DELETE", "/image/delete/" + cat.token + "/" + cat.alias);
  EXPECT_EQ(sweep(*store_, *blobs_, 10).value(), 1u);
  const File again = uploaded("picture cat");
  EXPECT_EQ(decoders_.decodes, 2);
  EXPECT_EQ(text(ask("GET", "/image/original/" + again.alias)), "rendition of cat");
}

TEST_F(MediaTest, deleting_needs_the_token_and_is_idempotent) {
  const File cat = uploaded("picture cat");
  const net::Response wrong = ask("DELETE", "/image/delete/" + cat.alias + "/" + cat.alias);
  EXPECT_EQ(wrong.status, 403);
  EXPECT_EQ(object(wrong).at("code"), "invalid-delete-token");
  EXPECT_EQ(ask("GET", "/image/original/" + cat.alias).status, 200);
  EXPECT_EQ(ask("DELETE", "/image/delete/" + cat.token + "/" + cat.alias).status, 204);
  EXPECT_EQ(ask("GET", "/image/original/" + cat.alias).status, 404);
  EXPECT_EQ(ask("DELETE", "/image/delete/" + cat.token + "/" + cat.alias).status, 204);
  EXPECT_EQ(object(ask("GET", "/image/details/original/" + cat.alias)).at("code"),
            "alias-not-found");
}

TEST_F(MediaTest, ranges_and_conditions_are_for_direct_clients_and_relayed_ones_get_the_picture) {
  const File cat = uploaded("picture cat");
  const std::string target = "/image/original/" + cat.alias;
  const std::string etag = header(ask("GET", target), "etag");
  const struct {
    const char* name;
    net::Header header;
    int direct, relayed;
    const char* body;  // of the direct answer
  } cases[] = {
      {"range", {"Range", "bytes=0-8"}, 206, 206, "rendition"},
      {"suffix", {"Range", "bytes=-3"}, 206, 206, "cat"},
      {"behind the end", {"Range", "bytes=999-"}, 416, 416, ""},
      {"nonsense", {"Range", "bytes=abc"}, 200, 200, "rendition of cat"},
      {"same tag", {"If-None-Match", etag}, 304, 200, ""},
      {"other tag", {"If-None-Match", "\"other\""}, 200, 200, "rendition of cat"},
      {"not modified since", {"If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT"}, 304, 200, ""},
      {"modified since",
       {"If-Modified-Since", "Wed, 31 Dec 2025 23:59:59 GMT"},
       200,
       200,
       "rendition of cat"},
  };
  for (const auto& c : cases) {
    const net::Response direct = ask("GET", target, {c.header});
    EXPECT_EQ(direct.status, c.direct) << c.name;
    EXPECT_EQ(text(direct), c.body) << c.name;
    EXPECT_EQ(ask("GET", target, {c.header, {"X-Forwarded-For", "192.0.2.1"}}).status, c.relayed)
        << c.name;
  }
  EXPECT_EQ(header(ask("GET", target, {{"Range", "bytes=1-2"}}), "content-range"), "bytes 1-2/16");
  EXPECT_EQ(ask("GET", target, {{"Range", "bytes=1-2"}, {"If-Range", "\"other\""}}).status, 200);
  EXPECT_EQ(ask("GET", target, {{"Range", "bytes=1-2"}, {"If-Range", etag}}).status, 206);
  const net::Response several = ask("GET", target, {{"Range", "bytes=0-1,3-4"}});
  EXPECT_EQ(several.status, 416);
  EXPECT_EQ(object(several).at("code"), "range-not-satisfiable");
}

TEST_F(MediaTest, a_relayed_request_reaches_only_the_few_shapes_even_with_a_good_token) {
  const File cat = uploaded("picture cat");
  const net::Header relayed{"X-Forwarded-For", "192.0.2.1"};
  EXPECT_EQ(ask("DELETE", "/image/delete/" + cat.token + "/" + cat.alias, {relayed}).status, 404);
  EXPECT_EQ(ask("GET", "/image/details/original/" + cat.alias, {relayed}).status, 404);
  EXPECT_EQ(ask("GET", "/image/original/" + cat.alias, {relayed}).status, 200);
  EXPECT_EQ(ask("GET", "/healthz", {relayed}).status, 200);
  EXPECT_EQ(upload({"picture dog"}, {relayed}).status, 201);
}

TEST_F(MediaTest, Invariant11_no_secret_reaches_the_log) {
  const File cat = uploaded("picture cat");
  upload({"broken"}, {{"Authorization", "Bearer s3cret-jwt"}, {"Cookie", "jwt=s3cret-jwt"}});
  model_->nsfw = {0.99};
  upload({"picture bad"},
         {{"Authorization", "Bearer s3cret-jwt"}, {"X-Forwarded-For", "192.0.2.77"}});
  ask("DELETE", "/image/delete/" + cat.token + "/" + cat.alias);
  EXPECT_THAT(log_, HasSubstr("picture refused"));
  for (const std::string& secret : {std::string("s3cret"), cat.token, std::string("192.0.2.77")})
    EXPECT_THAT(log_, Not(HasSubstr(secret)));
}

TEST_F(MediaTest, files_that_no_row_knows_are_removed_at_start_up) {
  const File cat = uploaded("picture cat");
  const Bytes stray(9, std::byte{7});
  ASSERT_TRUE(blobs_->put(sha256_of(stray), stray));
  EXPECT_EQ(remove_orphans(*store_, *blobs_).value(), 1u);
  EXPECT_EQ(blobs_on_disk(), 1u);
  EXPECT_EQ(ask("GET", "/image/original/" + cat.alias).status, 200);
}

}  // namespace
}  // namespace portcullis::media

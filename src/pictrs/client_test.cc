#include <gmock/gmock.h>

#include "pictrs/pictrs.h"
#include "testing/raw_origin.h"
#include "testing/run_task.h"

namespace portcullis::pictrs {
namespace {

using ::portcullis::testing::answer;
using ::portcullis::testing::path_of;
using ::portcullis::testing::RawOrigin;
using ::portcullis::testing::run_task;
using ::portcullis::testing::whole;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kKey = "k3y-of-the-api";

RawOrigin::Play status(const std::string& line, const std::string& body = "{}") {
  return {answer(line, "Content-Length: " + std::to_string(body.size()) + "\r\n", body)};
}

class ClientTest : public ::testing::Test {
 protected:
  std::unique_ptr<Client> client(const std::string& address, const std::string& key = kKey) {
    auto made = Client::create(address, {.api_key = key}, *http_);
    PORTCULLIS_CHECK(made);
    return std::move(*made);
  }
  std::unique_ptr<egress::ConfiguredClient> http_ =
      std::move(*egress::ConfiguredClient::create({}));
};

TEST_F(ClientTest, shows_the_key_to_the_internal_api_and_to_nothing_else) {
  RawOrigin origin([](const std::string& head) {
    const std::string path = path_of(head);
    if (path.starts_with("/internal/hashes"))
      return RawOrigin::Play{whole(R"({"page":{"hashes":[]}})")};
    if (path.starts_with("/internal/aliases"))
      return RawOrigin::Play{whole(R"({"aliases":["a.png"]})")};
    if (path.starts_with("/internal/identifier"))
      return RawOrigin::Play{whole(R"({"identifier":"01/a.png"})")};
    if (path.starts_with("/image/details"))
      return RawOrigin::Play{whole(R"({"width":1,"height":2,"content_type":"image/png"})")};
    return RawOrigin::Play{whole("bytes")};
  });
  const auto pictrs = client(origin.url(""));
  EXPECT_TRUE(run_task(pictrs->health()));
  EXPECT_TRUE(run_task(pictrs->hashes(5'000, "")));
  EXPECT_TRUE(run_task(pictrs->hashes(50, "qq_-")));
  EXPECT_THAT(run_task(pictrs->aliases("a.png")).value(), ElementsAre("a.png"));
  EXPECT_EQ(run_task(pictrs->identifier("a.png")).value(), "01/a.png");
  EXPECT_EQ(run_task(pictrs->details("a.png")).value().height, 2u);
  std::string body;
  EXPECT_TRUE(run_task(pictrs->original("a.png", 5, [&](ByteView bytes) -> Status {
    body += as_text(bytes);
    return {};
  })));
  EXPECT_EQ(body, "bytes");
  EXPECT_TRUE(run_task(pictrs->delete_alias("a.png")));
  const auto heads = origin.heads();
  ASSERT_EQ(heads.size(), 8u);
  EXPECT_THAT(heads[0], StartsWith("GET /healthz "));
  EXPECT_THAT(heads[1], StartsWith("GET /internal/hashes?limit=1000 "));
  EXPECT_THAT(heads[2], StartsWith("GET /internal/hashes?limit=50&slug=qq_- "));
  EXPECT_THAT(heads[6], StartsWith("GET /image/original/a.png "));
  EXPECT_THAT(heads[7], StartsWith("POST /internal/delete?alias=a.png "));
  for (const std::string& head : heads)
    EXPECT_EQ(head.contains(kKey), path_of(head).starts_with("/internal/")) << head;
}

TEST_F(ClientTest, says_what_is_wrong_in_a_sentence_without_the_key) {
  const struct {
    const char* line;
    const char* code;
    const char* says;
  } table[] = {
      {"401 Unauthorized", "invalid-api-token", "give the one in its server.api_key"},
      {"500 Oh", "pict-rs-failed", "answered 500"},
      {"302 Found", "pict-rs-failed", "is no pict-rs 0.5"},
      {"404 Not Found", "alias-not-found", "no such picture"},
  };
  for (const auto& row : table) {
    RawOrigin origin([&](const std::string&) { return status(row.line); });
    const auto found = run_task(client(origin.url(""))->aliases("a.png"));
    ASSERT_FALSE(found) << row.line;
    EXPECT_EQ(found.error().code, row.code) << row.line;
    EXPECT_THAT(found.error().what, HasSubstr(row.says)) << row.line;
    EXPECT_THAT(found.error().what, HasSubstr(origin.url(""))) << row.line;
    EXPECT_THAT(found.error().what, Not(HasSubstr(kKey))) << row.line;
  }
}

TEST_F(ClientTest, calls_a_server_that_is_not_there_or_breaks_off_unreachable) {
  std::string gone;
  {
    RawOrigin origin([](const std::string&) {
      return RawOrigin::Play{answer("200 OK", "Content-Length: 100\r\n", "half")};
    });
    gone = origin.url("");
    std::string body;
    const auto broken = run_task(client(gone)->original("a.png", 1'000, [&](ByteView bytes) {
      body += as_text(bytes);
      return Status();
    }));
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, "unreachable");
    EXPECT_EQ(body, "half");
  }
  const auto found = run_task(client(gone)->health());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, "unreachable");
  EXPECT_EQ(found.error().fault, Fault::upstream);
}

TEST_F(ClientTest, wants_a_key_for_the_internal_api_before_it_asks) {
  RawOrigin origin([](const std::string&) { return status("200 OK"); });
  const auto found = run_task(client(origin.url(""), "")->hashes(1, ""));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, "invalid-api-token");
  EXPECT_EQ(origin.connections(), 0);
}

TEST_F(ClientTest, never_puts_into_a_path_what_is_no_alias) {
  RawOrigin origin([](const std::string&) { return status("200 OK"); });
  const auto pictrs = client(origin.url(""));
  for (const char* alias : {"", "a/b", "../purge", "a?x", "a b", "a%2fb", ".."}) {
    EXPECT_EQ(run_task(pictrs->aliases(alias)).error().code, "alias-not-found") << alias;
    EXPECT_EQ(run_task(pictrs->delete_alias(alias)).error().code, "alias-not-found") << alias;
  }
  EXPECT_FALSE(run_task(pictrs->hashes(1, "a&alias=b")));
  EXPECT_EQ(origin.connections(), 0);
}

TEST_F(ClientTest, takes_no_more_of_a_file_than_it_may_and_gives_the_sinks_error_back) {
  RawOrigin origin([](const std::string&) { return status("200 OK", "123456"); });
  const auto pictrs = client(origin.url(""));
  const auto long_one = run_task(pictrs->original("a.png", 5, [](ByteView) { return Status(); }));
  EXPECT_EQ(long_one.error().code, "validate-file-size");
  const auto full = run_task(pictrs->original("a.png", 6, [](ByteView) -> Status {
    return fail_with(Fault::limits, "spool-full", "the disk is full");
  }));
  EXPECT_EQ(full.error().code, "spool-full");
}

TEST(Client, takes_an_address_and_a_key_that_could_be_one) {
  const auto http = std::move(*egress::ConfiguredClient::create({}));
  EXPECT_FALSE(Client::create("pict-rs:8080", {}, *http));
  EXPECT_FALSE(Client::create("http://pict-rs:8080", {.api_key = "a\r\nb: c"}, *http));
  const auto made = Client::create("http://pict-rs:8080/", {}, *http);
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)->address(), "http://pict-rs:8080/");
}

}  // namespace
}  // namespace portcullis::pictrs

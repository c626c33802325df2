#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <condition_variable>
#include <mutex>

#include "egress/egress_testing.h"
#include "testing/temporary_folder.h"

namespace portcullis::egress {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Endpoint endpoint(const std::string& text) {
  auto parsed = Endpoint::parse(text);
  PORTCULLIS_CHECK(parsed);
  return *std::move(parsed);
}

class ConfiguredTest : public ::testing::Test {
 protected:
  Result<Reply> ask(const std::string& url, Request request, std::uint64_t max_bytes = 1'000,
                    std::chrono::milliseconds timeout = 20s) {
    return run_task(client_->ask(endpoint(url), std::move(request), max_bytes, timeout));
  }
  std::unique_ptr<ConfiguredClient> client_ = std::move(*ConfiguredClient::create({}));
};

TEST(Endpoint, is_an_address_without_secrets_or_a_query) {
  const struct {
    const char* text;
    const char* host;  // null: refused
    bool is_encrypted;
  } table[] = {
      {"https://shield.example", "shield.example", true},
      {"http://hma:5100/", "hma", false},
      {"http://127.0.0.1:5100/a/b/", "127.0.0.1", false},
      {"https://[::1]/", "::1", true},
      {"", nullptr, false},
      {"hma:5100", nullptr, false},
      {"ftp://hma/", nullptr, false},
      {"https://user:word@host/", nullptr, false},
      {"https://host/?key=1", nullptr, false},
      {"https://host/a b", nullptr, false},
  };
  for (const auto& row : table) {
    const auto parsed = Endpoint::parse(row.text);
    ASSERT_EQ(parsed.has_value(), row.host != nullptr) << row.text;
    if (!parsed) {
      EXPECT_EQ(parsed.error().fault, Fault::us) << row.text;
      continue;
    }
    EXPECT_EQ(parsed->host(), row.host) << row.text;
    EXPECT_EQ(parsed->is_encrypted(), row.is_encrypted) << row.text;
  }
}

TEST_F(ConfiguredTest, gives_the_body_of_a_success_to_whoever_wants_it_piece_by_piece) {
  RawOrigin origin([](const std::string& head) {
    return RawOrigin::Play{path_of(head) == "/list"
                               ? whole("entries")
                               : answer("404 No", "Content-Length: 2\r\n", "no")};
  });
  std::string body;
  const auto take = [&](ByteView piece) -> Status {
    body += as_text(piece);
    return {};
  };
  const auto got = ask(origin.url("/"), {.target = "/list", .sink = take});
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->body, "");
  EXPECT_EQ(body, "entries");
  const auto missing = ask(origin.url("/"), {.target = "/other", .sink = take});
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(body, "entries") << "an error page is no list";
  const auto refused = ask(origin.url("/"), {.target = "/list", .sink = [](ByteView) -> Status {
                                               return fail(Fault::storage, "the disk is full");
                                             }});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, "the disk is full");
  EXPECT_FALSE(ask(origin.url("/"), {.target = "/list", .sink = take}, 3)) << "too large";
}

TEST_F(ConfiguredTest, sends_what_it_is_given_and_gives_back_what_came) {
  RawOrigin origin([](const std::string&) {
    return RawOrigin::Play{answer("503 Soon", "Content-Length: 4\r\n", "wait")};
  });
  const auto got = ask(origin.url("/base/"),
                       {.target = "/m/lookup?signal=00", .headers = {"Authorization: Bearer abc"}});
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->status, 503);
  EXPECT_EQ(got->body, "wait");
  const std::string head = origin.heads().front();
  EXPECT_TRUE(head.starts_with("GET /base/m/lookup?signal=00 HTTP/1.1\r\n")) << head;
  EXPECT_THAT(head, HasSubstr("\r\nAuthorization: Bearer abc\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nUser-Agent: Portcullis\r\n"));
}

TEST_F(ConfiguredTest, an_address_keeps_its_last_slash_when_nothing_follows) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("")}; });
  ASSERT_TRUE(ask(origin.url("/check/"), {}));
  ASSERT_TRUE(ask(origin.url("/check"), {.target = "/a"}));
  EXPECT_EQ(path_of(origin.heads()[0]), "/check/");
  EXPECT_EQ(path_of(origin.heads()[1]), "/check/a");
}

TEST_F(ConfiguredTest, posts_a_text_or_a_part_of_a_file_and_asks_nobody_whether_it_may) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("ok")}; });
  ASSERT_TRUE(ask(origin.url("/"), {.is_post = true, .body = "{}"}));
  EXPECT_EQ(origin.bodies().back(), "{}");

  std::string bytes(3'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 256);
  const testing::TemporaryFolder folder;
  const auto path = folder.write("file", bytes);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(ask(origin.url("/"), {.is_post = true, .file = FilePart{fd.get(), bytes.size()}}));
  EXPECT_TRUE(origin.bodies().back() == bytes);
  EXPECT_THAT(origin.heads().back(), HasSubstr("\r\nContent-Length: 3000000\r\n"));
  EXPECT_THAT(origin.heads().back(), Not(HasSubstr("100-continue")));
}

TEST_F(ConfiguredTest, a_file_that_is_shorter_than_was_said_is_an_error) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("ok")}; });
  const testing::TemporaryFolder folder;
  const auto path = folder.write("file", "short");
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto got = ask(origin.url("/"), {.is_post = true, .file = FilePart{fd.get(), 500}});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().what, "the picture cannot be read");
  EXPECT_FALSE(ask(origin.url("/"), {.is_post = true, .file = FilePart{-1, 5}}));
}

TEST_F(ConfiguredTest, follows_no_redirect) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{redirect("/elsewhere")}; });
  const auto got = ask(origin.url("/"), {.headers = {"Authorization: Bearer abc"}});
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(got->status, 302);
  EXPECT_EQ(origin.connections(), 1);
}

TEST_F(ConfiguredTest, what_is_no_whole_answer_is_an_error) {
  const std::string many(70'000, 'x');
  const struct {
    const char* name;
    RawOrigin::Play play;
    const char* why;
  } table[] = {
      {"closed at once", {""}, ""},
      {"half a head", {"HTTP/1.1 200 OK\r\nA: b"}, ""},
      {"cut short", {answer("200 OK", "Content-Length: 10\r\n", "short")}, ""},
      {"no http", {"hello\r\n\r\n"}, ""},
      {"too long", {whole(std::string(1'001, 'x'))}, "its answer is too large"},
      {"too long, in chunks",
       {answer("200 OK", "Transfer-Encoding: chunked\r\n", "800\r\n" + std::string(0x800, 'x'))},
       "its answer is too large"},
      {"a head too long", {answer("200 OK", "X: " + many + "\r\n")}, "too large"},
      {"silence", {.bytes = "", .hold = true}, "it did not answer in time"},
      {"a drip",
       {.bytes = answer("200 OK", "Content-Length: 900\r\n"), .drip = 10ms},
       "it did not answer in time"},
  };
  for (const auto& row : table) {
    RawOrigin origin([&](const std::string&) { return row.play; });
    const auto got =
        ask(origin.url("/secret"), {.headers = {"Authorization: Bearer abc"}}, 1'000, 300ms);
    ASSERT_FALSE(got) << row.name;
    EXPECT_THAT(got.error().what, HasSubstr(row.why)) << row.name;
    EXPECT_THAT(got.error().what, Not(HasSubstr("abc"))) << row.name;
  }
}

TEST_F(ConfiguredTest, as_much_as_may_come_is_taken) {
  RawOrigin origin(
      [](const std::string&) { return RawOrigin::Play{whole(std::string(1'000, 'x'))}; });
  const auto got = ask(origin.url("/"), {});
  ASSERT_TRUE(got);
  EXPECT_EQ(got->body.size(), 1'000u);
}

TEST_F(ConfiguredTest, connects_without_asking_anything) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("")}; });
  EXPECT_TRUE(run_task(client_->connect(endpoint(origin.url("/")), 20s)));
  EXPECT_TRUE(origin.heads().empty());
  // Its own certificate, or none at all, is no encrypted connection.
  const std::string as_https = "https" + origin.url("/").substr(4);
  EXPECT_FALSE(run_task(client_->connect(endpoint(as_https), 2s)));
}

TEST_F(ConfiguredTest, no_more_than_so_many_are_asked_at_once_and_the_rest_wait_their_turn) {
  std::mutex mutex;
  std::condition_variable changed;
  int arrived = 0, now = 0, most = 0;
  // Each waits for another one: two are at work together, or nothing goes on.
  RawOrigin origin([&](const std::string&) {
    std::unique_lock lock(mutex);
    const int pair = arrived++ / 2;
    most = std::max(most, ++now);
    changed.notify_all();
    changed.wait_for(lock, 20s, [&] { return arrived / 2 > pair; });
    --now;
    return RawOrigin::Play{whole("ok")};
  });
  std::vector<Task<void>> tasks;
  std::atomic<int> good{0};
  const auto one = [&]() -> Task<void> {
    const auto got = co_await client_->ask(*Endpoint::parse(origin.url("/"), 2), {}, 1'000, 20s);
    good += got && got->status == 200 ? 1 : 0;
  };
  tasks.reserve(20);
  for (int i = 0; i < 20; ++i) tasks.push_back(one());
  run_task(all(std::move(tasks)));
  EXPECT_EQ(good, 20);
  EXPECT_EQ(most, 2);
}

TEST_F(ConfiguredTest, a_client_that_goes_ends_what_it_was_asked) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{.bytes = "", .hold = true}; });
  asio::io_context loop;
  std::optional<Result<Reply>> got;
  asio::co_spawn(loop, client_->ask(endpoint(origin.url("/")), {}, 1'000, 60s),
                 [&](std::exception_ptr, Result<Reply> reply) { got = std::move(reply); });
  loop.poll();
  client_.reset();
  loop.restart();
  loop.run();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->error().what, "this server is stopping");
}

TEST_F(ConfiguredTest, a_loop_that_goes_first_leaves_nothing_behind) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{.bytes = "", .hold = true}; });
  const testing::TemporaryFolder folder;
  const auto path = folder.write("file", std::string(1'000'000, 'x'));
  {
    asio::io_context loop;
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    asio::co_spawn(
        loop,
        client_->ask(endpoint(origin.url("/")),
                     {.is_post = true, .file = FilePart{fd.get(), 1'000'000}}, 1'000, 60s),
        [](std::exception_ptr, const Result<Reply>&) { FAIL(); });
    loop.poll();
  }
  client_.reset();
}

}  // namespace
}  // namespace portcullis::egress

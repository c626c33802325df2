#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <thread>

#include "egress/egress.h"
#include "testing/raw_origin.h"
#include "testing/run_task.h"

namespace portcullis::egress {
namespace {

using ::portcullis::testing::RawOrigin;
using ::portcullis::testing::run_task;
using namespace std::chrono_literals;

std::string answer(const std::string& status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\n" + headers + "\r\n" + body;
}
std::string whole(const std::string& body) {
  return answer("200 OK", "Content-Length: " + std::to_string(body.size()) + "\r\n", body);
}
std::string redirect(const std::string& to) {
  return answer("302 Found", "Location: " + to + "\r\nContent-Length: 0\r\n", "");
}
std::string path_of(const std::string& head) {
  const auto start = head.find(' ') + 1;
  return head.substr(start, head.find(' ', start) - start);
}

class EgressTest : public ::testing::Test {
 protected:
  explicit EgressTest(std::size_t max_per_host = 4) {
    Options options;
    options.allow = {*Network::parse("127.0.0.1/32")};
    options.max_per_host = max_per_host;
    client_ = std::move(*Client::create(std::move(options)));
  }
  // The body, or the code of the error.
  std::string get(const std::string& url, std::uint64_t max_bytes = 1'000,
                  std::chrono::milliseconds timeout = 5s) {
    std::string body;
    const Status status =
        run_task(client_->fetch(url, max_bytes, timeout, [&](ByteView bytes) -> Status {
          body += as_text(bytes);
          return {};
        }));
    return status ? body : status.error().code;
  }
  std::unique_ptr<Client> client_;
};

TEST_F(EgressTest, fetches_what_an_origin_serves) {
  std::string head;
  RawOrigin origin([&](const std::string& request) {
    head = request;
    return RawOrigin::Play{whole("a cat")};
  });
  EXPECT_EQ(get(origin.url("/cat.png?a=1&b=2")), "a cat");
  EXPECT_TRUE(head.starts_with("GET /cat.png?a=1&b=2 HTTP/1.1\r\n")) << head;
  for (const char* secret : {"Cookie", "Authorization", "Accept-Encoding"})
    EXPECT_EQ(head.find(secret), std::string::npos) << head;
}

TEST_F(EgressTest, gives_up_on_origins_that_do_not_keep_to_the_rules) {
  const struct {
    const char* path;
    RawOrigin::Play play;
    const char* code;
  } table[] = {
      {"/missing",
       {answer("404 Not Found", "Content-Length: 3\r\n", "no!")},
       "download-file-error"},
      {"/broken", {answer("500 Oh", "Content-Length: 0\r\n", "")}, "download-file-error"},
      {"/large", {answer("200 OK", "Content-Length: 5000\r\n", "")}, "validate-file-size"},
      {"/chunks",
       {answer("200 OK", "Transfer-Encoding: chunked\r\n",
               "400\r\n" + std::string(1024, 'x') + "\r\n0\r\n\r\n")},
       "validate-file-size"},
      {"/endless", {answer("200 OK", "", std::string(100'000, 'x'))}, "validate-file-size"},
      {"/short", {answer("200 OK", "Content-Length: 10\r\n", "abc")}, "download-file-error"},
      {"/nothing", {""}, "download-file-error"},
      {"/nonsense", {"\x16\x03\x01 this is no HTTP\r\n\r\n"}, "download-file-error"},
      {"/heads",
       {answer("200 OK", "X: " + std::string(90'000, 'x') + "\r\n", "")},
       "download-file-error"},
      {"/nowhere", {answer("302 Found", "Content-Length: 0\r\n", "")}, "download-file-error"},
      {"/unchanged", {answer("304 Not Modified", "", "")}, "download-file-error"},
  };
  RawOrigin origin([&](const std::string& head) {
    for (const auto& row : table)
      if (path_of(head) == row.path) return row.play;
    return RawOrigin::Play{};
  });
  for (const auto& row : table) EXPECT_EQ(get(origin.url(row.path)), row.code) << row.path;
}

TEST_F(EgressTest, follows_redirects_only_to_where_it_would_have_gone_itself) {
  RawOrigin* self = nullptr;
  RawOrigin origin([&](const std::string& head) {
    const std::string path = path_of(head);
    if (path == "/cat") return RawOrigin::Play{whole("a cat")};
    if (path == "/loop") return RawOrigin::Play{redirect("/loop")};
    if (path == "/relative") return RawOrigin::Play{redirect("cat")};
    if (path == "/inside") return RawOrigin::Play{redirect(self->url("/cat", "127.0.0.2"))};
    if (path == "/decimal") return RawOrigin::Play{redirect(self->url("/cat", "2130706434"))};
    if (path == "/mapped")
      return RawOrigin::Play{redirect(self->url("/cat", "[::ffff:127.0.0.2]"))};
    if (path == "/file") return RawOrigin::Play{redirect("file:///etc/passwd")};
    if (path == "/gopher") return RawOrigin::Play{redirect("gopher://127.0.0.1/")};
    if (path == "/user") return RawOrigin::Play{redirect("http://me:secret@127.0.0.1/")};
    return RawOrigin::Play{redirect("/" + path.substr(2))};  // "//cat" counts down to "/cat"
  });
  self = &origin;
  EXPECT_EQ(get(origin.url("/relative")), "a cat");
  EXPECT_EQ(get(origin.url("/xxxxcat")), "a cat");
  EXPECT_EQ(get(origin.url("/xxxxxxcat")), "download-file-error");  // one too many
  EXPECT_EQ(get(origin.url("/loop")), "download-file-error");
  for (const char* path : {"/inside", "/decimal", "/mapped"})
    EXPECT_EQ(get(origin.url(path)), "address-refused") << path;
  for (const char* path : {"/file", "/gopher", "/user"})
    EXPECT_EQ(get(origin.url(path)), "invalid-url") << path;
}

TEST_F(EgressTest, talks_to_no_address_that_is_not_public) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a secret")}; });
  for (const char* host : {"127.0.0.2", "2130706434", "0x7f.0.0.2", "0177.0.0.2", "[::1]",
                           "[::ffff:127.0.0.2]", "[::127.0.0.2]", "0.0.0.0", "[::]"})
    EXPECT_EQ(get(origin.url("/", host)), "address-refused") << host;
  EXPECT_EQ(origin.connections(), 0);
}

TEST_F(EgressTest, has_no_patience_beyond_the_time_it_was_given) {
  RawOrigin origin([](const std::string& head) {
    if (path_of(head) == "/silent") return RawOrigin::Play{"", true};
    return RawOrigin::Play{answer("200 OK", "Content-Length: 10\r\n", "abc"), true};
  });
  EXPECT_EQ(get(origin.url("/silent"), 1'000, 200ms), "fetch-timeout");
  EXPECT_EQ(get(origin.url("/drip"), 1'000, 200ms), "fetch-timeout");
}

TEST_F(EgressTest, ends_when_whoever_takes_the_bytes_has_had_enough) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a cat")}; });
  const Status status = run_task(client_->fetch(origin.url("/"), 1'000, 5s, [](ByteView) -> Status {
    return fail_with(Fault::limits, "spool-full", "no room");
  }));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, "spool-full");
}

class EgressAtOnce : public EgressTest {
 protected:
  EgressAtOnce() : EgressTest(2) {}
};

TEST_F(EgressAtOnce, asks_one_host_for_a_few_things_at_a_time) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a cat")}; });
  int fetched = 0;
  const auto one = [&]() -> Task<void> {
    const Status status =
        co_await client_->fetch(origin.url("/"), 1'000, 10s, [](ByteView) { return Status(); });
    fetched += status.has_value();
  };
  const auto many = [&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 30; ++i) tasks.push_back(one());
    co_await all(std::move(tasks));
  };
  run_task(many());
  EXPECT_EQ(fetched, 30);
  EXPECT_LE(origin.most_at_once(), 3);  // one may be closing while the next begins
}

TEST_F(EgressAtOnce, lets_those_that_wait_for_a_place_run_out_of_time) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{"", true}; });
  int late = 0;
  const auto one = [&]() -> Task<void> {
    const Status status =
        co_await client_->fetch(origin.url("/"), 1'000, 200ms, [](ByteView) { return Status(); });
    late += !status && status.error().code == "fetch-timeout";
  };
  const auto many = [&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 6; ++i) tasks.push_back(one());
    co_await all(std::move(tasks));
  };
  run_task(many());
  EXPECT_EQ(late, 6);
}

TEST_F(EgressTest, ends_what_is_under_way_when_it_goes) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{"", true}; });
  Status status;
  asio::io_context loop(1);
  asio::co_spawn(
      loop,
      [&]() -> Task<void> {
        status =
            co_await client_->fetch(origin.url("/"), 1'000, 60s, [](ByteView) { return Status(); });
      },
      asio::detached);
  std::thread runner([&] { loop.run(); });
  while (origin.connections() == 0) std::this_thread::yield();
  client_.reset();
  runner.join();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, "download-file-error");
}

}  // namespace
}  // namespace portcullis::egress

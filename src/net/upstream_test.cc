// The client of a server behind this one, against one that does what a test says.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <thread>

#include "net/head.h"
#include "net/net.h"
#include "testing/http_server.h"
#include "testing/raw_origin.h"
#include "testing/virtual_clock.h"

namespace portcullis::net {
namespace {

using namespace std::chrono_literals;
using portcullis::testing::answer;
using portcullis::testing::HttpServer;
using portcullis::testing::RawOrigin;
using portcullis::testing::VirtualClock;
using portcullis::testing::whole;

// Speaks for a while on each connection: an answer a request, then it may hear one more and close.
class Talker {
 public:
  struct Talk {
    std::vector<std::string> answers;
    bool hears_one_more = false;
  };
  explicit Talker(std::vector<Talk> talks)
      : talks_(std::move(talks)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    PORTCULLIS_CHECK(
        ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        ::listen(listener_.get(), 16) == 0 &&
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (const Talk& talk : talks_) {
        UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) return;
        ++connections_;
        sides_.emplace_back([this, &talk, client = std::move(client)] {
          for (const std::string& one : talk.answers) {
            if (!hear(client.get())) break;
            (void)::send(client.get(), one.data(), one.size(), MSG_NOSIGNAL);
          }
          if (talk.hears_one_more) hear(client.get());
        });
      }
    });
  }
  ~Talker() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& side : sides_) side.join();
  }
  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }
  int heard() const { return heard_; }

 private:
  bool hear(int client) {
    std::string request;
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = ::recv(client, buffer, sizeof buffer, 0);
      if (count <= 0) return false;
      request.append(buffer, static_cast<std::size_t>(count));
    }
    ++heard_;
    return true;
  }
  std::vector<Talk> talks_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0}, heard_{0};
  std::vector<std::thread> sides_;  // one a connection
  std::thread thread_;
};

class PatternBody final : public BodyReader {
 public:
  explicit PatternBody(std::string text) : text_(std::move(text)) {}
  Task<Result<std::size_t>> read(std::span<std::byte> into) override {
    if (at_ == text_.size() && fails) co_return fail_with(Fault::client, "mine", "vanished");
    const std::size_t count = std::min({into.size(), text_.size() - at_, std::size_t{7'001}});
    std::memcpy(into.data(), text_.data() + at_, count);
    at_ += count;
    co_return count;
  }
  bool fails = false;

 private:
  std::string text_;
  std::size_t at_ = 0;
};

struct Got {
  int status = 0;
  std::string body, error, code;
  std::optional<std::uint64_t> length;
  std::vector<Header> headers;
  std::string header(std::string_view name) const {
    for (const Header& one : headers)
      if (ascii_equal_ignoring_case(one.name, name)) return one.value;
    return "";
  }
};

class UpstreamTest : public ::testing::Test {
 protected:
  ~UpstreamTest() override { upstream_.reset(); }

  void connect_to(std::uint16_t port, UpstreamOptions options = {}) {
    options.port = port;
    options.sweep_interval = 5ms;
    upstream_ = Upstream::create(std::move(options), clock_);
  }
  Got ask(UpstreamRequest request, bool reads_body = true) {
    Got got;
    if (time_passes_) asio::co_spawn(loop_, let_time_pass(), asio::detached);
    asio::co_spawn(loop_, talk(std::move(request), reads_body, got), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
    loop_.restart();
    loop_.run();
    return got;
  }
  Got get(std::string target = "/") { return ask({.method = "GET", .target = std::move(target)}); }

  Task<void> talk(UpstreamRequest request, bool reads_body, Got& got) {
    co_await talk_on(std::move(request), reads_body, got);
    time_passes_ = false;
  }
  Task<void> talk_on(UpstreamRequest request, bool reads_body, Got& got) {
    auto answered = co_await upstream_->ask(std::move(request), clock_.steady() + 8s);
    if (!answered) {
      got.error = answered.error().what;
      got.code = answered.error().code;
      co_return;
    }
    got.status = answered->status;
    got.length = answered->length;
    got.headers = answered->headers;
    if (!answered->body || !reads_body) co_return;
    auto text = co_await read_text(*answered->body, 64 << 20);
    if (text)
      got.body = *text;
    else
      got.error = text.error().what, got.code = text.error().code;
  }

  // Half a second a millisecond, while somebody waits for the upstream.
  Task<void> let_time_pass() {
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, Executor>
        timer(co_await asio::this_coro::executor);
    while (time_passes_) {
      clock_.advance(500ms);
      timer.expires_after(1ms);
      co_await timer.async_wait(use_task);
    }
  }

  VirtualClock clock_;
  asio::io_context loop_;
  bool time_passes_ = false;
  std::unique_ptr<Upstream> upstream_;
};

TEST_F(UpstreamTest, an_answer_ends_by_length_by_chunks_or_with_the_connection) {
  const struct {
    const char *name, *method;
    std::string bytes;
    int status;
    std::string body;
    std::optional<std::uint64_t> length;
  } cases[] = {
      {"length", "GET", whole("picture"), 200, "picture", 7},
      {"empty", "GET", whole(""), 200, "", 0},
      {"chunks",
       "GET",
       answer("200 OK", "Transfer-Encoding: chunked\r\n",
              "3\r\npic\r\n4;a=b\r\nture\r\n0\r\nX: y\r\n\r\n"),
       200,
       "picture",
       {}},
      {"close",
       "GET",
       answer("200 OK", "Content-Type: image/png\r\n", "picture"),
       200,
       "picture",
       {}},
      {"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\npicture", 200, "picture", 7},
      {"nothing", "GET", answer("204 No Content", ""), 204, "", {}},
      {"not modified", "GET", answer("304 Not Modified", "Content-Length: 7\r\n"), 304, "", 7},
      {"to HEAD", "HEAD", answer("200 OK", "Content-Length: 7\r\n"), 200, "", 7},
      {"chunks to HEAD", "HEAD", answer("200 OK", "Transfer-Encoding: chunked\r\n"), 200, "", {}},
      {"interim", "GET",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + whole("a"), 200,
       "a", 1},
  };
  for (const auto& c : cases) {
    RawOrigin origin([&](const std::string&) { return RawOrigin::Play{c.bytes}; });
    connect_to(origin.port());
    const Got got = ask({.method = c.method, .target = "/"});
    EXPECT_EQ(got.status, c.status) << c.name << got.error;
    EXPECT_EQ(got.body, c.body) << c.name << got.error;
    EXPECT_EQ(got.length, c.length) << c.name;
    EXPECT_EQ(got.error, "") << c.name;
  }
}

TEST_F(UpstreamTest, large_bodies_stream_both_ways_whatever_their_framing) {
  std::string pattern(3'000'000, '\0');
  for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = static_cast<char>(i * 31 + i / 257);
  HttpServer server(
      [&](Request& request, BodyReader& body) -> Task<Response> {
        std::string got;
        std::vector<std::byte> block(64 * 1024);
        while (true) {
          const auto count = co_await body.read(block);
          if (!count || *count == 0) break;
          got += as_text(std::span(block).first(*count));
        }
        Response response;
        response.status = got == pattern ? 200 : 400;
        response.headers = {{"X-Length", request.content_length ? "known" : "unknown"}};
        StreamPart part{std::make_shared<PatternBody>(pattern), {}};
        if (request.path == "/known") part.length = pattern.size();
        response.body = std::move(part);
        co_return response;
      },
      clock_);
  connect_to(server.port());
  for (const char* path : {"/known", "/unknown"})
    for (const bool tells_length : {true, false}) {
      PatternBody body(pattern);
      UpstreamRequest request{.method = "POST", .target = path, .body = &body};
      if (tells_length) request.length = pattern.size();
      const Got got = ask(std::move(request));
      EXPECT_EQ(got.status, 200) << path << got.error;
      EXPECT_TRUE(got.body == pattern) << path;
      EXPECT_EQ(got.header("x-length"), tells_length ? "known" : "unknown");
    }
}

TEST_F(UpstreamTest, an_answer_that_breaks_off_is_never_taken_for_whole) {
  const struct {
    const char* name;
    std::string bytes;
  } cases[] = {
      {"nothing", ""},
      {"in the head", "HTTP/1.1 200 OK\r\nContent-Le"},
      {"before the body", answer("200 OK", "Content-Length: 7\r\n")},
      {"in the body", answer("200 OK", "Content-Length: 7\r\n", "pict")},
      {"in a chunk", answer("200 OK", "Transfer-Encoding: chunked\r\n", "7\r\npict")},
      {"before the last chunk", answer("200 OK", "Transfer-Encoding: chunked\r\n", "3\r\npic\r\n")},
  };
  for (const auto& c : cases) {
    RawOrigin origin([&](const std::string&) { return RawOrigin::Play{c.bytes}; });
    connect_to(origin.port());
    const Got got = get();
    EXPECT_EQ(got.code, "upstream-broken") << c.name << got.error;
    EXPECT_EQ(got.body, "") << c.name;
  }
}

TEST_F(UpstreamTest, what_is_no_answer_or_two_is_none) {
  std::string interim;
  for (int i = 0; i < 20; ++i) interim += "HTTP/1.1 103 Early Hints\r\n\r\n";
  const struct {
    const char* name;
    std::string bytes;
  } cases[] = {
      {"another protocol", "SSH-2.0-OpenSSH\r\n"},
      {"another version", "HTTP/2.0 200 OK\r\n\r\n"},
      {"no status", "HTTP/1.1 OK\r\n\r\n"},
      {"impossible status", "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n"},
      {"status above 599", "HTTP/1.1 700 Odd\r\nContent-Length: 0\r\n\r\n"},
      {"both framings",
       answer("200 OK", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "abc")},
      {"two lengths", answer("200 OK", "Content-Length: 3\r\nContent-Length: 3\r\n", "abc")},
      {"listed lengths", answer("200 OK", "Content-Length: 3, 3\r\n", "abc")},
      {"signed length", answer("200 OK", "Content-Length: +3\r\n", "abc")},
      {"huge length", answer("200 OK", "Content-Length: 99999999999999999999\r\n", "abc")},
      {"other coding", answer("200 OK", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")},
      {"coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"folded header", answer("200 OK", "X: a\r\n b\r\nContent-Length: 0\r\n")},
      {"control byte", answer("200 OK", std::string("X: a\0b\r\n", 8))},
      {"switching", answer("101 Switching Protocols", "Upgrade: x\r\n")},
      {"interim for ever", interim},
      {"bad chunk", answer("200 OK", "Transfer-Encoding: chunked\r\n", "zz\r\nabc\r\n0\r\n\r\n")},
  };
  for (const auto& c : cases) {
    RawOrigin origin(
        [&](const std::string&) { return RawOrigin::Play{.bytes = c.bytes, .hold = true}; });
    connect_to(origin.port());
    const Got got = get();
    EXPECT_EQ(got.code, "upstream-broken") << c.name << " " << got.status << got.error;
  }
}

TEST_F(UpstreamTest, a_head_is_bounded) {
  for (const bool ends : {true, false}) {
    RawOrigin origin([&](const std::string&) {
      return RawOrigin::Play{
          .bytes = "HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'x') + (ends ? "\r\n\r\n" : ""),
          .hold = true};
    });
    connect_to(origin.port());
    EXPECT_EQ(get().code, "upstream-broken") << ends;
  }
}

TEST_F(UpstreamTest, silence_and_dripping_have_an_end) {
  const struct {
    const char* name;
    std::string bytes;
    bool drips = true;
  } cases[] = {
      {"no answer", "", false},
      {"half a head", "HTTP/1.1 200 OK\r\nX: "},
      {"half a body", answer("200 OK", "Content-Length: 700\r\n", "pict")},
      {"half a chunk", answer("200 OK", "Transfer-Encoding: chunked\r\n", "700\r\npict")},
  };
  for (const auto& c : cases) {
    RawOrigin origin([&](const std::string&) {
      return RawOrigin::Play{.bytes = c.bytes, .hold = true, .drip = c.drips ? 2ms : 0ms};
    });
    connect_to(origin.port());
    time_passes_ = true;
    EXPECT_EQ(get().code, "upstream-slow") << c.name;
  }
}

TEST_F(UpstreamTest, nobody_at_home_is_said) {
  std::uint16_t port = 0;
  {
    RawOrigin origin([](const std::string&) { return RawOrigin::Play{}; });
    port = origin.port();
  }
  connect_to(port);
  EXPECT_EQ(get().code, "upstream-unreachable");
}

TEST_F(UpstreamTest, a_name_is_looked_up) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("here")}; });
  connect_to(origin.port(), {.host = "localhost"});
  EXPECT_EQ(get().body, "here");
  connect_to(origin.port(), {.host = "no-such-name.invalid"});
  EXPECT_EQ(get().code, "upstream-unreachable");
}

TEST_F(UpstreamTest, a_connection_serves_again_once_its_answer_was_read_to_the_end) {
  HttpServer server(
      [](Request& request, BodyReader&) -> Task<Response> {
        co_return Response{200, {}, std::string(request.path), false};
      },
      clock_);
  connect_to(server.port());
  EXPECT_EQ(get("/a").body, "/a");
  EXPECT_EQ(get("/b").body, "/b");
  EXPECT_EQ(server.server().connections(), 1u);
  EXPECT_EQ(ask({.method = "GET", .target = "/c"}, false).status, 200);  // drops the body
  EXPECT_EQ(get("/d").body, "/d");
}

TEST_F(UpstreamTest, what_follows_an_answer_is_not_the_next_ones) {
  Talker talker({{{whole("first") + whole("smuggled")}}, {{whole("second")}}});
  connect_to(talker.port());
  EXPECT_EQ(get().body, "first");
  EXPECT_EQ(get().body, "second");
}

TEST_F(UpstreamTest,
       a_kept_connection_that_was_closed_is_replaced_once_for_what_may_be_made_twice) {
  {
    Talker talker({{{whole("first")}, true}, {{whole("second")}}});
    connect_to(talker.port());
    EXPECT_EQ(get().body, "first");
    EXPECT_EQ(get().body, "second");  // it was heard and not answered
    EXPECT_EQ(talker.heard(), 3);
  }
  {
    Talker talker({{{whole("first")}, true}, {{}, true}, {{whole("third")}}});
    connect_to(talker.port());
    EXPECT_EQ(get().body, "first");
    EXPECT_EQ(get().code, "upstream-broken");  // not a second time
    EXPECT_EQ(talker.connections(), 2);
  }
  {
    Talker talker({{{whole("first"), "HTTP/1.1 2"}}, {{whole("second")}}});
    connect_to(talker.port());
    EXPECT_EQ(get().body, "first");
    EXPECT_EQ(get().code, "upstream-broken");  // an answer had begun
    EXPECT_EQ(talker.connections(), 1);
  }
}

TEST_F(UpstreamTest, what_must_not_be_made_twice_gets_a_connection_of_its_own) {
  Talker talker({{{whole("first")}, true}, {{}, true}, {{whole("third")}}});
  connect_to(talker.port());
  EXPECT_EQ(get().body, "first");
  EXPECT_EQ(ask({.method = "POST", .target = "/"}).code, "upstream-broken");
  EXPECT_EQ(talker.connections(), 2);
  upstream_.reset();  // and the connection that it keeps
}

TEST_F(UpstreamTest, a_connection_that_waited_too_long_is_not_used) {
  Talker talker({{{whole("first")}, false}, {{whole("second")}}});
  connect_to(talker.port());
  EXPECT_EQ(get().body, "first");
  clock_.advance(5s);
  EXPECT_EQ(get().body, "second");
  EXPECT_EQ(talker.connections(), 2);
}

TEST_F(UpstreamTest, headers_of_the_connection_stay_here) {
  RawOrigin origin([](const std::string&) {
    return RawOrigin::Play{answer("200 OK",
                                  "Content-Type: image/png\r\nConnection: keep-alive, X-Hop\r\n"
                                  "Keep-Alive: timeout=5\r\nX-Hop: 1\r\nETag: \"x\"\r\n"
                                  "Content-Length: 1\r\n",
                                  "a")};
  });
  connect_to(origin.port());
  const Got got = get();
  ASSERT_EQ(got.headers.size(), 2u);
  EXPECT_EQ(got.header("content-type"), "image/png");
  EXPECT_EQ(got.header("etag"), "\"x\"");
}

TEST_F(UpstreamTest, a_request_says_what_it_is_given_and_where_it_goes) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a")}; });
  connect_to(origin.port());
  ask({.method = "GET", .target = "/a?b=c", .headers = {{"Range", "bytes=0-1"}}});
  ask({.method = "POST", .target = "/"});
  EXPECT_EQ(origin.heads()[0], fmt::format("GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n"
                                           "Range: bytes=0-1\r\n\r\n",
                                           origin.port()));
  EXPECT_NE(origin.heads()[1].find("Content-Length: 0\r\n"), std::string::npos);
}

TEST_F(UpstreamTest, what_cannot_be_written_is_not_sent) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a")}; });
  connect_to(origin.port());
  for (const char* target : {"", "image", "/a b", "/a\r\nX: y", "/\x80"})
    EXPECT_NE(ask({.method = "GET", .target = target}).error, "") << target;
  EXPECT_NE(ask({.method = "GET", .target = "/", .headers = {{"X", "a\r\nY: b"}}}).error, "");
  EXPECT_NE(ask({.method = "G T", .target = "/"}).error, "");
  EXPECT_TRUE(origin.heads().empty());
}

TEST_F(UpstreamTest, a_body_that_fails_is_the_bodys_fault) {
  HttpServer server(
      [](Request&, BodyReader& body) -> Task<Response> {
        std::vector<std::byte> block(1024);
        const auto count = co_await body.read(block);
        co_return Response{count ? 200 : 400, {}, std::string(), false};
      },
      clock_);
  connect_to(server.port());
  PatternBody body("half");
  body.fails = true;
  EXPECT_EQ(ask({.method = "POST", .target = "/", .body = &body, .length = 8}).code, "mine");
}

TEST_F(UpstreamTest, an_answer_before_the_whole_request_counts) {
  RawOrigin origin([](const std::string&) {
    return RawOrigin::Play{answer("413 Too Large", "Content-Length: 2\r\n", "no")};
  });
  connect_to(origin.port());
  PatternBody body(std::string(100'000, 'x'));
  const Got got = ask({.method = "POST", .target = "/", .body = &body});  // it reads no chunks
  EXPECT_TRUE(got.status == 413 || got.code == "upstream-broken") << got.error;
}

TEST_F(UpstreamTest, requests_at_once_are_bounded) {
  RawOrigin origin(
      [](const std::string&) { return RawOrigin::Play{.bytes = whole("a"), .hold = true}; });
  connect_to(origin.port(), {.max_busy = 1});
  bool was_busy = false;
  asio::co_spawn(
      loop_,
      [&]() -> Task<void> {
        const auto first =
            co_await upstream_->ask({.method = "GET", .target = "/"}, Deadline::max());
        const auto second =
            co_await upstream_->ask({.method = "GET", .target = "/"}, Deadline::max());
        EXPECT_TRUE(first);
        was_busy = !second && second.error().code == "upstream-busy";
      },
      [](std::exception_ptr) {});
  loop_.run();
  EXPECT_TRUE(was_busy);
}

TEST(AnswerHead, is_kept_alive_only_when_its_end_is_known) {
  const struct {
    const char* head;
    bool keep;
  } cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true},
      {"HTTP/1.1 204 No Content\r\n\r\n", true},
      {"HTTP/1.1 200 OK\r\n\r\n", false},
      {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n", false},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n", false},
  };
  for (const auto& c : cases)
    EXPECT_EQ(parse_answer_head(c.head, false)->keep_alive, c.keep) << c.head;
}

// What a server sends on, seen from its own client.
class StreamTest : public ::testing::Test {
 protected:
  std::unique_ptr<HttpServer> serving(std::string text, std::optional<std::uint64_t> length,
                                      bool fails) {
    return std::make_unique<HttpServer>(
        [=](Request& request, BodyReader&) -> Task<Response> {
          auto body = std::make_shared<PatternBody>(text);
          body->fails = fails;
          StreamPart part{request.method == "HEAD" ? nullptr : body, length};
          co_return Response{200, {{"Content-Type", "image/png"}}, std::move(part), false};
        },
        clock_);
  }
  VirtualClock clock_;
};

TEST_F(StreamTest, a_known_length_is_told_and_the_connection_stays) {
  const auto server = serving("picture", 7, false);
  auto client = server->connect();
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(answer.header("content-length"), "7");
    EXPECT_EQ(answer.body, "picture");
  }
  client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_answer(true).header("content-length"), "7");
}

TEST_F(StreamTest, without_one_it_goes_in_chunks_or_to_the_end_of_the_connection) {
  const auto server = serving("picture", {}, false);
  auto client = server->connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string chunks = client.read_to_end().value_or("");
  EXPECT_NE(chunks.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_TRUE(chunks.ends_with("\r\n\r\n7\r\npicture\r\n0\r\n\r\n")) << chunks;
  auto old = server->connect();
  old.send("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n");
  const std::string plain = old.read_to_end().value_or("");
  EXPECT_EQ(plain.find("Transfer-Encoding"), std::string::npos);
  EXPECT_TRUE(plain.ends_with("\r\n\r\npicture")) << plain;
}

TEST_F(StreamTest, one_that_breaks_off_is_not_taken_for_whole) {
  for (const std::optional<std::uint64_t> length : {std::optional<std::uint64_t>(9), {}}) {
    const auto server = serving("picture", length, true);
    auto client = server->connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const std::string got = client.read_to_end().value_or("");
    EXPECT_FALSE(got.ends_with("0\r\n\r\n")) << got;
    EXPECT_EQ(got.find("HTTP/1.1 ", 1), std::string::npos) << got;
  }
  const auto short_one = serving("picture", 9, false);
  auto client = short_one->connect();
  EXPECT_EQ(client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").status, 0);
}

TEST_F(StreamTest, one_that_fails_before_its_first_byte_is_a_502) {
  const auto server = serving("", 9, true);
  auto client = server->connect();
  EXPECT_EQ(client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").status, 502);
}

}  // namespace
}  // namespace portcullis::net

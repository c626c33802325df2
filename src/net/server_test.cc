#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <future>
#include <stdexcept>

#include "base/log.h"
#include "net/net.h"
#include "testing/http_client.h"
#include "testing/http_server.h"
#include "testing/virtual_clock.h"

namespace portcullis::net {
namespace {

using portcullis::testing::HttpAnswer;
using portcullis::testing::HttpClient;
using portcullis::testing::HttpServer;
using portcullis::testing::quick_options;
using portcullis::testing::VirtualClock;

Response text(std::string body, int status = 200) {
  Response response;
  response.status = status;
  response.headers.push_back({"Content-Type", "text/plain"});
  response.body = std::move(body);
  return response;
}

// Answers with what was asked, after having read the body.
Task<Response> echo(Request& request, BodyReader& body) {
  std::string got = request.method + " " + request.path + "?" + request.query + "\n";
  std::vector<std::byte> block(64 * 1024);
  for (;;) {
    const auto count = co_await body.read(block);
    if (!count) co_return text(count.error().code + "|" + count.error().what, 418);
    if (*count == 0) break;
    got += as_text(std::span(block).first(*count));
  }
  co_return text(std::move(got));
}

FilePart file_of(std::string_view bytes) {
  UniqueFd fd(::memfd_create("part", MFD_CLOEXEC));
  PORTCULLIS_CHECK(write_all(fd.get(), as_bytes(bytes)));
  return {std::make_shared<const UniqueFd>(std::move(fd)), 0, bytes.size()};
}

class ServerTest : public ::testing::Test {
 protected:
  VirtualClock clock_;
};

TEST_F(ServerTest, answers_with_length_date_and_the_handlers_headers) {
  HttpServer server(echo, clock_);
  auto client = server.connect();
  const HttpAnswer answer = client.ask("GET /a/b?c=d HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "GET /a/b?c=d\n");
  EXPECT_EQ(answer.header("Content-Length"), "13");
  EXPECT_EQ(answer.header("Date"), "Thu, 01 Jan 2026 00:00:00 GMT");
  EXPECT_EQ(answer.header("Content-Type"), "text/plain");
  EXPECT_EQ(answer.header("Connection"), "");
}

TEST_F(ServerTest, tells_the_handler_who_asks_and_what) {
  std::promise<Request> seen;
  HttpServer server(
      [&](Request& request, BodyReader&) -> Task<Response> {
        seen.set_value(request);
        co_return text("");
      },
      clock_);
  auto client = server.connect();
  client.ask(
      "POST /p%20q?x=%41&y HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two:  2 \r\nContent-Length: "
      "3\r\n\r\nabc");
  const Request request = seen.get_future().get();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/p%20q?x=%41&y");
  EXPECT_EQ(request.path, "/p%20q");
  EXPECT_EQ(request.query, "x=%41&y");
  EXPECT_EQ(request.peer, "127.0.0.1");
  EXPECT_EQ(request.content_length, 3u);
  EXPECT_TRUE(request.has_body);
  EXPECT_EQ(request.id.size(), 36u);
  EXPECT_EQ(request.header("x-TWO"), "1");
  EXPECT_EQ(request.all_headers("X-Two"), (std::vector<std::string_view>{"1", "2"}));
  EXPECT_EQ(request.header("X-Three"), std::nullopt);
}

TEST_F(ServerTest, keeps_the_connection_and_answers_pipelined_requests_in_order) {
  HttpServer server(echo, clock_);
  auto client = server.connect();
  client.send(
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
      "POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"
      "GET /4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "GET /1?\n");
  EXPECT_EQ(client.read_answer().body, "POST /2?\nabc");
  EXPECT_EQ(client.read_answer().body, "POST /3?\nde");
  const HttpAnswer last = client.read_answer();
  EXPECT_EQ(last.body, "GET /4?\n");
  EXPECT_EQ(last.header("Connection"), "close");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(ServerTest, serves_http_1_0_and_keeps_it_only_when_asked) {
  HttpServer server(echo, clock_);
  auto plain = server.connect();
  EXPECT_EQ(plain.ask("GET / HTTP/1.0\r\n\r\n").header("Connection"), "close");
  EXPECT_TRUE(plain.is_closed());

  auto kept = server.connect();
  const std::string request = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_EQ(kept.ask(request).header("Connection"), "keep-alive");
  EXPECT_EQ(kept.ask(request).status, 200);
}

TEST_F(ServerTest, answers_head_with_the_length_and_without_the_body) {
  HttpServer server(
      [](Request& request, BodyReader&) -> Task<Response> {
        Response response = text("0123456789");
        if (request.path == "/file") response.body = file_of("abc");
        co_return response;
      },
      clock_);
  auto client = server.connect();
  client.send(
      "HEAD / HTTP/1.1\r\nHost: h\r\n\r\nHEAD /file HTTP/1.1\r\nHost: h\r\n\r\n"
      "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_answer(true).header("Content-Length"), "10");
  EXPECT_EQ(client.read_answer(true).header("Content-Length"), "3");
  EXPECT_EQ(client.read_answer().body, "0123456789");
}

TEST_F(ServerTest, sends_no_length_where_no_body_may_be) {
  HttpServer server(
      [](Request& request, BodyReader&) -> Task<Response> {
        co_return text("not sent", request.path == "/204" ? 204 : 304);
      },
      clock_);
  auto client = server.connect();
  for (const auto path : {"/204", "/304"}) {
    const HttpAnswer answer = client.ask(fmt::format("GET {} HTTP/1.1\r\nHost: h\r\n\r\n", path));
    EXPECT_EQ(fmt::format("/{}", answer.status), path);
    EXPECT_EQ(answer.header("Content-Length"), "");
  }
}

TEST_F(ServerTest, sends_the_wanted_part_of_a_file) {
  std::string content(3 * 1024 * 1024, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 + i / 251);
  FilePart part = file_of(content);
  part.offset = 1000;
  part.length = 2'500'000;
  HttpServer server(
      [&](Request&, BodyReader&) -> Task<Response> {
        Response response;
        response.status = 206;
        response.body = part;
        co_return response;
      },
      clock_);
  auto client = server.connect(4096);  // so that the server has to wait for its reader
  for (int i = 0; i < 2; ++i) {
    const HttpAnswer answer = client.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(answer.status, 206);
    EXPECT_TRUE(answer.body == content.substr(1000, 2'500'000));
  }
}

TEST_F(ServerTest, cuts_the_connection_when_a_file_is_shorter_than_announced) {
  FilePart part = file_of("short");
  part.length = 50;
  HttpServer server(
      [&](Request&, BodyReader&) -> Task<Response> {
        Response response;
        response.body = part;
        co_return response;
      },
      clock_);
  log::set_sink([](std::string_view) {});
  auto client = server.connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto all = client.read_to_end();
  log::set_sink({});
  ASSERT_TRUE(all);
  EXPECT_NE(all->find("Content-Length: 50"), std::string::npos);
  EXPECT_TRUE(all->ends_with("\r\n\r\nshort"));
}

TEST_F(ServerTest, answers_500_and_logs_when_a_handler_fails) {
  std::vector<std::string> lines;
  log::set_sink([&](std::string_view line) { lines.emplace_back(line); });
  HttpServer server(
      [](Request& request, BodyReader&) -> Task<Response> {
        if (request.path == "/throw") throw std::runtime_error("out of luck");
        Response response = text("");
        response.headers.push_back({"X-Split", "a\r\nSet-Cookie: b"});
        co_return response;
      },
      clock_);
  auto client = server.connect();
  EXPECT_EQ(client.ask("GET /throw HTTP/1.1\r\nHost: h\r\n\r\n").status, 500);
  const HttpAnswer split = client.ask("GET /split HTTP/1.1\r\nHost: h\r\n\r\n");
  log::set_sink({});
  EXPECT_EQ(split.status, 500);
  EXPECT_EQ(split.header("Set-Cookie"), "");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find("out of luck"), std::string::npos);
}

TEST_F(ServerTest, gives_its_own_answers_the_body_it_was_told) {
  auto options = quick_options();
  options.max_target_bytes = 100;
  options.max_header_bytes = 1000;
  options.max_body = 10;
  options.error_body = [](int status, std::string_view) {
    return std::pair<std::string, std::string>("application/json", fmt::format("{{{}}}", status));
  };
  HttpServer server(echo, clock_, options);
  const std::string long_text(2000, 'a');
  const struct {
    std::string name, request;
    int status;
  } cases[] = {
      {"not HTTP", "hello\r\n\r\n", 400},
      {"TLS", "\x16\x03\x01\x02", 400},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\n", 400},
      {"bare LF", "GET / HTTP/1.1\nHost: h\n\n", 400},
      {"target", "GET /" + long_text.substr(0, 100) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
      {"endless target", "GET /" + long_text, 414},
      {"header", "GET / HTTP/1.1\r\nHost: h\r\nA: " + long_text + "\r\n\r\n", 431},
      {"endless header", "GET / HTTP/1.1\r\nHost: h\r\nA: " + long_text, 431},
      {"length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", 413},
      {"awaited length",
       "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n", 413},
  };
  for (const auto& c : cases) {
    auto client = server.connect();
    const HttpAnswer answer = client.ask(c.request);
    EXPECT_EQ(answer.status, c.status) << c.name;
    EXPECT_EQ(answer.header("Content-Type"), "application/json") << c.name;
    EXPECT_EQ(answer.body, fmt::format("{{{}}}", c.status)) << c.name;
    EXPECT_EQ(answer.header("Connection"), "close") << c.name;
    client.close_sending_half();
    EXPECT_TRUE(client.is_closed()) << c.name;
  }
}

TEST_F(ServerTest, refuses_too_many_headers) {
  HttpServer server(echo, clock_);
  std::string request = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 200; ++i) request += "a:\r\n";
  EXPECT_EQ(server.connect().ask(request + "\r\n").status, 431);
}

TEST_F(ServerTest, several_loops_share_one_port) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  HttpServer server(
      [&](Request&, BodyReader&) -> Task<Response> {
        const std::scoped_lock lock(mutex);
        threads.insert(std::this_thread::get_id());
        co_return text("");
      },
      clock_, quick_options(), 2);
  // The kernel spreads by a hash of the ports: 64 connections on one side would be a chance of
  // 2^-63.
  for (int i = 0; i < 64; ++i)
    ASSERT_EQ(server.connect().ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  EXPECT_EQ(threads.size(), 2u);
}

TEST_F(ServerTest, a_port_that_is_taken_is_an_error_for_one_loop_and_for_several) {
  HttpServer first(echo, clock_, quick_options(), 2);
  for (std::size_t loops = 1; loops <= 2; ++loops) {
    asio::io_context a, b;
    std::vector<asio::io_context*> contexts{&a};
    if (loops == 2) contexts.push_back(&b);
    auto options = quick_options();
    options.port = first.port();
    const auto second = Server::create(contexts, options, echo, clock_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().what, fmt::format("port {} is taken: another program listens on "
                                               "127.0.0.1 already",
                                               first.port()));
  }
}

TEST_F(ServerTest, an_address_that_is_none_is_an_error) {
  asio::io_context context;
  auto options = quick_options();
  options.host = "localhost";
  EXPECT_FALSE(Server::create({&context}, options, echo, clock_));
}

TEST_F(ServerTest, listens_on_ipv6_too) {
  asio::io_context context;
  auto options = quick_options();
  options.host = "::1";
  const auto server = Server::create({&context}, options, echo, clock_);
  if (!server) GTEST_SKIP() << "no IPv6 here: " << server.error().what;
  EXPECT_NE((*server)->port(), 0);
}

TEST_F(ServerTest, beyond_the_limit_a_connection_waits_for_another_to_end) {
  auto options = quick_options();
  options.max_connections = 1;
  HttpServer server(echo, clock_, options);
  auto first = server.connect();
  ASSERT_EQ(first.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  auto second = server.connect();
  second.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(first.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  EXPECT_FALSE(second.is_readable(std::chrono::milliseconds(30)));
  EXPECT_EQ(server.server().connections(), 1u);
  first.close();
  EXPECT_EQ(second.read_answer().status, 200);
}

}  // namespace
}  // namespace portcullis::net

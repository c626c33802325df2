// Request bodies over a real server: framing, backpressure, early answers, limits, and how they are
// read.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <future>

#include "net/net.h"
#include "testing/http_client.h"
#include "testing/http_server.h"
#include "testing/virtual_clock.h"

namespace {
std::atomic<int> reads_that_gave_bytes{0};
}  // namespace

// Counts what the server takes off its sockets; the test client uses read().
extern "C" ssize_t recv(int socket, void* into, size_t size, int flags) {
  using Function = ssize_t (*)(int, void*, size_t, int);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "recv"));
  const ssize_t count = real(socket, into, size, flags);
  if (count > 0) ++reads_that_gave_bytes;
  return count;
}

namespace portcullis::net {
namespace {

using namespace std::chrono_literals;
using portcullis::testing::HttpAnswer;
using portcullis::testing::HttpServer;
using portcullis::testing::quick_options;
using portcullis::testing::VirtualClock;

Response text(std::string body, int status = 200) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

struct Got {
  std::string bytes;
  std::optional<Error> error;
};

Task<Got> read_all(BodyReader& body, std::size_t portion = 64 * 1024) {
  Got got;
  std::vector<std::byte> block(portion);
  for (;;) {
    const auto count = co_await body.read(block);
    if (!count) {
      got.error = count.error();
      co_return got;
    }
    if (*count == 0) co_return got;
    got.bytes += as_text(std::span(block).first(*count));
  }
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 257);
  return text;
}

std::string chunked(std::string_view body, std::size_t size_of_chunk) {
  std::string text;
  while (!body.empty()) {
    const std::string_view chunk = body.substr(0, size_of_chunk);
    text += fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk);
    body.remove_prefix(chunk.size());
  }
  return text + "0\r\n\r\n";
}

std::string post(std::string_view body) {
  return fmt::format("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{}", body.size(),
                     body);
}
const std::string kChunkedHead = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

class BodyTest : public ::testing::Test {
 protected:
  VirtualClock clock_;
};

TEST_F(BodyTest, arrives_whole_whatever_its_framing_and_however_it_is_asked_for) {
  const std::string body = pattern(300'000);
  const struct {
    std::string name, request;
  } cases[] = {
      {"length", post(body)},
      {"one chunk", kChunkedHead + chunked(body, body.size())},
      {"small chunks", kChunkedHead + chunked(body, 100)},
      {"large chunks", kChunkedHead + chunked(body, 70'000)},
      {"extension and trailers", kChunkedHead + "3;a=\"b\"\r\n" + body.substr(0, 3) + "\r\n" +
                                     fmt::format("{:X}\r\n", body.size() - 3) + body.substr(3) +
                                     "\r\n000\r\nA: b\r\n\r\n"},
  };
  for (const std::size_t portion : {1000uz, 16'384uz, 65'536uz, 1'000'000uz}) {
    HttpServer server(
        [&](Request&, BodyReader& reader) -> Task<Response> {
          const Got got = co_await read_all(reader, portion);
          co_return text(got.bytes == body ? "same" : "different");
        },
        clock_);
    for (const auto& c : cases) {
      auto client = server.connect();
      client.send(c.request);
      client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
      EXPECT_EQ(client.read_answer().body, "same") << c.name << " by " << portion;
      EXPECT_EQ(client.read_answer().body, "different") << c.name << " by " << portion;
    }
  }
}

TEST_F(BodyTest, a_head_and_body_that_come_byte_by_byte_are_the_same_request) {
  HttpServer server(
      [](Request&, BodyReader& reader) -> Task<Response> {
        co_return text((co_await read_all(reader)).bytes);
      },
      clock_);
  for (const std::string& request :
       {post("hello world"), kChunkedHead + chunked("hello world", 4)}) {
    auto client = server.connect();
    for (const char c : request) client.send({&c, 1});
    EXPECT_EQ(client.read_answer().body, "hello world");
  }
}

TEST_F(BodyTest, is_read_in_large_pieces_even_for_a_handler_that_asks_for_small_ones) {
  const std::string body = pattern(1024 * 1024);
  for (const std::size_t portion : {512uz, 65'536uz}) {
    for (const std::string& request : {post(body), kChunkedHead + chunked(body, 8000)}) {
      std::promise<void> everything_is_sent;
      auto sent = everything_is_sent.get_future();
      HttpServer server(
          [&](Request&, BodyReader& reader) -> Task<Response> {
            // The loop waits for the client, so that what is counted does not depend on who is
            // faster.
            sent.wait_for(200ms);
            const Got got = co_await read_all(reader, portion);
            co_return text(got.bytes == body ? "same" : "different");
          },
          clock_);
      auto client = server.connect();
      reads_that_gave_bytes = 0;
      client.send(request);
      everything_is_sent.set_value();
      EXPECT_EQ(client.read_answer().body, "same");
      EXPECT_GT(reads_that_gave_bytes, 0);
      EXPECT_LE(reads_that_gave_bytes, 100) << portion;  // by 512 bytes it would be 2,048
    }
  }
}

TEST_F(BodyTest, is_taken_off_the_socket_only_when_asked_for) {
  std::promise<void> go_on;
  auto may_go_on = go_on.get_future().share();
  HttpServer server(
      [&](Request&, BodyReader& reader) -> Task<Response> {
        Pool waiter("waiter", 1);
        co_await waiter.run([&] { may_go_on.wait(); });
        co_return text(fmt::format("{}", (co_await read_all(reader)).bytes.size()));
      },
      clock_);
  auto client = server.connect();
  const std::string body = pattern(48 * 1024 * 1024);
  std::string_view rest = body;
  client.send(fmt::format("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.size()));
  // Fills the kernel's buffers of both sides, which are a few megabytes, and then goes no further.
  for (std::size_t sent = 1; sent > 0;) {
    sent = client.send_what_fits(rest.substr(0, 1024 * 1024));
    rest.remove_prefix(sent);
  }
  EXPECT_GT(rest.size(), body.size() / 2);
  go_on.set_value();
  client.send(rest);
  EXPECT_EQ(client.read_answer().body, fmt::format("{}", body.size()));
}

TEST_F(BodyTest, is_invited_only_when_the_handler_wants_it) {
  HttpServer server(
      [](Request& request, BodyReader& reader) -> Task<Response> {
        if (request.path == "/no") co_return text("no", 403);
        co_return text((co_await read_all(reader)).bytes);
      },
      clock_);
  const auto head = [](std::string_view path) {
    return fmt::format(
        "POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n", path);
  };
  auto wanted = server.connect();
  EXPECT_EQ(wanted.ask(head("/")).status, 100);
  EXPECT_EQ(wanted.ask("abc").body, "abc");
  EXPECT_EQ(wanted.ask(head("/") + "def").body, "def");  // it did not wait: no invitation

  auto unwanted = server.connect();
  const HttpAnswer answer = unwanted.ask(head("/no"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.header("Connection"), "close");  // whether a body follows now, nobody knows
}

TEST_F(BodyTest,
       an_answer_before_the_body_was_read_arrives_after_the_body_and_keeps_the_connection) {
  HttpServer server([](Request&, BodyReader&) -> Task<Response> { co_return text("refused", 400); },
                    clock_);
  const std::string body = pattern(6 * 1024 * 1024);
  auto client = server.connect();
  for (const std::string& request : {post(body), kChunkedHead + chunked(body, 50'000)}) {
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(client.send(request));
      const HttpAnswer answer = client.read_answer();
      ASSERT_EQ(answer.status, 400);
      ASSERT_EQ(answer.body, "refused");
    }
  }
}

TEST_F(BodyTest, an_announced_body_over_the_limit_is_refused_at_once_and_the_refusal_arrives) {
  auto options = quick_options();
  options.max_body = 100'000;
  std::atomic<int> calls{0};
  HttpServer server(
      [&](Request&, BodyReader&) -> Task<Response> {
        ++calls;
        co_return text("");
      },
      clock_, options);
  const std::string request = post(pattern(6 * 1024 * 1024));
  for (int i = 0; i < 50; ++i) {
    auto client = server.connect();
    EXPECT_TRUE(client.send(request));  // the server reads on: sending never breaks
    client.close_sending_half();
    EXPECT_EQ(client.read_answer().status, 413);
    EXPECT_TRUE(client.is_closed());
  }
  EXPECT_EQ(calls, 0);
}

TEST_F(BodyTest, a_chunked_body_over_the_limit_ends_with_an_error_and_the_answer_arrives) {
  auto options = quick_options();
  options.max_body = 100'000;
  HttpServer server(
      [](Request&, BodyReader& reader) -> Task<Response> {
        const Got got = co_await read_all(reader);
        if (!got.error) co_return text("");
        const auto again = co_await read_all(reader);
        co_return text(again.error ? "failed twice" : "",
                       got.error->fault == Fault::limits ? 413 : 500);
      },
      clock_, options);
  auto at_limit = server.connect();
  EXPECT_EQ(at_limit.ask(kChunkedHead + chunked(pattern(100'000), 999)).status, 200);

  auto client = server.connect();
  EXPECT_TRUE(client.send(kChunkedHead + chunked(pattern(6 * 1024 * 1024), 5000)));
  client.close_sending_half();
  const HttpAnswer answer = client.read_answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "failed twice");
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(BodyTest, a_client_that_vanishes_is_an_error_of_the_client) {
  std::promise<Error> first, second;
  std::promise<Error>* next = &first;
  HttpServer server(
      [&](Request&, BodyReader& reader) -> Task<Response> {
        const Got got = co_await read_all(reader);
        std::exchange(next, &second)->set_value(got.error.value_or(Error{}));
        co_return text("");
      },
      clock_);
  auto closing = server.connect();
  closing.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  closing.close_sending_half();
  EXPECT_EQ(first.get_future().get().fault, Fault::client);

  auto resetting = server.connect();
  resetting.send(kChunkedHead + "5\r\nab");
  resetting.reset();
  EXPECT_EQ(second.get_future().get().fault, Fault::client);
}

TEST_F(BodyTest, an_endless_chunk_head_or_trailer_does_not_grow_without_bound) {
  HttpServer server(
      [](Request&, BodyReader& reader) -> Task<Response> {
        const Got got = co_await read_all(reader);
        co_return text("", got.error ? 400 : 200);
      },
      clock_);
  const std::string endless(200'000, 'a');
  for (const std::string& body :
       {"1;" + endless, "0\r\nA: " + endless, std::string(200'000, '0')}) {
    auto client = server.connect();
    client.send(kChunkedHead + body);
    EXPECT_EQ(client.read_answer().status, 400);
  }
}

}  // namespace
}  // namespace portcullis::net

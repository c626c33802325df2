#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <string_view>

#include "net/net.h"
#include "testing/http_server.h"
#include "testing/virtual_clock.h"

namespace portcullis::net {
namespace {

using namespace std::string_view_literals;
using portcullis::testing::HttpServer;
using portcullis::testing::VirtualClock;

struct Case {
  std::string_view name;
  std::string_view head;
  std::optional<Refusal> want;
  std::string_view body = "";  // sent after the head to a real server
};

constexpr Refusal kFraming = Refusal::framing;
constexpr Refusal kHost = Refusal::host;
constexpr Refusal kTarget = Refusal::target;
constexpr Refusal kSyntax = Refusal::syntax;

// clang-format off
const Case kAmbiguous[] = {
    // where the body ends
    {"length and chunked", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n", kFraming, "0\r\n\r\nX"},
    {"chunked and length", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n", kFraming, "0\r\n\r\nX"},
    {"differing lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", kFraming, "hello!"},
    {"the same length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", kFraming, "hello"},
    {"length with a plus", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", kFraming, "abc"},
    {"length with a minus", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", kFraming, "abc"},
    {"list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", kFraming, "abc"},
    {"length in hexadecimal", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n", kFraming, "abc"},
    {"length with a space", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 0\r\n\r\n", kFraming, "a"},
    {"empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", kFraming, "a"},
    {"length beyond 64 bits", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551619\r\n\r\n", kFraming, "abc"},
    {"chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", kFraming, "0\r\n\r\n"},
    {"chunked, chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", kFraming, "0\r\n\r\n"},
    {"unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", kFraming, "0\r\n\r\n"},
    {"chunked is not last", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", kFraming, "0\r\n\r\n"},
    {"identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", kFraming, "abc"},
    {"gzip before chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", kFraming, "0\r\n\r\n"},
    {"quoted chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", kFraming, "0\r\n\r\n"},
    {"empty coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", kFraming, "0\r\n\r\n"},
    {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", kFraming, "0\r\n\r\n"},
    // lines and characters
    {"space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\n", kSyntax, "abc"},
    {"tab before the colon", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n", kSyntax, "0\r\n\r\n"},
    {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", kSyntax},
    {"one bare LF", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", kSyntax},
    {"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", kSyntax},
    {"bare CR", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rContent-Length: 3\r\n\r\n", kSyntax},
    {"CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", kSyntax},
    {"NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"sv, kSyntax},
    {"NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n"sv, kSyntax},
    {"escape in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[31m\r\n\r\n", kSyntax},
    {"DEL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", kSyntax},
    {"folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", kSyntax},
    {"folded coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n", kSyntax, "0\r\n\r\n"},
    {"first line folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", kSyntax},
    {"no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", kSyntax},
    {"no name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", kSyntax},
    {"no version", "GET /\r\nHost: a\r\n\r\n", kSyntax},
    {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", kTarget},
    {"space at the end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", kSyntax},
    {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", kSyntax},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", kSyntax},
    {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", kSyntax},
    {"odd method", "GE[T / HTTP/1.1\r\nHost: a\r\n\r\n", kSyntax},
    // target and host
    {"tab in the target", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", kTarget},
    {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", kTarget},
    {"absolute-form", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", kTarget},
    {"authority-form", "CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n", kTarget},
    {"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", kTarget},
    {"no slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", kTarget},
    {"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", kTarget},
    {"8-bit target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", kTarget},
    {"no Host", "GET / HTTP/1.1\r\n\r\n", kHost},
    {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", kHost},
    {"the same Host twice", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", kHost},
    {"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", kHost},
    {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", kHost},
    {"list of Hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", kHost},
    {"Host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", kHost},
    {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", kHost},
};

const Case kPlain[] = {
    {"get", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", std::nullopt},
    {"target with everything", "GET /a%20b/;c=d,e?f[]=g|h&i={j}~\\\"'<>^` HTTP/1.1\r\nHost: a\r\n\r\n", std::nullopt},
    {"raw URL in the query", "GET /image/original?proxy=http://b/c?d=e&f=g HTTP/1.1\r\nHost: a\r\n\r\n", std::nullopt},
    {"host with a port", "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", std::nullopt},
    {"IPv6 host", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", std::nullopt},
    {"length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", std::nullopt, "abc"},
    {"length in spaces", "POST / HTTP/1.1\r\nHost:a\r\ncontent-length: \t 3\t \r\n\r\n", std::nullopt, "abc"},
    {"leading zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\n", std::nullopt, "abc"},
    {"length nought", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", std::nullopt},
    {"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", std::nullopt, "1\r\nx\r\n0\r\n\r\n"},
    {"Chunked", "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:Chunked\r\n\r\n", std::nullopt, "0\r\nTrailer: x\r\n\r\n"},
    {"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", std::nullopt},
    {"HTTP/1.0 with a body", "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n", std::nullopt, "abc"},
    {"8-bit value", "GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa4\r\n\r\n", std::nullopt},
    {"empty value", "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", std::nullopt},
    {"own method", "FROB / HTTP/1.1\r\nHost: a\r\n\r\n", std::nullopt},
    {"get with a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", std::nullopt, "abc"},
};
// clang-format on

TEST(Reject, refuses_what_two_servers_would_read_differently) {
  for (const auto& c : kAmbiguous) EXPECT_EQ(refuse_ambiguous(c.head), c.want) << c.name;
}

TEST(Reject, lets_plain_requests_through) {
  for (const auto& c : kPlain) EXPECT_EQ(refuse_ambiguous(c.head), std::nullopt) << c.name;
}

TEST(Reject, refuses_every_unfinished_head_and_every_byte_behind_it) {
  const std::string head = "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
  for (std::size_t size = 0; size < head.size(); ++size)
    EXPECT_NE(refuse_ambiguous(head.substr(0, size)), std::nullopt) << size;
  EXPECT_NE(refuse_ambiguous(head + "a"), std::nullopt);
  EXPECT_NE(refuse_ambiguous("\r\n" + head), std::nullopt);
}

TEST(Reject, refuses_any_control_character_anywhere) {
  const std::string head = "GET /a HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n";
  for (std::size_t at = 0; at <= head.size(); ++at) {
    for (char c = 0; c < ' '; ++c) {
      if (c == '\t' || c == '\r' || c == '\n') continue;
      std::string changed = head;
      changed.insert(at, 1, c);
      EXPECT_NE(refuse_ambiguous(changed), std::nullopt) << at << " " << static_cast<int>(c);
    }
  }
}

// Over a real connection a refused request is answered with 400, its handler is not called, and
// what follows, which another server might have taken for its body, is not served as a request of
// its own.
TEST(Reject, the_server_refuses_the_same_before_anything_else) {
  std::atomic<int> calls{0};
  const VirtualClock clock;
  HttpServer server(
      [&](Request&, BodyReader&) -> Task<Response> {
        ++calls;
        co_return Response{};
      },
      clock);
  for (const auto& c : kAmbiguous) {
    auto client = server.connect();
    client.send(std::string(c.head) + std::string(c.body) +
                "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(client.read_answer().status, 400) << c.name;
    client.close_sending_half();
    EXPECT_TRUE(client.is_closed()) << c.name;
  }
  EXPECT_EQ(calls, 0);
  for (const auto& c : kPlain) {
    auto client = server.connect();
    EXPECT_EQ(client.ask(std::string(c.head) + std::string(c.body)).status, 200) << c.name;
  }
  EXPECT_EQ(calls, static_cast<int>(std::size(kPlain)));
}

TEST(Reject, the_server_refuses_chunks_that_could_be_read_differently) {
  const VirtualClock clock;
  std::atomic<int> whole_bodies{0};
  HttpServer server(
      [&](Request&, BodyReader& body) -> Task<Response> {
        std::vector<std::byte> block(1024);
        for (;;) {
          const auto count = co_await body.read(block);
          if (!count) {
            Response response;
            response.status = count.error().fault == Fault::client ? 400 : 500;
            co_return response;
          }
          if (*count == 0) break;
        }
        ++whole_bodies;
        co_return Response{};
      },
      clock);
  const struct {
    std::string_view name, body;
  } cases[] = {
      {"size beyond 64 bits", "10000000000000003\r\nabc\r\n0\r\n\r\n"},
      {"size with a sign", "+3\r\nabc\r\n0\r\n\r\n"},
      {"size with 0x", "0x3\r\nabc\r\n0\r\n\r\n"},
      {"no size", "\r\nabc\r\n0\r\n\r\n"},
      {"size is too small", "2\r\nabc\r\n0\r\n\r\n"},
      {"bare LF after the size", "3\nabc\r\n0\r\n\r\n"},
      {"bare LF after the data", "3\r\nabc\n0\r\n\r\n"},
      {"bare CR in an extension", "3;a\rb\r\nabc\r\n0\r\n\r\n"},
      {"negative size", "-1\r\nabc\r\n0\r\n\r\n"},
  };
  for (const auto& c : cases) {
    auto client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                std::string(c.body) + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(client.read_answer().status, 400) << c.name;
    client.close_sending_half();
    EXPECT_TRUE(client.is_closed()) << c.name;
  }
  EXPECT_EQ(whole_bodies, 0);
}

}  // namespace
}  // namespace portcullis::net

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/head.h"

namespace portcullis::net {
namespace {

constexpr std::string_view kHead =
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

// The decoded body, when its end was seen after exactly all bytes. The decoder is first given the
// bytes before the cut.
std::optional<std::string> decode(std::string_view body, std::size_t cut, std::size_t room) {
  const auto head = parse_head(kHead);
  if (!head || !head->chunks) return std::nullopt;
  std::string decoded;
  std::vector<std::byte> into(room);
  std::size_t given = cut;
  for (std::size_t eaten = 0;;) {
    const auto step = head->chunks->decode(body.substr(eaten, given - eaten), into);
    if (!step) return std::nullopt;
    decoded += as_text(std::span(into).first(step->made));
    eaten += step->eaten;
    if (step->done) return eaten == body.size() ? std::optional(decoded) : std::nullopt;
    if (step->made > 0 || step->eaten > 0) continue;
    if (given == body.size()) return std::nullopt;
    ++given;
  }
}

TEST(ChunkedDecoder, gives_the_same_bytes_wherever_the_frames_are_cut) {
  const struct {
    std::string_view body, want;
  } cases[] = {
      {"0\r\n\r\n", ""},
      {"000\r\n\r\n", ""},
      {"0;a=b\r\nTrailer: x\r\n\r\n", ""},
      {"1\r\na\r\n0\r\n\r\n", "a"},
      {"3\r\nabc\r\nA;e=\"f\"\r\n0123456789\r\n0\r\nX: y\r\nZ: w\r\n\r\n", "abc0123456789"},
  };
  for (const auto& c : cases)
    for (std::size_t cut = 0; cut <= c.body.size(); ++cut)
      for (const std::size_t room : {1uz, 4uz, 100uz})
        EXPECT_EQ(decode(c.body, cut, room), c.want) << c.body << " cut at " << cut << ", " << room;
}

TEST(Head, says_what_the_client_wants_of_the_connection) {
  const struct {
    std::string_view head;
    bool keep_alive, is_http_1_0, expects_continue;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, false, false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false, false, false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n", false, false, false},
      {"GET / HTTP/1.0\r\n\r\n", false, true, false},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, true, false},
      {"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", true, false, true},
      {"GET / HTTP/1.1\r\nHost: a\r\nExpect: something\r\n\r\n", true, false, false},
      {"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", false, true, false},
  };
  for (const auto& c : cases) {
    const auto head = parse_head(c.head);
    ASSERT_TRUE(head) << c.head;
    EXPECT_EQ(head->keep_alive, c.keep_alive) << c.head;
    EXPECT_EQ(head->is_http_1_0, c.is_http_1_0) << c.head;
    EXPECT_EQ(head->expects_continue, c.expects_continue) << c.head;
  }
}

}  // namespace
}  // namespace portcullis::net

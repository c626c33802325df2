#include "egress/head.h"

#include <gtest/gtest.h>

namespace portcullis::egress {
namespace {

TEST(Heads, say_how_long_a_body_is_and_where_it_leads) {
  Head head;
  for (const char* line :
       {"HTTP/1.1 302 Found\r\n", "CONTENT-LENGTH:  12 \r\n", "Location: /a:b\r\n",
        "Transfer-Encoding: Chunked\r\n", "Content-Encoding: identity\r\n", "X-Empty:\r\n", "\r\n"})
    ASSERT_TRUE(head.add(line)) << line;
  EXPECT_EQ(head.length(), 12U);
  EXPECT_EQ(head.location(), "/a:b");
  EXPECT_FALSE(head.is_encoded());
  head.begin_again();
  EXPECT_EQ(head.length(), std::nullopt);
  EXPECT_EQ(head.location(), "");
}

TEST(Heads, are_not_believed_when_they_contradict_themselves_or_do_as_they_please) {
  const struct {
    std::vector<const char*> lines;
    bool taken;
  } table[] = {
      {{"Content-Length: 1\r\n", "Content-Length: 1\r\n"}, true},
      {{"Content-Length: 1\r\n", "Content-Length: 2\r\n"}, false},
      {{"Content-Length: -1\r\n"}, false},
      {{"Content-Length: +1\r\n"}, false},
      {{"Content-Length: 0x10\r\n"}, false},
      {{"Content-Length: 1, 1\r\n"}, false},
      {{"Content-Length:\r\n"}, false},
      {{"Content-Length: 1\r\n", " 2\r\n"}, false},
      {{"Content-Length: 99999999999999999999999999\r\n"}, true},
      {{"Location: /a\r\n", "Location: /a\r\n"}, true},
      {{"Location: /a\r\n", "Location: /b\r\n"}, false},
      {{"Location: \r\n", "Location: /b\r\n"}, true},
      {{"Transfer-Encoding: chunked\r\n"}, true},
      {{"Transfer-Encoding: identity\r\n"}, true},
      {{"Transfer-Encoding: gzip\r\n"}, false},
      {{"Transfer-Encoding: gzip, chunked\r\n"}, false},
      {{"Transfer-Encoding:br\r\n"}, false},
      {{"Transfer-Encoding: chunked\r\n", "Transfer-Encoding: deflate\r\n"}, false},
      {{"X: y\r\n", "\tz\r\n"}, false},
  };
  for (const auto& row : table) {
    Head head;
    Status status;
    for (const char* line : row.lines)
      if (status) status = head.add(line);
    EXPECT_EQ(status.has_value(), row.taken) << row.lines.front() << row.lines.back();
    if (!status) EXPECT_EQ(status.error().code, "download-file-error");
  }
}

TEST(Heads, with_a_length_beyond_all_numbers_are_longer_than_anything) {
  Head head;
  ASSERT_TRUE(head.add("Content-Length: 18446744073709551616\r\n"));
  EXPECT_EQ(head.length(), UINT64_MAX);
}

TEST(Heads, tell_when_a_body_is_compressed) {
  const struct {
    const char* line;
    bool is_encoded;
  } table[] = {
      {"Content-Encoding: gzip\r\n", true},           {"content-encoding:br\r\n", true},
      {"Content-Encoding: IDENTITY\n", false},        {"Content-Encoding: \r\n", false},
      {"Content-Encoding: identity, gzip\r\n", true}, {"X-Content-Encoding: gzip\r\n", false},
  };
  for (const auto& row : table) {
    Head head;
    ASSERT_TRUE(head.add(row.line));
    EXPECT_EQ(head.is_encoded(), row.is_encoded) << row.line;
  }
}

TEST(Heads, end_when_they_are_too_long_however_many_lines_and_answers_that_takes) {
  Head head;
  const std::string line = "X: " + std::string(1019, 'x') + "\r\n";  // 1 KiB
  for (std::size_t i = 0; i < Head::kMostBytes / 1024; ++i) {
    ASSERT_TRUE(head.add(line)) << i;
    head.begin_again();
  }
  EXPECT_FALSE(head.add("\r\n"));
}

}  // namespace
}  // namespace portcullis::egress

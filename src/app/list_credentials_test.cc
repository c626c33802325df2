#include "app/list_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "testing/temporary_folder.h"

namespace portcullis::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Credentials, of_every_form_are_read) {
  const auto read = parse_credentials(
      "# of the list\n\nbasic user:pass:word\r\nbearer abc\nheader x-functions-key: k\n"
      "query access_token=1|secret\n");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->headers,
            (std::vector<std::string>{"Authorization: Basic dXNlcjpwYXNzOndvcmQ=",
                                      "Authorization: Bearer abc", "x-functions-key: k"}));
  ASSERT_EQ(read->query.size(), 1u);
  EXPECT_EQ(read->query[0], std::pair(std::string("access_token"), std::string("1|secret")));
}

TEST(Credentials, an_error_names_the_line_and_not_what_is_on_it) {
  for (const char* line : {"hunter2", "basic hunter2", "bearer", "header hunter2", "query hunter2",
                           "header a b: hunter2", "bearer hunter2\x01"}) {
    const auto read = parse_credentials(std::string("# x\n") + line);
    ASSERT_FALSE(read) << line;
    EXPECT_THAT(read.error().what, HasSubstr("line 2"));
    EXPECT_THAT(read.error().what, Not(HasSubstr("hunter2")));
  }
}

TEST(Credentials, a_file_that_anybody_may_read_is_refused) {
  testing::TemporaryFolder folder;
  const auto path = folder.write("secret", std::string_view("bearer abc\n"));
  ::chmod(path.c_str(), 0644);
  EXPECT_FALSE(load_credentials("file:" + path.string()));
  ::chmod(path.c_str(), 0600);
  EXPECT_TRUE(load_credentials("file:" + path.string()));
  EXPECT_FALSE(load_credentials(path.string())) << "neither env: nor file:";
  EXPECT_FALSE(load_credentials("env:PORTCULLIS_NO_SUCH_VARIABLE"));
  EXPECT_TRUE(load_credentials(""));
}

TEST(ListAddress, is_shown_without_what_may_be_secret) {
  const struct {
    std::string source, shown;
  } cases[] = {{"/etc/list?x", "/etc/list?x"},
               {"https://a.example/v2/entries", "https://a.example/v2/entries"},
               {"https://a.example/x?token=secret", "https://a.example/x?…"},
               {"https://me:secret@a.example/x@y", "https://a.example/x@y"}};
  for (const auto& one : cases) EXPECT_EQ(shown_source(one.source), one.shown);
}

TEST(ListAddress, gets_its_secret_parameters_once) {
  const Credentials credentials{.headers = {}, .query = {{"token", "a b"}}};
  EXPECT_EQ(with_query("https://x/y", credentials), "https://x/y?token=a%20b");
  EXPECT_EQ(with_query("https://x/y?a=1&token=old&b=2", credentials),
            "https://x/y?a=1&b=2&token=a%20b");
  EXPECT_EQ(with_query("https://x/y?a=1", {}), "https://x/y?a=1");
}

TEST(ListAddress, of_the_next_page_stays_on_the_same_server) {
  const struct {
    std::string url, next, want;
  } cases[] = {
      {"https://a.example/hashsharing/v2/entries?from=1", "/v2/entries?start=2",
       "https://a.example/hashsharing/v2/entries?start=2"},
      {"https://a.example/list", "/list?page=2", "https://a.example/list?page=2"},
      {"https://a.example/list", "https://a.example/list?after=x",
       "https://a.example/list?after=x"},
      {"https://a.example/list", "https://b.example/list", ""},
      {"https://a.example/list", "https://a.example.b.example/list", ""},
      {"https://a.example/list", "http://a.example/list", ""},
      {"https://a.example/list", "//b.example/list", ""},
      {"https://a.example/list", "relative", ""},
  };
  for (const auto& one : cases) EXPECT_EQ(next_url(one.url, one.next, false), one.want) << one.next;
  EXPECT_EQ(next_url("https://a.example/h?pageSize=9&nextPageToken=1", "t/2", true),
            "https://a.example/h?pageSize=9&nextPageToken=t%2F2");
}

}  // namespace
}  // namespace portcullis::app

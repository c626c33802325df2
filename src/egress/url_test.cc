#include "egress/egress.h"

#include <gtest/gtest.h>

namespace portcullis::egress {
namespace {

TEST(Urls, are_taken_when_they_lead_to_a_host_over_http) {
  const struct {
    const char* text;
    Url url;
  } table[] = {
      {"http://example.org/cat.png",
       {"http://example.org/cat.png", "http", "example.org", 80, "/cat.png"}},
      {"https://example.org", {"https://example.org/", "https", "example.org", 443, "/"}},
      {"HTTPS://Example.ORG:8443/Cat.png?a=1&b=/?c#part",
       {"https://Example.ORG:8443/Cat.png?a=1&b=/?c", "https", "example.org", 8443,
        "/Cat.png?a=1&b=/?c"}},
      {"http://example.org?a", {"http://example.org/?a", "http", "example.org", 80, "/?a"}},
      {"http://example.org./", {"http://example.org./", "http", "example.org", 80, "/"}},
      {"http://a_b-1.example.org:80/",
       {"http://a_b-1.example.org:80/", "http", "a_b-1.example.org", 80, "/"}},
      {"http://example.org/a/../b/./c",
       {"http://example.org/b/c", "http", "example.org", 80, "/b/c"}},
      {"http://example.org/a@b:c",
       {"http://example.org/a@b:c", "http", "example.org", 80, "/a@b:c"}},
      {"https://example.org/sch\xC3\xB6n?\xC3\xB6#\xC3\xB6",
       {"https://example.org/sch%c3%b6n?%c3%b6", "https", "example.org", 443,
        "/sch%c3%b6n?%c3%b6"}},
      {"http://xn--bcher-kva.example/",
       {"http://xn--bcher-kva.example/", "http", "xn--bcher-kva.example", 80, "/"}},
      // As every client reads them, so that the host is the same however it is spelled.
      {"http://2130706433/", {"http://127.0.0.1/", "http", "127.0.0.1", 80, "/"}},
      {"http://0x7f.1/", {"http://127.0.0.1/", "http", "127.0.0.1", 80, "/"}},
      {"http://0177.0.0.1/", {"http://127.0.0.1/", "http", "127.0.0.1", 80, "/"}},
      {"http://127.1/", {"http://127.0.0.1/", "http", "127.0.0.1", 80, "/"}},
      {"http://[::1]:8080/", {"http://[::1]:8080/", "http", "::1", 8080, "/"}},
      {"http://[0:0:0:0:0:0:0:1]/", {"http://[::1]/", "http", "::1", 80, "/"}},
      {"http://[::FFFF:127.0.0.1]/", {"http://[::FFFF:127.0.0.1]/", "http", "127.0.0.1", 80, "/"}},
  };
  for (const auto& row : table) {
    const auto url = parse_url(row.text);
    ASSERT_TRUE(url) << row.text;
    EXPECT_EQ(url->text, row.url.text) << row.text;
    EXPECT_EQ(*url, row.url) << row.text << ' ' << url->host << ' ' << url->path_and_query;
    EXPECT_EQ(parse_url(url->text), *url) << row.text;
  }
}

TEST(Urls, are_refused_when_they_are_anything_else) {
  const char* const table[] = {
      "",
      "http",
      "http:",
      "http://",
      "example.org/cat.png",
      "//example.org/cat.png",
      "http:/example.org/",
      "http:///cat.png",
      "http:////example.org/",
      "http:example.org",
      "http://?a",
      "http://#a",
      "http://./",
      "http://user@example.org/",
      "http://user:secret@example.org/",
      "http://@example.org/",
      "http://:@example.org/",
      "http://a@b@example.org/",
      "http://example.org/a b",
      " http://example.org/",
      "http://example.org/ ",
      "http://exa mple.org/",
      "http://example.org/\r\nX: y",
      "http://example.org/\t",
      "http://example.org/\x7f",
      "http://example.org/\x01",
      "http://example.org\\@127.0.0.1/",
      "http:\\\\example.org/",
      "http://example.org:0/",
      "http://example.org:99999/",
      "http://example.org:65536/",
      "http://example.org:x/",
      "http://example.org:-1/",
      "http://example.org:80:80/",
      "http://b\xC3\xBC"
      "cher.example/",  // as xn-- only
      "http://b%c3%bccher.example/",
      "http://127\xE3\x80\x82"
      "0.0.1/",                          // ideographic full stop
      "http://\xE2\x93\x94xample.org/",  // circled e
      "http://exam%2fple.org/",
      "http://%65xample.org/",
      "http://%30/",
      "http://example.org%3a80/",
      "http://example.org%00/",
      "http://example.org%23@127.0.0.1/",
      "http://ex!ample.org/",
      "http://ex~ample.org/",
      "http://[::1/",
      "http://::1/",
      "http://[]/",
      "http://[127.0.0.1]/",
      "http://[fe80::1%25lo]/",
      "http://[fe80::1%lo]/",
      "http://[::1]x/",
      "ftp://example.org/",
      "ws://example.org/",
      "file:///etc/passwd",
      "file://localhost/etc/passwd",
      "gopher://example.org/",
      "dict://example.org/",
      "ldap://example.org/",
      "data:image/png;base64,AAAA",
      "javascript:alert(1)",
      "http+unix://example.org/",
      "https//example.org/",
  };
  for (const char* text : table) {
    const auto url = parse_url(text);
    EXPECT_FALSE(url) << text;
    if (!url) {
      EXPECT_EQ(url.error().code, "invalid-url") << text;
      EXPECT_EQ(url.error().fault, Fault::client) << text;
    }
  }
  EXPECT_FALSE(parse_url({"http://example.org/\0", 20}));
}

TEST(Urls, are_no_longer_than_8_KiB_also_when_they_are_encoded) {
  const std::string start = "http://example.org/";
  EXPECT_TRUE(parse_url(start + std::string(8 * 1024 - start.size(), 'a')));
  EXPECT_FALSE(parse_url(start + std::string(8 * 1024 - start.size() + 1, 'a')));
  EXPECT_FALSE(parse_url(start + std::string(4'000, '\xC3')));
}

TEST(Redirects, are_read_beside_the_URL_they_come_from_and_vetted_like_it) {
  const struct {
    const char* location;
    const char* text;  // null: refused
  } table[] = {
      {"/cat.png", "http://example.org:8080/cat.png"},
      {"cat.png", "http://example.org:8080/a/cat.png"},
      {"../cat.png", "http://example.org:8080/cat.png"},
      {"../../../cat.png", "http://example.org:8080/cat.png"},
      {"?c=d", "http://example.org:8080/a/b?c=d"},
      {"//other.example/c", "http://other.example/c"},
      {"https://other.example/c#d", "https://other.example/c"},
      {"/a cat.png", "http://example.org:8080/a%20cat.png"},
      {"/sch\xC3\xB6n", "http://example.org:8080/sch%c3%b6n"},
      {"//2130706434/", "http://127.0.0.2/"},
      {"file:///etc/passwd", nullptr},
      {"gopher://127.0.0.1/", nullptr},
      {"//me:secret@other.example/", nullptr},
      {"http://me@other.example/", nullptr},
      {"http://", nullptr},
      {"/\\other.example/", nullptr},
      {"\\\\other.example/", nullptr},
      {"http:///c", nullptr},
      {"//b\xC3\xBC"
       "cher.example/",
       nullptr},
      {"javascript:alert(1)", nullptr},
  };
  const auto from = parse_url("http://example.org:8080/a/b?a=b");
  ASSERT_TRUE(from);
  for (const auto& row : table) {
    const auto url = redirected(*from, row.location);
    ASSERT_EQ(url.has_value(), row.text != nullptr)
        << row.location << ' ' << (url ? url->text : "");
    if (url)
      EXPECT_EQ(url->text, row.text) << row.location;
    else
      EXPECT_EQ(url.error().code, "invalid-url") << row.location;
  }
  EXPECT_FALSE(redirected(*from, {"/a\0b", 4}));
  EXPECT_FALSE(redirected(*from, std::string(9'000, 'a')));
}

}  // namespace
}  // namespace portcullis::egress

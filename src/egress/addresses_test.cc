#include <gtest/gtest.h>

#include "egress/egress.h"

namespace portcullis::egress {
namespace {

TEST(Addresses, of_the_public_internet_are_reached_and_no_others) {
  const struct {
    const char* address;
    bool is_public;
  } table[] = {
      {"1.1.1.1", true},
      {"8.8.8.8", true},
      {"9.255.255.255", true},
      {"11.0.0.0", true},
      {"100.63.255.255", true},
      {"100.128.0.0", true},
      {"126.255.255.255", true},
      {"128.0.0.1", true},
      {"169.253.255.255", true},
      {"169.255.0.0", true},
      {"172.15.255.255", true},
      {"172.32.0.0", true},
      {"192.0.1.0", true},
      {"192.167.255.255", true},
      {"192.169.0.0", true},
      {"198.17.255.255", true},
      {"198.20.0.0", true},
      {"223.255.255.255", true},
      {"0.0.0.0", false},
      {"0.1.2.3", false},
      {"10.0.0.1", false},
      {"10.255.255.255", false},
      {"100.64.0.1", false},
      {"100.127.255.255", false},
      {"127.0.0.1", false},
      {"127.255.255.254", false},
      {"169.254.169.254", false},
      {"172.16.0.1", false},
      {"172.31.255.255", false},
      {"192.0.0.1", false},
      {"192.0.0.170", false},
      {"192.0.2.1", false},
      {"192.88.99.1", false},
      {"192.168.0.1", false},
      {"198.18.0.1", false},
      {"198.19.255.255", false},
      {"198.51.100.1", false},
      {"203.0.113.1", false},
      {"224.0.0.1", false},
      {"239.255.255.255", false},
      {"240.0.0.1", false},
      {"255.255.255.255", false},
      {"2606:4700:4700::1111", true},
      {"2a00:1450:4001::1", true},
      {"2003::1", true},
      {"::", false},
      {"::1", false},
      {"::ffff:8.8.8.8", true},
      {"::ffff:127.0.0.1", false},
      {"::ffff:10.0.0.1", false},
      {"::127.0.0.1", false},
      {"::8.8.8.8", false},
      {"64:ff9b::8.8.8.8", true},
      {"64:ff9b::127.0.0.1", false},
      {"64:ff9b::10.0.0.1", false},
      {"64:ff9b:1::1", false},
      {"100::1", false},
      {"2001::1", false},
      {"2001:0:808:808::", false},
      {"2001:db8::1", false},
      {"2001:10::1", false},
      {"2001:20::1", false},
      {"2002:7f00:1::", false},
      {"2002:a00:1::", false},
      {"2002:808:808::", true},
      {"3fff::1", false},
      {"5f00::1", false},
      {"fc00::1", false},
      {"fd12:3456::1", false},
      {"fe80::1", false},
      {"fec0::1", false},
      {"ff02::1", false},
      {"4000::1", false},
  };
  for (const auto& row : table) {
    const auto address = IpAddress::parse(row.address);
    ASSERT_TRUE(address) << row.address;
    EXPECT_EQ(is_public(*address), row.is_public) << row.address;
  }
}

TEST(Networks, contain_what_begins_with_their_bits) {
  const struct {
    const char* network;
    const char* address;
    bool contains;
  } table[] = {
      {"127.0.0.0/8", "127.1.2.3", true},
      {"127.0.0.0/8", "128.0.0.0", false},
      {"127.0.0.1/32", "127.0.0.1", true},
      {"127.0.0.1/32", "127.0.0.2", false},
      {"0.0.0.0/0", "1.2.3.4", true},
      {"0.0.0.0/0", "::1", false},
      {"::1/128", "::1", true},
      {"::/0", "::1", true},
      {"fd00::/8", "fdff::1", true},
      {"fd00::/8", "fc00::1", false},
      {"10.128.0.0/9", "10.127.0.0", false},
      {"10.128.0.0/9", "10.200.0.0", true},
      {"127.0.0.0/8", "::ffff:127.0.0.1", true},
  };
  for (const auto& row : table) {
    const auto network = Network::parse(row.network);
    ASSERT_TRUE(network) << row.network;
    EXPECT_EQ(network->contains(*IpAddress::parse(row.address)), row.contains)
        << row.address << " in " << row.network;
  }
  for (const char* bad : {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "::/129",
                          "10.0.0/8", "host/8", "10.0.0.0/8x", "/8"})
    EXPECT_FALSE(Network::parse(bad)) << bad;
}

TEST(Urls, are_taken_when_they_lead_to_a_host_over_http) {
  const struct {
    const char* text;
    const char* host;  // null: refused
  } table[] = {
      {"http://example.org/cat.png", "example.org"},
      {"HTTPS://Example.ORG:8443/cat.png?a=1&b=2", "example.org"},
      {"http://example.org", "example.org"},
      {"http://example.org./", "example.org"},
      {"http://[::1]:80/", "::1"},
      {"http://127.0.0.1/", "127.0.0.1"},
      {"http://2130706433/", "127.0.0.1"},  // as every client reads them
      {"http://0x7f.1/", "127.0.0.1"},
      {"http://0177.0.0.1/", "127.0.0.1"},
      {"https://example.org/sch\xC3\xB6n.png", "example.org"},
      {"https://example.org/#part", "example.org"},
      {"", nullptr},
      {"example.org/cat.png", nullptr},
      {"//example.org/cat.png", nullptr},
      {"http:///cat.png", nullptr},
      {"http://", nullptr},
      {"http://user@example.org/", nullptr},
      {"http://user:secret@example.org/", nullptr},
      {"http://example.org/a b", nullptr},
      {"http://exa mple.org/", nullptr},
      {"http://example.org/\r\nX: y", nullptr},
      {"http://example.org/\x7f", nullptr},
      {"http://example.org\\@127.0.0.1/", nullptr},
      {"http://example.org:99999/", nullptr},
      {"http://example.org:x/", nullptr},
      {"ftp://example.org/", nullptr},
      {"file:///etc/passwd", nullptr},
      {"gopher://example.org/", nullptr},
      {"data:image/png;base64,AAAA", nullptr},
      {"javascript:alert(1)", nullptr},
      {"http://[::1/", nullptr},
      {"http://[::1%25lo]/x y", nullptr},
  };
  for (const auto& row : table) {
    const auto url = parse_url(row.text);
    ASSERT_EQ(url.has_value(), row.host != nullptr) << row.text;
    if (url) {
      EXPECT_EQ(url->host, row.host) << row.text;
      EXPECT_EQ(url->text.find('#'), std::string::npos);
    } else {
      EXPECT_EQ(url.error().code, "invalid-url") << row.text;
    }
  }
  EXPECT_FALSE(parse_url("http://example.org/" + std::string(9'000, 'a')));
}

}  // namespace
}  // namespace portcullis::egress

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
      {"1fff:ffff::1", false},
      {"2001:1ff:ffff::1", false},
      {"2001:200::1", true},
      {"2001:4860:4860::8888", true},
      {"2620:4f:8000::1", false},
      {"2002:a9fe:a9fe::", false},
      {"2002:c0a8:101::1", false},
      {"64:ff9b::a9fe:a9fe", false},
      {"64:ff9b:0:0:0:1::", false},
      {"64:ff9b:1::808:808", false},
      {"::ffff:0:7f00:1", false},
      {"::fffe:8.8.8.8", false},
      {"2a00:1450::5efe:8.8.8.8", true},
      {"2a00:1450::5efe:10.0.0.1", false},
      {"2a00:1450::200:5efe:127.0.0.1", false},
      {"2a00:1450::100:5efe:127.0.0.1", true},  // no ISATAP
  };
  for (const auto& row : table) {
    const auto address = IpAddress::parse(row.address);
    ASSERT_TRUE(address) << row.address;
    EXPECT_EQ(is_public(*address), row.is_public) << row.address;
  }
}

TEST(Addresses, are_written_the_one_shortest_way) {
  const struct {
    const char* text;
    const char* written;
  } table[] = {{"::ffff:127.0.0.1", "127.0.0.1"},
               {"127.0.0.1", "127.0.0.1"},
               {"0:0:0:0:0:0:0:1", "::1"},
               {"2001:DB8::A", "2001:db8::a"},
               {"::7f00:1", "::127.0.0.1"}};
  for (const auto& row : table) EXPECT_EQ(IpAddress::parse(row.text)->text(), row.written);
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
      {"::/0", "10.0.0.1", false},
      {"::/0", "::ffff:10.0.0.1", false},
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
                          "10.0.0/8", "host/8", "10.0.0.0/8x", "/8", "10.0.0.0/ 8", "010.0.0.0/8",
                          "::ffff:10.0.0.0/8", "::ffff:10.0.0.0/104", "[::1]/128", "fe80::1%lo/64"})
    EXPECT_FALSE(Network::parse(bad)) << bad;
  EXPECT_FALSE(Network::parse({"10.0.0.0\0x/8", 12}));
}

}  // namespace
}  // namespace portcullis::egress

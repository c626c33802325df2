#include <algorithm>

#include "egress/egress.h"

namespace portcullis::egress {

namespace {

struct Range {
  const char* network;
  int bits;
};

// IANA IPv4 Special-Purpose Address Registry, and multicast.
constexpr Range kSpecialV4[] = {
    {"0.0.0.0", 8},       {"10.0.0.0", 8},      {"100.64.0.0", 10},   {"127.0.0.0", 8},
    {"169.254.0.0", 16},  {"172.16.0.0", 12},   {"192.0.0.0", 24},    {"192.0.2.0", 24},
    {"192.31.196.0", 24}, {"192.52.193.0", 24}, {"192.88.99.0", 24},  {"192.168.0.0", 16},
    {"192.175.48.0", 24}, {"198.18.0.0", 15},   {"198.51.100.0", 24}, {"203.0.113.0", 24},
    {"224.0.0.0", 4},     {"240.0.0.0", 4},
};

// Of IPv6 only 2000::/3 is given out; these are the special parts of it (RFC 6890 and its
// registry). Teredo, 2001::/32, is in the first: it is refused whichever IPv4 address it holds.
constexpr Range kSpecialV6[] = {
    {"2001::", 23},
    {"2001:db8::", 32},
    {"2620:4f:8000::", 48},
    {"3fff::", 20},
};

IpAddress literal(const char* text) { return IpAddress::parse(text).value_or(IpAddress()); }

IpAddress v4_at(const IpAddress& address, std::size_t first) {
  IpAddress result;
  result.bytes[10] = result.bytes[11] = 0xFF;
  std::copy_n(address.bytes.begin() + static_cast<std::ptrdiff_t>(first), 4,
              result.bytes.begin() + 12);
  return result;
}

// ISATAP (RFC 5214 §6.1): an interface identifier ::0:5efe:a.b.c.d or ::200:5efe:a.b.c.d under any
// prefix.
bool is_isatap(const IpAddress& address) {
  return (address.bytes[8] & 0xFD) == 0 && address.bytes[9] == 0 && address.bytes[10] == 0x5E &&
         address.bytes[11] == 0xFE;
}

}  // namespace

bool is_public(const IpAddress& address) {
  const auto is_in = [&](const Range& range) {
    const IpAddress network = literal(range.network);
    return address.shares(range.bits + (network.is_v4() ? 96 : 0), network);
  };
  if (address.is_v4()) return std::ranges::none_of(kSpecialV4, is_in);
  if (is_in({"64:ff9b::", 96})) return is_public(v4_at(address, 12));  // NAT64
  if (is_in({"2002::", 16})) return is_public(v4_at(address, 2));      // 6to4
  if (!is_in({"2000::", 3}) || std::ranges::any_of(kSpecialV6, is_in)) return false;
  return !is_isatap(address) || is_public(v4_at(address, 12));
}

}  // namespace portcullis::egress

#include <arpa/inet.h>

#include <charconv>

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
// registry).
constexpr Range kSpecialV6[] = {
    {"2001::", 23}, {"2001:db8::", 32}, {"2620:4f:8000::", 48}, {"3fff::", 20}, {"5f00::", 16},
};

bool is_within(const IpAddress& address, const IpAddress& network, int bits) {
  for (int i = 0; i < bits; ++i) {
    const auto mask = static_cast<std::uint8_t>(0x80 >> (i % 8));
    const auto at = static_cast<std::size_t>(i / 8);
    if ((address.bytes[at] & mask) != (network.bytes[at] & mask)) return false;
  }
  return true;
}

IpAddress literal(const char* text) { return IpAddress::parse(text).value_or(IpAddress()); }

IpAddress v4_at(const IpAddress& address, std::size_t first, bool inverted = false) {
  IpAddress result;
  result.bytes[10] = result.bytes[11] = 0xFF;
  for (std::size_t i = 0; i < 4; ++i)
    result.bytes[12 + i] =
        inverted ? static_cast<std::uint8_t>(~address.bytes[first + i]) : address.bytes[first + i];
  return result;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view view) {
  const std::string text(view);
  IpAddress address;
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    address.bytes[10] = address.bytes[11] = 0xFF;
    std::memcpy(address.bytes.data() + 12, &v4, sizeof v4);
    return address;
  }
  if (::inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

bool IpAddress::is_v4() const {
  for (std::size_t i = 0; i < 10; ++i)
    if (bytes[i] != 0) return false;
  return bytes[10] == 0xFF && bytes[11] == 0xFF;
}

bool is_public(const IpAddress& address) {
  if (address.is_v4()) {
    for (const Range& range : kSpecialV4)
      if (is_within(address, literal(range.network), 96 + range.bits)) return false;
    return true;
  }
  if (is_within(address, literal("64:ff9b::"), 96)) return is_public(v4_at(address, 12));  // NAT64
  if (is_within(address, literal("2002::"), 16)) return is_public(v4_at(address, 2));      // 6to4
  if (!is_within(address, literal("2000::"), 3)) return false;
  for (const Range& range : kSpecialV6)
    if (is_within(address, literal(range.network), range.bits)) return false;
  return true;
}

Result<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  int bits = -1;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [stop, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (fault != std::errc{} || stop != digits.data() + digits.size()) bits = -1;
  }
  const int most = address && address->is_v4() ? 32 : 128;
  if (!address || bits < 0 || bits > most)
    return fail(Fault::us, "\"{}\" is no network; write for example \"10.0.0.0/8\"", text);
  Network network;
  network.address_ = *address;
  network.bits_ = bits + (most == 32 ? 96 : 0);
  return network;
}

bool Network::contains(const IpAddress& address) const {
  return is_within(address, address_, bits_);
}

}  // namespace portcullis::egress

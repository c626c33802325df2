#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

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

bool is_within(const IpAddress& address, const IpAddress& network, int bits) {
  for (int i = 0; i < bits; ++i) {
    const auto mask = static_cast<std::uint8_t>(0x80 >> (i % 8));
    const auto at = static_cast<std::size_t>(i / 8);
    if ((address.bytes[at] & mask) != (network.bytes[at] & mask)) return false;
  }
  return true;
}

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

std::optional<IpAddress> IpAddress::parse(std::string_view view) {
  if (view.contains('\0')) return std::nullopt;  // inet_pton would not see what follows
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
  return std::all_of(bytes.begin(), bytes.begin() + 10, [](auto byte) { return byte == 0; }) &&
         bytes[10] == 0xFF && bytes[11] == 0xFF;
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (is_v4())
    ::inet_ntop(AF_INET, bytes.data() + 12, buffer, sizeof buffer);
  else
    ::inet_ntop(AF_INET6, bytes.data(), buffer, sizeof buffer);
  return buffer;
}

bool is_public(const IpAddress& address) {
  const auto is_in = [&](const Range& range) {
    const IpAddress network = literal(range.network);
    return is_within(address, network, range.bits + (network.is_v4() ? 96 : 0));
  };
  if (address.is_v4()) return std::ranges::none_of(kSpecialV4, is_in);
  if (is_in({"64:ff9b::", 96})) return is_public(v4_at(address, 12));  // NAT64
  if (is_in({"2002::", 16})) return is_public(v4_at(address, 2));      // 6to4
  if (!is_in({"2000::", 3}) || std::ranges::any_of(kSpecialV6, is_in)) return false;
  return !is_isatap(address) || is_public(v4_at(address, 12));
}

Result<Network> Network::parse(std::string_view text) {
  const auto slash = text.find('/');
  const std::string_view written = text.substr(0, slash);
  const auto address = IpAddress::parse(written);
  int bits = -1;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [stop, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (fault != std::errc{} || stop != digits.data() + digits.size()) bits = -1;
  }
  // An IPv4 address in IPv6's form would leave open which of the two its bits are counted in.
  const bool is_ambiguous = address && address->is_v4() && written.contains(':');
  const int most = address && address->is_v4() ? 32 : 128;
  if (!address || is_ambiguous || bits < 0 || bits > most)
    return fail(Fault::us, "\"{}\" is no network; write for example \"10.0.0.0/8\"", text);
  Network network;
  network.address_ = *address;
  network.bits_ = bits + (most == 32 ? 96 : 0);
  return network;
}

bool Network::contains(const IpAddress& address) const {
  return address.is_v4() == address_.is_v4() && is_within(address, address_, bits_);
}

}  // namespace portcullis::egress

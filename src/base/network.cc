#include "base/network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace portcullis {

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

bool IpAddress::shares(int bits, const IpAddress& other) const {
  for (int i = 0; i < bits; ++i) {
    const auto mask = static_cast<std::uint8_t>(0x80 >> (i % 8));
    const auto at = static_cast<std::size_t>(i / 8);
    if ((bytes[at] & mask) != (other.bytes[at] & mask)) return false;
  }
  return true;
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
  return address.is_v4() == address_.is_v4() && address.shares(bits_, address_);
}

Network Network::around(const IpAddress& address, int bits) {
  Network network;
  network.bits_ = bits + (address.is_v4() ? 96 : 0);
  network.address_ = address;
  for (int i = network.bits_; i < 128; ++i)
    network.address_.bytes[static_cast<std::size_t>(i / 8)] &=
        static_cast<std::uint8_t>(~(0x80 >> (i % 8)));
  return network;
}

std::string Network::text() const {
  return fmt::format("{}/{}", address_.text(), bits_ - (address_.is_v4() ? 96 : 0));
}

}  // namespace portcullis

// base/network.h: addresses of the internet protocol, and networks of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portcullis {

// An IPv6 address; an IPv4 one as ::ffff:a.b.c.d.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  static std::optional<IpAddress> parse(std::string_view text);  // as inet_pton takes it
  bool is_v4() const;
  std::string text() const;  // an IPv4 one as "a.b.c.d"
  // Whether the first `bits` bits of the IPv6 form are those of `other`.
  bool shares(int bits, const IpAddress& other) const;
  bool operator==(const IpAddress&) const = default;
};

// "10.0.0.0/8", "fd00::/8".
class Network {
 public:
  // Fault::us: it comes from this site's own configuration.
  static Result<Network> parse(std::string_view text);
  // A network of IPv6, ::/0 too, contains no IPv4 address.
  bool contains(const IpAddress& address) const;
  // The network of that many leading bits (of an IPv4 address 0..32, of another 0..128) that
  // `address` is in.
  static Network around(const IpAddress& address, int bits);
  std::string text() const;

 private:
  IpAddress address_;
  int bits_ = 128;  // of the IPv6 form
};

}  // namespace portcullis

// egress/egress.h: fetching what strangers' URLs name.
//
// A Client is libcurl's multi interface on one thread of its own. The address that a connection is
// about to be made to is judged at that moment, on every hop of a redirect, whatever DNS said
// before; what is not public is refused. Nothing of this site's goes out: no cookies, no
// credentials, no proxy from the environment.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"

namespace portcullis::egress {

// An IPv6 address; an IPv4 one as ::ffff:a.b.c.d.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  static std::optional<IpAddress> parse(std::string_view text);  // as inet_pton takes it
  bool is_v4() const;
  bool operator==(const IpAddress&) const = default;
};

// Whether an address belongs to the public internet (IANA's special-purpose registries, RFC 6890).
// Forms of IPv6 that hold an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo) are refused
// when that one is. Pure.
bool is_public(const IpAddress& address);

// "10.0.0.0/8", "fd00::/8".
class Network {
 public:
  static Result<Network> parse(std::string_view text);
  bool contains(const IpAddress& address) const;

 private:
  IpAddress address_;
  int bits_ = 128;  // of the IPv6 form
};

struct Url {
  std::string text;  // normalised, without fragment
  std::string host;  // lower case, an IPv6 address without brackets
  bool operator==(const Url&) const = default;
};
// As a stranger wrote it. Fault::client, code "invalid-url", for anything but http and https, for
// credentials, for control characters or spaces, for more than 8 KiB. Pure.
Result<Url> parse_url(std::string_view text);

struct Options {
  std::vector<Network> allow;  // reachable although not public
  std::string user_agent = "Portcullis";
  std::size_t max_redirects = 5;
  std::size_t max_per_host = 4;  // at once; more wait, within their time
  std::size_t max_at_once = 32;
  std::chrono::milliseconds connect_timeout{4'000};
};

// Takes a body piece by piece, on the client's thread, so it must be quick. An error ends the fetch
// and comes back as it is.
using Sink = std::function<Status(ByteView)>;

class Client {
 public:
  static Result<std::unique_ptr<Client>> create(Options options);
  // What is under way ends with an error, on the loops it came from if they still run.
  virtual ~Client() = default;

  // GET; `sink` sees the body of a 2xx answer alone. Errors: Fault::client, code "invalid-url",
  // for the URL or one it leads to; Fault::client, code "address-refused"; Fault::limits, code
  // "validate-file-size", for more than `max_bytes`; Fault::upstream, code "download-file-error",
  // for whatever else the origin does, "fetch-timeout" when `timeout`, waiting included, is over.
  virtual Task<Status> fetch(std::string url, std::uint64_t max_bytes,
                             std::chrono::milliseconds timeout, Sink sink) = 0;
};

}  // namespace portcullis::egress

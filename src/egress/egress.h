// egress/egress.h: fetching what strangers' URLs name, and asking services that the admin named.
//
// The two never meet: a Client takes any URL and reaches only public addresses, a ConfiguredClient
// reaches any address and takes only an Endpoint, which is made of configuration.
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
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/network.h"
#include "base/result.h"
#include "base/task.h"

namespace portcullis::egress {

// Whether an address belongs to the public internet (IANA's special-purpose registries, RFC 6890).
// Forms of IPv6 that hold an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) are
// refused when that one is, or always. Pure.
bool is_public(const IpAddress& address);

struct Url {
  std::string text;    // normalised, ASCII, without fragment; reads as the same Url again
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case, without port or last dot; an address as IpAddress::text()
  std::uint16_t port = 0;
  std::string path_and_query;  // begins with '/'
  bool operator==(const Url&) const = default;
};
// As a stranger wrote it. Fault::client, code "invalid-url", for anything but http:// and https://,
// for credentials, for control characters or spaces, for more than 8 KiB, for a host that is
// neither an address nor spelled out in letters, digits, '-', '_' and '.' (international names in
// their ASCII form, xn--). Pure.
Result<Url> parse_url(std::string_view text);
// `location` as an answer or a page of `from` named it, relative or not, vetted as parse_url() does
// it; unlike there, spaces and bytes beyond ASCII are encoded first, since servers send them. Pure.
Result<Url> redirected(const Url& from, std::string_view location);

struct Options {
  std::vector<Network> allow;  // reachable although not public
  std::string user_agent = "Portcullis";
  std::string accept = {};  // "Accept: …" of each request; empty: anything
  std::size_t max_redirects = 5;
  // At once; more wait, within their time. What a redirect leads to counts for the host it is on.
  std::size_t max_per_host = 4;
  std::size_t max_at_once = 32;
  std::chrono::milliseconds connect_timeout{4'000};  // looking up the name included
};

// Takes a body piece by piece, on the client's thread, so it must be quick, and must not throw. An
// error ends the fetch and comes back as it is. It is called neither after the fetch has come back
// nor once the awaiting loop is being destroyed.
using Sink = std::function<Status(ByteView)>;

// Any thread may ask; an answer comes back on the loop of whoever awaits it. A loop may be stopped
// or destroyed while it is awaited on: the fetch is then nobody's, and ends by itself.
class Client {
 public:
  static Result<std::unique_ptr<Client>> create(Options options);
  // What is under way ends with an error, code "download-file-error". Does not wait for DNS.
  virtual ~Client() = default;

  // GET; `sink` sees the body of a 2xx answer alone. Errors: Fault::client, code "invalid-url",
  // for the URL or one it leads to; Fault::client, code "address-refused", when a host has none but
  // refused addresses; Fault::limits, code "validate-file-size", for a body of more than
  // `max_bytes`; Fault::upstream, code "fetch-timeout", when `timeout` (at most an hour; waiting
  // for a place included) is over, "download-file-error" for whatever else the origin does, a body
  // that is compressed although nobody asked for that included.
  virtual Task<Status> fetch(std::string url, std::uint64_t max_bytes,
                             std::chrono::milliseconds timeout, Sink sink) = 0;
};

// --- services of the admin's choice ---

// Where one is. Made of what stands in portcullis.toml and of nothing else, so it may be private.
class Endpoint {
 public:
  // "https://host[:port][/path]", as parse_url() takes it, but Fault::us. No more than
  // `max_at_once` requests are at work there; more wait, within their time.
  static Result<Endpoint> parse(std::string_view text, std::size_t max_at_once = 4);
  const std::string& text() const { return text_; }
  const std::string& host() const { return host_; }
  bool is_encrypted() const { return is_encrypted_; }
  std::size_t max_at_once() const { return max_at_once_; }

 private:
  std::string text_, host_;
  std::size_t max_at_once_ = 1;
  bool is_encrypted_ = false;
};

// A part of a file, sent as it is read.
struct FilePart {
  int fd = -1;  // borrowed until ask() was called; a duplicate is kept from then on
  std::uint64_t size = 0;
};

struct Request {
  bool is_post = false;
  std::string target = {};                // what follows the endpoint: empty, or begins with '/'
  std::vector<std::string> headers = {};  // "Name: value"; may hold secrets
  std::string body = {};                  // of a POST; or
  std::optional<FilePart> file = {};
  // Takes the body of a 2xx answer, as a Client's does; Reply::body is then empty.
  Sink sink = {};
};

struct Reply {
  int status = 0;  // 200 to 599
  std::string body;
};

struct ConfiguredOptions {
  std::string user_agent = "Portcullis";
  std::chrono::milliseconds connect_timeout{4'000};
};

// Any thread may ask, as with Client; a thread of its own does the work. Certificates are checked.
// Redirects are answers like any other. Connections are kept. No cookies, no proxy from the
// environment.
class ConfiguredClient {
 public:
  static Result<std::unique_ptr<ConfiguredClient>> create(ConfiguredOptions options);
  virtual ~ConfiguredClient() = default;

  // Fault::limits for a reply with a body of more than `max_bytes` or a head of more than 64 KiB,
  // Fault::upstream for whatever else keeps a whole answer from coming within `timeout`. No error
  // tells what was sent.
  virtual Task<Result<Reply>> ask(Endpoint endpoint, Request request, std::uint64_t max_bytes,
                                  std::chrono::milliseconds timeout) = 0;

  // Only connects, over TLS if the endpoint says so: nothing is asked.
  virtual Task<Status> connect(Endpoint endpoint, std::chrono::milliseconds timeout) = 0;
};

}  // namespace portcullis::egress

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "config/config.h"

namespace portcullis::config {

namespace {

// As inet_ntop writes it, so that equal addresses are equal texts. Nothing when it is no address of
// that family.
std::string canonical(int family, const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::inet_pton(family, host.c_str(), address.data()) != 1) return {};
  if (!::inet_ntop(family, address.data(), text.data(), text.size())) return {};
  return text.data();
}

bool is_v6(std::string_view host) { return host.find(':') != std::string_view::npos; }

}  // namespace

bool Address::is_loopback() const {
  if (!is_v6(host)) {
    in_addr address{};
    return ::inet_pton(AF_INET, host.c_str(), &address) == 1 &&
           (ntohl(address.s_addr) >> 24) == 127;
  }
  in6_addr address{};
  if (::inet_pton(AF_INET6, host.c_str(), &address) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&address) ||
         (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

std::string Address::text() const {
  return is_v6(host) ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<Address> parse_address(std::string_view text) {
  const auto wrong = [&] {
    return fail(Fault::us,
                "\"{}\" is no address; write an IP address and a port, such as \"127.0.0.1:8080\" "
                "or \"[::1]:8080\"",
                text.substr(0, 64));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find('\0') != std::string_view::npos) return wrong();
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  Address address{canonical(bracketed ? AF_INET6 : AF_INET, std::string(host)), 0};
  if (address.host.empty()) return wrong();

  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc{} || stop != end) return wrong();
  return address;
}

Result<PlainServer> parse_plain_server(std::string_view url) {
  const auto wrong = [&] {
    return fail(Fault::us,
                "write http:// with a name or an address and perhaps a port, and nothing after it, "
                "such as \"http://127.0.0.1:8081\"");
  };
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return wrong();
  url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  PlainServer server;
  std::string_view rest;
  if (url.starts_with('[')) {
    const std::size_t end = url.find(']');
    if (end == std::string_view::npos) return wrong();
    server.host = canonical(AF_INET6, std::string(url.substr(1, end - 1)));
    rest = url.substr(end + 1);
  } else {
    const std::size_t end = std::min(url.find(':'), url.size());
    server.host = url.substr(0, end);
    rest = url.substr(end);
    const bool is_name = std::ranges::all_of(server.host, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '.' || c == '_';
    });
    if (!is_name) return wrong();
  }
  if (server.host.empty() || server.host.size() > 253) return wrong();
  if (rest.empty()) return server;
  const char* end = rest.data() + rest.size();
  const auto [stop, error] = std::from_chars(rest.data() + 1, end, server.port);
  if (!rest.starts_with(':') || error != std::errc{} || stop != end || server.port == 0)
    return wrong();
  return server;
}

}  // namespace portcullis::config

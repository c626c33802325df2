#include "app/list_credentials.h"

#include <sodium.h>

#include <algorithm>

#include "app/secret.h"
#include "egress/egress.h"
#include "net/net.h"

namespace portcullis::app {

namespace {

std::string base64(std::string_view text) {
  std::string result(sodium_base64_encoded_len(text.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  ::sodium_bin2base64(result.data(), result.size(),
                      reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                      sodium_base64_VARIANT_ORIGINAL);
  result.pop_back();  // the 0 behind the text
  return result;
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

Status take(Credentials& credentials, std::string_view how, std::string_view what) {
  const auto wrong = fail(Fault::client,
                          "write `basic USER:PASSWORD`, `bearer TOKEN`, `header NAME: VALUE` or "
                          "`query NAME=VALUE`");
  if (what.empty() || !is_printable(what)) return wrong;
  if (how == "basic") {
    if (!what.contains(':')) return wrong;
    credentials.headers.push_back("Authorization: Basic " + base64(what));
  } else if (how == "bearer") {
    credentials.headers.push_back("Authorization: Bearer " + std::string(what));
  } else if (how == "header") {
    const auto colon = what.find(':');
    if (colon == 0 || colon == std::string_view::npos || what.substr(0, colon).contains(' '))
      return wrong;
    credentials.headers.emplace_back(what);
  } else if (how == "query") {
    const auto equals = what.find('=');
    if (equals == 0 || equals == std::string_view::npos) return wrong;
    credentials.query.emplace_back(what.substr(0, equals), what.substr(equals + 1));
  } else {
    return wrong;
  }
  return {};
}

// Scheme, host and port as they are written.
std::string_view origin_of(std::string_view url) {
  const auto host = url.find("://");
  if (host == std::string_view::npos) return {};
  return url.substr(0, std::min(url.find_first_of("/?#", host + 3), url.size()));
}

}  // namespace

Result<Credentials> parse_credentials(std::string_view text) {
  Credentials credentials;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.starts_with('#')) continue;
    const auto blank = std::min(line.find(' '), line.size());
    const Status taken = take(credentials, line.substr(0, blank), trim(line.substr(blank)));
    if (!taken) return fail(Fault::client, "line {}: {}", number, taken.error().what);
  }
  return credentials;
}

Result<Credentials> load_credentials(const std::string& where) {
  if (where.empty()) return Credentials{};
  const std::string text = TRY(read_secret(where));
  auto credentials = parse_credentials(text);
  if (!credentials)
    return fail(Fault::client, "credentials in {}, {}", where, credentials.error().what);
  return credentials;
}

std::string with_query(std::string url, const Credentials& credentials) {
  if (credentials.query.empty()) return url;
  const auto mark = url.find('?');
  std::string result = url.substr(0, mark);
  char between = '?';
  const auto add = [&](std::string_view one) {
    result += between;
    result += one;
    between = '&';
  };
  std::string_view rest =
      mark == std::string::npos ? std::string_view() : std::string_view(url).substr(mark + 1);
  while (!rest.empty()) {
    const auto end = std::min(rest.find('&'), rest.size());
    const std::string_view one = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto name = net::percent_decode(one.substr(0, one.find('=')));
    const bool is_replaced =
        std::ranges::any_of(credentials.query, [&](const auto& own) { return own.first == name; });
    if (!one.empty() && !is_replaced) add(one);
  }
  for (const auto& [name, value] : credentials.query)
    add(net::percent_encode(name) + '=' + net::percent_encode(value));
  return result;
}

bool is_url(std::string_view source) {
  const std::string start = ascii_lower(source.substr(0, 8));
  return start.starts_with("http://") || start.starts_with("https://");
}

std::string shown_source(std::string_view source) {
  if (!is_url(source)) return std::string(source);
  std::string shown(source.substr(0, source.find('?')));
  const auto host = shown.find("://") + 3;
  const auto path = std::min(shown.find('/', host), shown.size());
  const auto at = shown.rfind('@', path);
  if (at != std::string::npos && at >= host && at < path) shown.erase(host, at + 1 - host);
  if (source.contains('?')) shown += "?…";
  return shown;
}

std::string next_url(const std::string& url, const std::string& next, bool is_token) {
  if (is_token) return with_query(url, {.headers = {}, .query = {{"nextPageToken", next}}});
  const std::string_view origin = origin_of(url);
  if (is_url(next)) return origin_of(next) == origin ? next : std::string();
  if (!next.starts_with('/') || next.starts_with("//")) return {};
  const std::string_view path = std::string_view(url).substr(0, url.find('?'));
  const auto version = path.rfind("/v2/");
  if (next.starts_with("/v2/") && version != std::string_view::npos && version >= origin.size())
    return std::string(path.substr(0, version)) + next;
  return std::string(origin) + next;
}

}  // namespace portcullis::app

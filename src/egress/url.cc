#include "egress/egress.h"

#include <curl/curl.h>

#include <algorithm>

#include "base/bytes.h"

namespace portcullis::egress {

namespace {

constexpr std::size_t kLongest = 8 * 1024;

std::unexpected<Error> invalid(std::string_view why) {
  return fail_with(Fault::client, "invalid-url", "{}", why);
}

// libcurl's own parser, so that what is judged is what is fetched.
class Parts {
 public:
  Parts() : url_(::curl_url()) {}
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  ~Parts() { ::curl_url_cleanup(url_); }

  // A relative one is resolved against what was set before.
  bool set(const std::string& text) {
    return url_ && ::curl_url_set(url_, CURLUPART_URL, text.c_str(),
                                  CURLU_DISALLOW_USER | CURLU_URLENCODE) == CURLUE_OK;
  }
  void drop_fragment() { ::curl_url_set(url_, CURLUPART_FRAGMENT, nullptr, 0); }
  // Empty if there is no such part.
  std::string get(CURLUPart what, unsigned flags = 0) const {
    char* text = nullptr;
    if (::curl_url_get(url_, what, &text, flags) != CURLUE_OK) return {};
    std::string result(text);
    ::curl_free(text);
    return result;
  }

 private:
  CURLU* url_;
};

bool is_plain(char c) {
  return (c > ' ' && c != 0x7F && c != '\\') || static_cast<signed char>(c) < 0;
}
bool is_of_a_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// With two slashes and no more, which libcurl alone would not insist on, and a host that is spelled
// out: what libcurl makes of "%30" it would read otherwise the next time ("0" is 0.0.0.0).
bool begins_like_http(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string scheme = ascii_lower(text.substr(0, colon));
  std::string_view rest = text.substr(colon + 1);
  if ((scheme != "http" && scheme != "https") || !rest.starts_with("//")) return false;
  rest.remove_prefix(2);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  return !authority.empty() && !authority.contains('%');
}

// Empty if it is no host.
std::string normal_host(std::string host) {
  if (host.starts_with('[') && host.ends_with(']')) {
    const auto address = IpAddress::parse(host.substr(1, host.size() - 2));
    return address ? address->text() : std::string();
  }
  host = ascii_lower(host);
  while (host.ends_with('.')) host.pop_back();
  return std::ranges::all_of(host, is_of_a_name) ? host : std::string();
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kLongest) return invalid("a URL that is too long");
  if (!std::ranges::all_of(text, is_plain))
    return invalid("a URL with spaces or control characters");
  if (!begins_like_http(text)) return invalid("neither http:// nor https:// and a host");
  Parts parts;
  if (!parts.set(std::string(text))) return invalid("no URL that can be fetched");
  parts.drop_fragment();
  Url url;
  url.text = parts.get(CURLUPART_URL);
  url.scheme = parts.get(CURLUPART_SCHEME);
  url.host = normal_host(parts.get(CURLUPART_HOST));
  if (url.host.empty()) return invalid("no host");
  const int port = std::atoi(parts.get(CURLUPART_PORT, CURLU_DEFAULT_PORT).c_str());
  if (port <= 0 || port > 0xFFFF) return invalid("no such port");
  url.port = static_cast<std::uint16_t>(port);
  url.path_and_query = parts.get(CURLUPART_PATH);
  if (const std::string query = parts.get(CURLUPART_QUERY); !query.empty())
    url.path_and_query += '?' + query;
  if (url.text.size() > kLongest) return invalid("a URL that is too long");  // encoded by now
  return url;
}

Result<Url> redirected(const Url& from, std::string_view location) {
  if (location.size() > kLongest || location.contains('\0')) return invalid("a redirect to no URL");
  const std::string scheme = ascii_lower(location.substr(0, location.find(':')));
  if ((scheme == "http" || scheme == "https") && !begins_like_http(location))
    return invalid("neither http:// nor https:// and a host");
  Parts parts;
  if (!parts.set(from.text) || !parts.set(std::string(location)))
    return invalid("a redirect to no URL");
  return parse_url(parts.get(CURLUPART_URL));
}

}  // namespace portcullis::egress

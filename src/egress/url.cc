#include <curl/curl.h>

#include <algorithm>

#include "egress/egress.h"

namespace portcullis::egress {

namespace {

constexpr std::size_t kLongest = 8 * 1024;

std::unexpected<Error> invalid(std::string_view why) {
  return fail_with(Fault::client, "invalid-url", "{}", why);
}

struct Handle {
  CURLU* url = ::curl_url();
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { ::curl_url_cleanup(url); }

  std::optional<std::string> part(CURLUPart what, unsigned flags = 0) const {
    char* text = nullptr;
    if (::curl_url_get(url, what, &text, flags) != CURLUE_OK) return std::nullopt;
    std::string result(text);
    ::curl_free(text);
    return result;
  }
};

}  // namespace

// libcurl's own parser, so that what is judged is what is fetched.
Result<Url> parse_url(std::string_view text) {
  if (text.empty() || text.size() > kLongest) return invalid("no URL, or one that is too long");
  const auto is_plain = [](char c) { return c > ' ' && c != 0x7F && c != '\\'; };
  // Bytes beyond ASCII are taken as they are, since people paste such URLs.
  if (!std::ranges::all_of(text,
                           [&](char c) { return static_cast<signed char>(c) < 0 || is_plain(c); }))
    return invalid("a URL with spaces or control characters");
  if (text.find(":///") < text.find_first_of("/?#")) return invalid("no host");
  const Handle handle;
  if (!handle.url || ::curl_url_set(handle.url, CURLUPART_URL, std::string(text).c_str(),
                                    CURLU_DISALLOW_USER) != CURLUE_OK)
    return invalid("no URL that can be fetched");
  const auto scheme = handle.part(CURLUPART_SCHEME);
  if (!scheme || (*scheme != "http" && *scheme != "https"))
    return invalid("neither http nor https");
  auto host = handle.part(CURLUPART_HOST);
  if (!host || host->empty()) return invalid("no host");
  if (host->starts_with('[') && host->ends_with(']')) *host = host->substr(1, host->size() - 2);
  for (char& c : *host)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  while (host->size() > 1 && host->ends_with('.')) host->pop_back();
  ::curl_url_set(handle.url, CURLUPART_FRAGMENT, nullptr, 0);
  auto whole = handle.part(CURLUPART_URL);
  if (!whole) return invalid("no URL that can be fetched");
  return Url{*std::move(whole), *std::move(host)};
}

}  // namespace portcullis::egress

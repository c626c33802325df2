// Whatever is taken for a URL, or for where a redirect leads, goes to a host over http, carries no
// credentials, and means the same when it is read again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "egress/egress.h"

namespace {

using namespace portcullis::egress;

void check(const portcullis::Result<Url>& url) {
  if (!url) return;
  const auto require = [](bool holds) {
    if (!holds) std::abort();
  };
  const std::string& text = url->text;
  require(text.size() <= 8 * 1024 && text.starts_with(url->scheme + "://"));
  require(url->scheme == "http" || url->scheme == "https");
  require(!url->host.empty() && url->port != 0 && url->path_and_query.starts_with('/'));
  require(std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F && c != '#'; }));
  require(text.ends_with(url->path_and_query));
  const auto authority = text.substr(0, text.size() - url->path_and_query.size());
  require(std::ranges::none_of(authority, [](char c) { return c == '@' || c == '%'; }));
  const auto again = parse_url(text);
  require(again && *again == *url);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(parse_url(text));
  static const Url from = *parse_url("http://example.org:8080/a/b?c=d");
  check(redirected(from, text));
  return 0;
}

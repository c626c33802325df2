// Whatever stands in a post's address, an origin is an http(s) address on another host, and nothing
// of it was made up.
#include <cstdint>
#include <cstdlib>

#include "egress/egress.h"
#include "lemmy/origins.h"

namespace {

using namespace portcullis::lemmy;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const OwnSite site{"https://lemmy.example", {"lemmy.example"}};
  const std::string url(reinterpret_cast<const char*>(data), size);
  const std::string inner = unproxied(url, site.url);
  require(inner.size() <= url.size());
  require(inner == url || url.starts_with(site.url));
  for (const char* type : {"", "image/png", "text/html"}) {
    const Shows shows[] = {{{.id = 1, .url = url}, type}};
    Thumbnail thumbnail{.alias = "a.png"};
    trace(thumbnail, shows, site);
    require(thumbnail.post && thumbnail.post->url == inner && !thumbnail.is_disputed);
    require(thumbnail.origin.empty() == (thumbnail.source == OriginSource::none));
    if (thumbnail.origin.empty()) continue;
    const auto parsed = portcullis::egress::parse_url(thumbnail.origin);
    require(thumbnail.origin == inner && parsed && parsed->host != "lemmy.example");
  }
  return 0;
}

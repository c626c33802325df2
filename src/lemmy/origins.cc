#include "lemmy/origins.h"

#include <algorithm>

#include "base/bytes.h"
#include "egress/egress.h"
#include "net/net.h"

namespace portcullis::lemmy {

namespace {

// As Lemmy's own pages tell pictures by their names.
bool is_named_as_picture(std::string_view url) {
  const std::string path = ascii_lower(url.substr(0, url.find_first_of("?#")));
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif"},
      [&](std::string_view end) { return path.ends_with(end); });
}

OriginSource source_of(const Shows& shows, std::string_view url) {
  if (shows.content_type.starts_with("image/")) return OriginSource::image_post;
  return shows.content_type.empty() && is_named_as_picture(url) ? OriginSource::image_name
                                                                : OriginSource::none;
}

}  // namespace

std::string unproxied(std::string_view url, std::string_view site_url) {
  if (site_url.empty() || !url.starts_with(site_url)) return std::string(url);
  std::string_view rest = url.substr(site_url.size());
  rest = rest.substr(0, rest.find('#'));
  for (const std::string_view path : {"/api/v3/image_proxy?", "/api/v4/image/proxy?"})
    if (rest.starts_with(path)) {
      auto values = net::query_values(rest.substr(path.size()), "url");
      if (values.size() == 1) return std::move(values.front());
    }
  return std::string(url);
}

bool is_foreign(const std::string& url, const OwnSite& site) {
  const auto parsed = egress::parse_url(url);
  return parsed && std::ranges::find(site.hosts, parsed->host) == site.hosts.end();
}

void trace(Thumbnail& thumbnail, std::span<const Shows> shows, const OwnSite& site) {
  if (shows.empty()) return;
  const auto url_of = [&](const Shows& one) { return unproxied(one.post.url, site.url); };
  thumbnail.post = shows.front().post;
  const std::string& url = thumbnail.post->url = url_of(shows.front());
  thumbnail.is_disputed =
      std::ranges::any_of(shows, [&](const Shows& one) { return url_of(one) != url; });
  if (thumbnail.is_disputed || !is_foreign(url, site)) return;
  for (const Shows& one : shows)
    if (const OriginSource source = source_of(one, url); source != OriginSource::none) {
      thumbnail.origin = url;
      thumbnail.source = source;
      if (source == OriginSource::image_post) return;
    }
}

}  // namespace portcullis::lemmy

#include "app/origin_finder.h"

#include <algorithm>

#include "app/guarded_fetcher.h"
#include "app/wait_for.h"

namespace portcullis::app {

namespace {

// The end of a page is beside the point, so reading it to there is no error.
constexpr char kEnough[] = "enough";

}  // namespace

Result<std::unique_ptr<OriginFinder>> OriginFinder::create(const config::Config& config,
                                                           std::vector<std::string> hosts) {
  egress::Options options = TRY(guarded_options(config));
  auto pages = TRY(egress::Client::create(options));
  options.accept = "application/activity+json";
  return std::unique_ptr<OriginFinder>(new OriginFinder(std::move(pages),
                                                        TRY(egress::Client::create(options)),
                                                        config.egress.timeout, std::move(hosts)));
}

bool OriginFinder::is_own(const std::string& host) const {
  return std::ranges::find(hosts_, host) != hosts_.end();
}

std::string OriginFinder::text_at(egress::Client& client, const std::string& url) {
  std::string text;
  const Status fetched = wait_for(
      client.fetch(url, std::uint64_t{1} << 40, timeout_, [&text](ByteView bytes) -> Status {
        text += as_text(bytes.first(std::min(bytes.size(), lemmy::kPageBytes - text.size())));
        if (text.size() < lemmy::kPageBytes) return {};
        return fail_with(Fault::limits, kEnough, "the beginning is enough");
      }));
  return fetched || fetched.error().code == kEnough ? text : std::string();
}

std::string OriginFinder::vetted(const egress::Url& page, const std::string& image) const {
  if (image.empty()) return {};
  const auto url = egress::redirected(page, image);
  return url && !is_own(url->host) ? url->text : std::string();
}

std::string OriginFinder::of_page(const std::string& url) {
  const auto page = egress::parse_url(url);
  if (!page || is_own(page->host)) return {};
  return vetted(*page, lemmy::page_image(text_at(*pages_, page->text)));
}

std::string OriginFinder::of_activity(const std::string& url) {
  const auto page = egress::parse_url(url);
  if (!page || is_own(page->host)) return {};
  return vetted(*page, lemmy::activity_image(text_at(*activities_, page->text)));
}

std::string OriginFinder::find(const lemmy::Thumbnail& thumbnail) {
  if (!thumbnail.post || thumbnail.is_disputed) return {};
  std::string origin = of_page(thumbnail.post->url);
  if (origin.empty() && !thumbnail.post->local) origin = of_activity(thumbnail.post->ap_id);
  return origin;
}

}  // namespace portcullis::app

#include "app/guarded_fetcher.h"

#include "app/places.h"

namespace portcullis::app {

Result<egress::Options> guarded_options(const config::Config& config) {
  egress::Options options;
  for (const std::string& text : config.egress.allow) {
    auto network = Network::parse(text);
    if (!network) return fail(Fault::us, "[egress] allow: {}", network.error().what);
    options.allow.push_back(*network);
  }
  options.max_per_host = config.egress.max_per_host;
  options.user_agent = fmt::format("Portcullis/{}", kVersion);
  if (!config.site.hosts.empty())
    options.user_agent += fmt::format(" (+https://{})", config.site.hosts.front());
  return options;
}

Result<std::unique_ptr<GuardedFetcher>> GuardedFetcher::create(const config::Config& config) {
  return std::unique_ptr<GuardedFetcher>(
      new GuardedFetcher(TRY(egress::Client::create(TRY(guarded_options(config))))));
}

Result<std::string> GuardedFetcher::host_of(const std::string& url) const {
  return TRY(egress::parse_url(url)).host;
}

Task<Status> GuardedFetcher::fetch(std::string url, std::uint64_t max_bytes,
                                   std::chrono::milliseconds timeout, Sink sink) {
  return client_->fetch(std::move(url), max_bytes, timeout, std::move(sink));
}

}  // namespace portcullis::app

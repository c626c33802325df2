// app/guarded_fetcher.h: media's way out, over egress.
#pragma once

#include "config/config.h"
#include "egress/egress.h"
#include "media/media.h"

namespace portcullis::app {

// How strangers' URLs are fetched. An error says which line of [egress] is wrong.
Result<egress::Options> guarded_options(const config::Config& config);

class GuardedFetcher final : public media::Fetcher {
 public:
  // An error says which line of [egress] is wrong.
  static Result<std::unique_ptr<GuardedFetcher>> create(const config::Config& config);

  Result<std::string> host_of(const std::string& url) const override;
  Task<Status> fetch(std::string url, std::uint64_t max_bytes, std::chrono::milliseconds timeout,
                     Sink sink) override;

 private:
  explicit GuardedFetcher(std::unique_ptr<egress::Client> client) : client_(std::move(client)) {}
  std::unique_ptr<egress::Client> client_;
};

}  // namespace portcullis::app

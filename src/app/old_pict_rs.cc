#include "app/old_pict_rs.h"

#include <algorithm>

namespace portcullis::app {

namespace {

constexpr std::chrono::seconds kTimeout{10}, kFileTimeout{30};
constexpr std::size_t kAtOnce = 16;

// What operations are made of; nothing in it needs an escape.
bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  });
}

}  // namespace

Result<std::unique_ptr<OldPictRs>> OldPictRs::create(const std::string& address) {
  std::unique_ptr<OldPictRs> old(new OldPictRs(TRY(egress::ConfiguredClient::create({}))));
  pictrs::Client::Options options;
  options.timeout = kTimeout;
  options.file_timeout = kFileTimeout;
  options.max_at_once = kAtOnce;
  auto client = pictrs::Client::create(address, std::move(options), *old->http_);
  if (!client)
    return fail(Fault::us, "[media] import_fallback: {} (or \"off\")", client.error().what);
  old->client_ = *std::move(client);
  return old;
}

Task<Result<media::Before::About>> OldPictRs::about(std::string alias) {
  const auto details = CO_TRY(co_await client_->details(std::move(alias)));
  About about;
  about.details.width = details.width;
  about.details.height = details.height;
  about.details.frames = details.frames;
  about.details.content_type = details.content_type;
  about.created = details.created.value_or(WallTime{});
  co_return about;
}

Task<Status> OldPictRs::original(std::string alias, std::uint64_t max_bytes,
                                 media::Fetcher::Sink sink) {
  co_return co_await client_->original(std::move(alias), max_bytes, std::move(sink));
}

Task<Status> OldPictRs::process(std::string alias, std::string extension,
                                image::Parameters parameters, std::uint64_t max_bytes,
                                media::Fetcher::Sink sink) {
  std::string query = "src=" + alias;
  for (const auto& [key, value] : parameters)
    if (is_plain(key) && is_plain(value)) query += "&" + key + "=" + value;
  co_return co_await client_->process(std::move(extension), std::move(query), max_bytes,
                                      std::move(sink));
}

}  // namespace portcullis::app

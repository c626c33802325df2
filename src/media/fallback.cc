#include "media/fallback.h"

#include <fcntl.h>

#include <algorithm>

#include "base/log.h"
#include "media/serving.h"

namespace portcullis::media {

namespace {

constexpr std::chrono::seconds kCacheMaxAge{300};

// A type that a browser shows as a picture or plays, and nothing else.
bool is_picture_type(std::string_view type) {
  for (std::size_t i = 0; i < decoder::kFormats; ++i)
    if (decoder::content_type(static_cast<decoder::Format>(i)) == type) return true;
  return false;
}

// A spool and the file in it, for as long as somebody reads it.
struct Held {
  Spool spool;
  UniqueFd fd;
};

}  // namespace

Task<bool> Fallback::was_deleted(const std::string& alias) {
  const auto found =
      co_await shared_.services.db.run([&] { return shared_.services.store.was_deleted(alias); });
  co_return !found || *found;
}

Task<StoredPointer> Fallback::fetch(Fetch fetch, store::Details details, WallTime created) {
  Services& services = shared_.services;
  const Options& options = shared_.options;
  auto spool = co_await services.files.run(
      [&] { return Spool::create(options.spool, shared_.spool_budget, options.max_file_size); });
  Status fetched;
  if (!spool)
    fetched = std::unexpected(spool.error());
  else
    fetched = co_await fetch([&](ByteView bytes) { return spool->add(bytes); });
  if (!fetched) {
    if (fetched.error().code != "alias-not-found")
      log::warning("the old store did not give a picture", {{"why", fetched.error().what}});
    co_return nullptr;
  }
  spool->finish();
  auto held = std::make_shared<Held>(Held{*std::move(spool), {}});
  held->fd.reset(::fcntl(held->spool.fd(), F_DUPFD_CLOEXEC, 0));
  if (!held->fd) co_return nullptr;
  co_return std::make_shared<const StoredPicture>(
      StoredPicture{held->spool.digests().sha256, std::move(details), created,
                    std::shared_ptr<const UniqueFd>(held, &held->fd), held->spool.size()});
}

Task<std::optional<net::Response>> Fallback::original(const net::Request& request,
                                                      const Route& route, bool relayed) {
  if (co_await was_deleted(route.alias)) co_return std::nullopt;
  Before& before = *shared_.services.before;
  const auto about = co_await before.about(route.alias);
  if (!about && about.error().code != "alias-not-found")
    log::warning("the old store did not say what it has", {{"why", about.error().what}});
  if (!about || !is_picture_type(about->details.content_type)) co_return std::nullopt;
  const StoredPointer picture = co_await fetch(
      [&](Fetcher::Sink sink) {
        return before.original(route.alias, shared_.options.max_file_size, std::move(sink));
      },
      about->details, about->created);
  if (!picture) co_return std::nullopt;
  co_return serve(request, picture, relayed, std::min(kCacheMaxAge, shared_.options.cache_max_age));
}

Task<std::optional<net::Response>> Fallback::process(const net::Request& request,
                                                     const Route& route, bool relayed) {
  const auto format = image::variant_format(route.extension);
  if (request.method != "GET" || !format) co_return std::nullopt;
  if (co_await was_deleted(route.alias)) co_return std::nullopt;
  image::Parameters operations;
  const std::vector<std::string>& filters = shared_.options.filters;
  for (const auto& parameter : route.parameters)
    if (std::ranges::find(filters, parameter.first) != filters.end())
      operations.push_back(parameter);
  store::Details details;
  details.content_type = decoder::content_type(*format);
  const StoredPointer picture = co_await fetch(
      [&](Fetcher::Sink sink) {
        return shared_.services.before->process(route.alias, route.extension, operations,
                                                shared_.options.max_file_size, std::move(sink));
      },
      details, shared_.services.clock.now());
  if (!picture) co_return std::nullopt;
  co_return serve(request, picture, relayed, std::min(kCacheMaxAge, shared_.options.cache_max_age));
}

Task<std::optional<net::Response>> Fallback::details(const Route& route) {
  if (co_await was_deleted(route.alias)) co_return std::nullopt;
  const auto about = co_await shared_.services.before->about(route.alias);
  if (!about || !is_picture_type(about->details.content_type)) co_return std::nullopt;
  co_return json_answer(200, details_json(about->details, about->created));
}

}  // namespace portcullis::media

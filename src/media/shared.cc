#include "media/shared.h"

#include <boost/asio/steady_timer.hpp>

#include "base/log.h"

namespace portcullis::media {

namespace {

constexpr std::size_t kPortion = 256 * 1024;  // one hop to the files pool for this much

class StoreMemory final : public scan::Memory {
 public:
  StoreMemory(store::Store& store, Pool& db, const Clock& clock)
      : store_(store), db_(db), clock_(clock) {}

  Task<std::optional<policy::SignalAnswer>> answer(const Sha256& original,
                                                   const std::string& signal,
                                                   const std::string& version) override {
    const store::AnswerKey key{original, signal, version};
    auto found = co_await db_.run([&] { return store_.answer(key, clock_.now()); });
    co_return found ? std::move(*found) : std::nullopt;
  }

  Task<void> remember(const Sha256& original, const std::string& signal, const std::string& version,
                      const policy::SignalAnswer& answer, std::chrono::seconds lifetime) override {
    const store::AnswerKey key{original, signal, version};
    const WallTime until = clock_.now() + lifetime;
    const Status done = co_await db_.run([&] { return store_.remember(key, answer, until); });
    if (!done)
      log::warning("an answer could not be remembered",
                   {{"signal", signal}, {"why", done.error().what}});
  }

  Task<std::optional<scan::Known>> known(const Sha256& original,
                                         const std::string& operations) override {
    const auto found = co_await db_.run([&] { return store_.rendition(original, operations); });
    if (!found) co_return std::nullopt;
    const std::optional<store::RenditionRecord>& record = *found;
    if (!record) co_return std::nullopt;
    Result<image::Seen> seen = image::seen_from_json(record->facts);
    if (!seen) co_return std::nullopt;
    co_return scan::Known{record->blob, *std::move(seen)};
  }

  Task<bool> is_allowed(const Sha256& original) override {
    const auto found = co_await db_.run([&] { return store_.is_allowed(original); });
    if (!found) log::warning("the allow-list could not be read", {{"why", found.error().what}});
    co_return found && *found;
  }

 private:
  store::Store& store_;
  Pool& db_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<scan::Memory> store_memory(store::Store& store, Pool& db, const Clock& clock) {
  return std::make_unique<StoreMemory>(store, db, clock);
}

Shared::Shared(Options given_options, Services given_services)
    : options(std::move(given_options)),
      services(given_services),
      memory(store_memory(services.store, services.db, services.clock)),
      backend(services.pict_rs ? pict_rs_backend(*this) : own_backend(*this)),
      spool_budget(options.spool_bytes, counters.spooled_bytes),
      attempts(
          {options.slow_after, options.close_after, options.attempts_window, options.close_for},
          services.clock) {}

void Shared::alert(std::string_view what, std::string_view text) {
  ++counters.alerts;
  log::warning("alert", {{"about", what}, {"text", text}});
  if (options.on_alert) options.on_alert(what, text);
}

Task<Result<StoredPointer>> stored_by_alias(Shared& shared, std::string alias) {
  if (StoredPointer hot = shared.hot.find(alias)) co_return hot;
  const std::uint64_t epoch = shared.hot.epoch();
  Services& services = shared.services;
  const bool is_elsewhere = services.pict_rs != nullptr;
  std::optional<store::AliasAndDetails> found;
  if (!is_elsewhere)
    found = CO_TRY(co_await services.db.run([&] { return services.store.find(alias); }));
  if (!found) {
    const bool is_gone =
        CO_TRY(co_await services.db.run([&] { return services.store.is_gone(alias); }));
    const bool is_stand_in = is_elsewhere && CO_TRY(co_await services.db.run([&] {
                                               return services.store.stand_in(alias);
                                             })).has_value();
    if (is_elsewhere && !is_gone && !is_stand_in)
      co_return std::make_shared<const StoredPicture>(StoredPicture{.elsewhere = alias});
    co_return fail_with(Fault::client, is_gone ? "alias-gone" : "alias-not-found", "No such alias");
  }
  StoredPointer stored = CO_TRY(co_await open_stored(shared, {.blob = found->alias.blob,
                                                              .details = std::move(found->details),
                                                              .created = found->alias.created}));
  shared.hot.keep(alias, stored, epoch);
  co_return stored;
}

Task<Result<StoredPointer>> open_stored(Shared& shared, StoredPicture picture) {
  auto opened =
      co_await shared.services.files.run([&] { return shared.services.blobs.open(picture.blob); });
  if (!opened)
    co_return fail_with(Fault::us, "lost-file", "a stored picture cannot be opened: {}",
                        opened.error().what);
  picture.size = opened->size;
  picture.fd = std::make_shared<const UniqueFd>(std::move(opened->fd));
  co_return std::make_shared<const StoredPicture>(std::move(picture));
}

net::Response answer_for_missing(const Error& error) {
  if (error.code == "alias-not-found") return error_answer(404, error.code, "No such alias");
  if (error.code == "alias-gone")
    return error_answer(410, error.code, "This picture was taken off the site.");
  log::error("a picture could not be read", {{"why", error.what}});
  if (error.code == "lost-file")
    return error_answer(500, error.code, "The picture's file is missing.");
  return error_answer(503, "storage-unavailable", "The picture cannot be read right now.");
}

Task<Status> write_blob(Shared& shared, Sha256 digest, store::Details details, ByteView bytes,
                        WallTime now, std::function<Status(std::int64_t claim)> publish) {
  Services& services = shared.services;
  const auto claim =
      CO_TRY(co_await services.db.run([&] { return services.store.claim(digest, details, now); }));
  Status stored;
  if (!claim.already_stored) {
    if (!bytes.empty())
      stored = co_await services.files.run([&] { return services.blobs.put(digest, bytes); });
    else
      stored = fail_with(Fault::storage, "gone", "the rendition was removed meanwhile");
  }
  if (stored) stored = co_await services.db.run([&] { return publish(claim.id); });
  if (stored) co_return Status();
  const Status given_up =
      co_await services.db.run([&] { return services.store.abandon(claim.id); });
  if (!given_up) log::error("a claim could not be given up", {{"why", given_up.error().what}});
  co_return stored;
}

store::Details details_of(const decoder::Rendition& made, std::uint64_t bytes) {
  store::Details details;
  details.width = made.width;
  details.height = made.height;
  if (made.frames > 1) details.frames = made.frames;
  details.content_type = decoder::content_type(made.format);
  details.blurhash = made.blurhash;
  details.bytes = bytes;
  return details;
}

Task<Status> read_body(Shared& shared, net::BodyReader& body,
                       std::function<Status(ByteView)> take) {
  Bytes buffer(kPortion);
  for (bool ended = false; !ended;) {
    std::size_t filled = 0;
    while (filled < buffer.size() && !ended) {
      Result<std::size_t> count = co_await body.read(std::span(buffer).subspan(filled));
      if (!count) {
        Error error = std::move(count).error();
        if (error.fault == Fault::limits && error.code.empty()) {
          error.fault = Fault::client;
          error.code = "validate-file-size";
        }
        co_return std::unexpected(std::move(error));
      }
      ended = *count == 0;
      filled += *count;
    }
    const ByteView portion(buffer.data(), filled);
    CO_TRY(co_await shared.services.files.run([&] { return take(portion); }));
  }
  co_return Status();
}

Task<void> pause(std::chrono::nanoseconds time) {
  asio::basic_waitable_timer<std::chrono::steady_clock,
                             asio::wait_traits<std::chrono::steady_clock>, Executor>
      timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(use_task);
}

}  // namespace portcullis::media

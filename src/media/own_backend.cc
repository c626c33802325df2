// The embedded store: blobs by their digest, rows beside them.
#include "base/id.h"
#include "media/ingest.h"

namespace portcullis::media {

namespace {

std::string token_of(const Order& order) {
  if (order.stand_in) return order.stand_in->delete_token;
  return order.delete_token.empty() ? random_uuid() : order.delete_token;
}

class OwnBackend final : public Backend {
 public:
  explicit OwnBackend(Shared& shared) : shared_(shared) {}

  bool reuses() const override { return true; }

  Task<Result<std::optional<Uploaded>>> keep(const Order& order, const scan::Screening& screening,
                                             const Digests& digests, Deadline) override {
    Services& services = shared_.services;
    const bool have_bytes = screening.rendition != nullptr;
    const ByteView bytes = have_bytes ? screening.rendition->view() : ByteView{};
    PORTCULLIS_CHECK(screening.seen.has_value());
    const image::Seen& seen = *screening.seen;
    const Sha256 digest = have_bytes ? co_await services.files.run([&] { return sha256_of(bytes); })
                                     : screening.known_blob.value_or(Sha256{});
    store::Details details = details_of(seen.made, bytes.size());
    if (!have_bytes) {
      const auto known =
          CO_TRY(co_await services.db.run([&] { return services.store.details(digest); }));
      if (!known) co_return std::nullopt;
      details = *known;
    }
    const WallTime now = services.clock.now();
    Uploaded uploaded{order.alias.empty()
                          ? random_uuid() + std::string(decoder::extension(seen.made.format))
                          : order.alias,
                      token_of(order), details, order.created.value_or(now)};
    const Status stored = co_await write_blob(
        shared_, digest, details, bytes, uploaded.created, [&](std::int64_t claim) {
          return services.store.publish(
              {claim,
               {uploaded.alias,
                uploaded.delete_token,
                digest,
                uploaded.created,
                order.source.value_or(order.subject.origin),
                {},
                order.url,
                order.uploader.account},
               record_of(screening, now),
               store::RenditionRecord{screening.facts.sha256, screening.operations, digest,
                                      image::to_json(seen), digests},
               order.proxied,
               order.stand_in.has_value()});
        });
    if (!stored && stored.error().code == "gone") co_return std::nullopt;
    if (!stored) co_return std::unexpected(stored.error());
    co_return uploaded;
  }

  Task<Status> take_back(const Uploaded& file) override {
    Services& services = shared_.services;
    CO_TRY(co_await services.db.run(
        [&] { return services.store.delete_alias(file.alias, std::nullopt); }));
    co_return Status();
  }

 private:
  Shared& shared_;
};

}  // namespace

std::unique_ptr<Backend> own_backend(Shared& shared) {
  return std::make_unique<OwnBackend>(shared);
}

}  // namespace portcullis::media

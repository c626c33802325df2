// A pict-rs behind this gate keeps what was accepted; here stand its alias and the verdict.
#include "base/log.h"
#include "media/pict_rs.h"

namespace portcullis::media {

namespace {

class PictRsBackend final : public Backend {
 public:
  explicit PictRsBackend(Shared& shared) : shared_(shared), pict_rs_(shared) {}

  // What pict-rs has made of a rendition is not known here.
  bool reuses() const override { return false; }

  Task<Result<std::optional<Uploaded>>> keep(const Order& order, const scan::Screening& screening,
                                             const Digests&, Deadline deadline) override {
    PORTCULLIS_CHECK(screening.rendition && screening.seen);
    Services& services = shared_.services;
    CO_TRY(co_await still_open(order));
    Uploaded uploaded = CO_TRY(
        co_await pict_rs_.store(order, screening.rendition->view(),
                                decoder::content_type(screening.seen->made.format), deadline));
    if (uploaded.details.blurhash.empty())
      uploaded.details.blurhash = screening.seen->made.blurhash;
    const WallTime now = services.clock.now();
    const store::HandedOn picture{uploaded.alias,
                                  uploaded.delete_token,
                                  screening.facts.sha256,
                                  now,
                                  order.subject.origin,
                                  order.parent,
                                  order.url,
                                  order.uploader.account};
    const Status noted = co_await services.db.run(
        [&] { return services.store.hand_on(picture, record_of(screening, now), order.proxied); });
    if (noted) co_return uploaded;
    // Closed meanwhile, or nothing can be noted: it must not stay.
    const Status taken_back = co_await take_back(uploaded);
    if (!taken_back)
      log::error("a picture that was handed to pict-rs could not be taken back",
                 {{"alias", uploaded.alias}, {"why", taken_back.error().what}});
    co_return std::unexpected(noted.error());
  }

  Task<Status> take_back(const Uploaded& file) override {
    CO_TRY(co_await pict_rs_.remove(file.alias, file.delete_token));
    co_return Status();
  }

 private:
  // Asked before, too, so that pict-rs sees nothing of a picture under way when a switch was
  // flipped.
  Task<Status> still_open(const Order& order) {
    if (!order.parent.empty()) co_return Status();
    Services& services = shared_.services;
    const bool is_remote = order.subject.origin == policy::Origin::remote;
    const auto found = CO_TRY(co_await services.db.run([&] {
      return services.store.get_switch(std::string(is_remote ? store::kRemote : store::kUploads));
    }));
    const WallTime now = services.clock.now();
    if (!is_remote && !store::uploads_are_open(found, now))
      co_return fail_with(Fault::limits, "uploads-closed", "uploads were closed meanwhile");
    const auto remote = is_remote ? store::remote_pictures(found, now) : std::nullopt;
    if (remote && *remote != store::RemotePictures::cache)
      co_return fail_with(Fault::limits, "remote-closed", "remote pictures are not kept any more");
    co_return Status();
  }

  Shared& shared_;
  PictRs pict_rs_;
};

}  // namespace

std::unique_ptr<Backend> pict_rs_backend(Shared& shared) {
  return std::make_unique<PictRsBackend>(shared);
}

}  // namespace portcullis::media

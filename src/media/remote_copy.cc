// Remotes, for a picture of this site that the pict-rs behind this gate keeps.
#include "base/log.h"
#include "media/pict_rs.h"
#include "media/remotes.h"

namespace portcullis::media {

Task<Taken> Remotes::take_copy(std::string alias, Order order) {
  Services& services = shared_.services;
  const Deadline deadline = services.clock.steady() + shared_.options.fetch_timeout;
  auto spool = co_await services.files.run([&] {
    return Spool::create(shared_.options.spool, shared_.spool_budget,
                         shared_.options.max_file_size);
  });
  if (!spool) co_return std::unexpected(NotTaken{refusal_for(spool.error())});
  PictRs pict_rs(shared_);
  const Status copied = co_await pict_rs.copy_into(*spool, alias, deadline);
  if (!copied) {
    log::info("a picture of this site could not be copied",
              {{"request", order.request}, {"why", copied.error().what}});
    if (copied.error().code == "alias-not-found")
      co_return std::unexpected(NotTaken{answer_for_missing(copied.error())});
    co_return std::unexpected(NotTaken{refusal_for(copied.error())});
  }
  order.subject.origin = policy::Origin::upload;
  order.parent = std::move(alias);
  co_return co_await ingest_.take(*spool, std::move(order), services.clock.steady(), deadline);
}

Task<std::optional<Found<StoredPointer>>> Remotes::copy_elsewhere(
    const std::optional<store::Remote>& remote, const std::string& url) {
  if (!shared_.services.pict_rs || !remote || remote->alias.empty()) co_return std::nullopt;
  auto stored = co_await stored_by_alias(shared_, remote->alias);
  if (!stored) co_return std::nullopt;
  shared_.accesses.note_proxied(url, shared_.services.clock.now());
  co_return Found<StoredPointer>(*std::move(stored));
}

Task<Found<StoredPointer>> Remotes::fill_elsewhere(const net::Request& request,
                                                   const std::string& url) {
  auto found = co_await proxied(request, url, false, Miss::fetch);
  // What could not be fetched is shown from where it lies.
  if (!found && std::holds_alternative<net::Response>(found.error()))
    co_return std::unexpected(ShowOrigin{url});
  co_return found;
}

}  // namespace portcullis::media

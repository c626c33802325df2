#include "media/variants.h"

#include "base/id.h"
#include "base/log.h"

namespace portcullis::media {

Task<Result<StoredPointer>> Variants::find(StoredPointer of, std::string key) {
  const std::string hot_key = variant_key(of->blob, key);
  StoredPointer stored = shared_.hot.find(hot_key);
  if (!stored) {
    const std::uint64_t epoch = shared_.hot.epoch();
    auto found = CO_TRY(co_await shared_.services.db.run(
        [&] { return shared_.services.store.variant(of->blob, key); }));
    if (!found) co_return StoredPointer();
    stored = CO_TRY(co_await open_stored(
        shared_,
        {.blob = found->blob, .details = std::move(found->details), .created = found->created}));
    shared_.hot.keep(hot_key, stored, epoch);
  }
  shared_.accesses.note_variant(of->blob, key, shared_.services.clock.now());
  co_return stored;
}

Task<Result<StoredPointer>> Variants::find_or_make(StoredPointer of, image::Variant variant) {
  if (StoredPointer stored = CO_TRY(co_await find(of, variant.key))) co_return stored;
  co_return co_await flights_.join(variant_key(of->blob, variant.key),
                                   [&] { return make_and_store(of, variant); });
}

Task<Result<StoredPointer>> Variants::make_and_store(StoredPointer of, image::Variant variant) {
  // Somebody may have made it between the first look and the taking off.
  if (StoredPointer stored = CO_TRY(co_await find(of, variant.key))) co_return stored;
  const auto format =
      static_cast<std::size_t>(variant.rendering.format.value_or(decoder::Format::jpeg));
  variant.rendering.quality = shared_.options.quality[format];
  const Made made = CO_TRY(co_await make(of, variant.rendering));
  Services& services = shared_.services;
  const WallTime now = services.clock.now();
  const Status stored = co_await write_blob(
      shared_, made.digest, details_of(made.made, made.bytes.view().size()), made.bytes.view(), now,
      [&](std::int64_t claim) {
        return services.store.publish_variant(claim, {of->blob, variant.key, made.digest}, now);
      });
  if (!stored && stored.error().code == "gone")
    co_return fail_with(Fault::client, "alias-not-found", "No such alias");
  if (!stored) co_return std::unexpected(stored.error());
  ++shared_.counters.variants;
  StoredPointer found = CO_TRY(co_await find(of, variant.key));
  if (!found) co_return fail_with(Fault::client, "alias-not-found", "No such alias");
  co_return found;
}

// What the picture looks like, as it was screened; nothing when that is not remembered, or is of
// something larger.
Task<std::optional<hash::PdqHash>> Variants::looks_of(Sha256 blob) {
  const auto facts =
      co_await shared_.services.db.run([&] { return shared_.services.store.facts_of(blob); });
  if (!facts || facts->empty()) co_return std::nullopt;
  const auto seen = image::seen_from_json(*facts);
  if (!seen || seen->frames != 1) co_return std::nullopt;
  co_return seen->fingerprints.front().pdq.front();
}

Task<Result<Variants::Made>> Variants::make(StoredPointer of, decoder::Rendering rendering) {
  Services& services = shared_.services;
  const Deadline deadline = services.clock.steady() + shared_.options.variant_timeout;
  decoder::Job job = image::variant_job(of->fd->get(), of->size, rendering);
  if (of->details.content_type == "image/jpeg") job.looks_like = co_await looks_of(of->blob);
  auto decoded =
      CO_TRY(co_await services.decode.run([&] { return services.decoders.decode(job, deadline); }));
  Made made{std::move(decoded.made), std::move(decoded.rendition), {}};
  made.digest = co_await services.files.run([&] { return sha256_of(made.bytes.view()); });
  co_return made;
}

Task<Result<Uploaded>> Variants::derive(StoredPointer of, std::string parent,
                                        decoder::Rendering rendering, std::string url) {
  Services& services = shared_.services;
  std::optional<Made> made;
  if (!rendering.operations.empty()) made = CO_TRY(co_await make(of, rendering));
  const Sha256 digest = made ? made->digest : of->blob;
  const ByteView bytes = made ? made->bytes.view() : ByteView();
  const store::Details details = made ? details_of(made->made, bytes.size()) : of->details;
  const auto dot = parent.rfind('.');
  const std::string extension = made ? std::string(decoder::extension(made->made.format))
                                : dot == std::string::npos ? std::string()
                                                           : parent.substr(dot);
  const WallTime now = services.clock.now();
  Uploaded uploaded{random_uuid() + extension, random_uuid(), details, now};
  const Status stored =
      co_await write_blob(shared_, digest, details, bytes, now, [&](std::int64_t claim) {
        return services.store.publish({claim,
                                       {uploaded.alias, uploaded.delete_token, digest, now,
                                        policy::Origin::upload, parent, url},
                                       {},
                                       {},
                                       {}});
      });
  if (!stored && stored.error().code == "gone")
    co_return fail_with(Fault::client, "alias-not-found", "No such alias");
  if (!stored) co_return std::unexpected(stored.error());
  co_return uploaded;
}

net::Response answer_for_variant(const Error& error) {
  if (error.code == "alias-not-found") return answer_for_missing(error);
  if (error.fault == Fault::client)
    return error_answer(400, error.code, "This picture cannot be made like that.");
  log::warning("a variant could not be made", {{"why", error.what}});
  return error_answer(503, "command-timeout",
                      "The picture could not be made in time. Please try again.");
}

}  // namespace portcullis::media

#include "media/ingest.h"

#include "base/id.h"
#include "base/log.h"

namespace portcullis::media {

namespace {

store::VerdictRecord record_of(const scan::Screening& screening, WallTime now) {
  return {random_uuid(),     screening.facts.sha256, screening.ruleset,
          screening.verdict, screening.facts,        now};
}

bool is_to_store(policy::Outcome outcome) {
  return outcome == policy::Outcome::accept || outcome == policy::Outcome::label;
}

}  // namespace

Task<std::optional<net::Response>> Ingest::closed() {
  Services& services = shared_.services;
  const auto found = co_await services.db.run([&] { return services.store.get_switch("uploads"); });
  if (!found) {
    ++shared_.counters.failed;
    log::error("the upload switch cannot be read, so uploads are refused",
               {{"why", found.error().what}});
    co_return storage_unavailable();
  }
  const auto& value = *found;
  if (value && !store::is_open(*value, services.clock.now())) {
    ++shared_.counters.closed;
    co_return uploads_closed(value->message);
  }
  if (shared_.is_full || shared_.is_evidence_full) {
    ++shared_.counters.failed;
    co_return storage_full();
  }
  co_return std::nullopt;
}

Task<Taken> Ingest::take(const Spool& spool, Order order, SteadyTime received, Deadline deadline) {
  const scan::Original original{spool.fd(), spool.size(), spool.digests()};
  // A rendition that was known may be swept before it is claimed; then the picture is decoded once
  // more.
  for (const scan::Reuse reuse : {scan::Reuse::yes, scan::Reuse::no}) {
    const scan::Screening screening = co_await shared_.services.scanner.scan(
        original, order.subject, shared_.memory.get(), deadline, reuse);
    if (auto ended = co_await judged(spool, order, screening, received))
      co_return std::unexpected(std::move(*ended));
    if (!screening.rendition && !screening.known_blob) {
      ++shared_.counters.unanswered;
      co_return std::unexpected(NotTaken{
          screening_unavailable(), false, {Fault::us, "nothing was made of it", "unanswered"}});
    }
    auto uploaded = co_await stored_or_answer(order, screening, spool.digests());
    if (!uploaded) co_return std::unexpected(std::move(uploaded).error());
    std::optional<Uploaded> stored = *std::move(uploaded);
    if (stored) co_return *std::move(stored);
  }
  co_return std::unexpected(
      NotTaken{storage_unavailable(), false, {Fault::storage, "its rendition was removed twice"}});
}

Task<std::optional<Taken>> Ingest::take_remembered(const Digests& digests, std::uint64_t size,
                                                   Order order, Deadline deadline) {
  const scan::Original original{-1, size, digests};
  const scan::Screening screening = co_await shared_.services.scanner.scan(
      original, order.subject, shared_.memory.get(), deadline, scan::Reuse::only);
  const bool is_remembered =
      screening.known_blob && !screening.not_taken && is_to_store(screening.verdict.outcome);
  if (!is_remembered) co_return std::nullopt;
  auto uploaded = co_await stored_or_answer(order, screening, digests);
  if (!uploaded) co_return Taken(std::unexpected(std::move(uploaded).error()));
  std::optional<Uploaded> stored = *std::move(uploaded);
  if (!stored) co_return std::nullopt;
  co_return Taken(*std::move(stored));
}

Task<std::optional<NotTaken>> Ingest::judged(const Spool& spool, const Order& order,
                                             const scan::Screening& screening,
                                             SteadyTime received) {
  if (screening.not_taken) {
    ++shared_.counters.not_taken;
    log::info("picture not taken",
              {{"request", order.request}, {"why", screening.not_taken->what}});
    co_return NotTaken{refusal_for(*screening.not_taken), false, *screening.not_taken};
  }
  if (is_to_store(screening.verdict.outcome)) co_return std::nullopt;
  const store::VerdictRecord record = record_of(screening, shared_.services.clock.now());
  const std::optional<store::Kept> kept = co_await keep(spool, order, record);
  log::info("picture refused", {{"request", order.request},
                                {"verdict", record.id},
                                {"outcome", policy::name(record.verdict.outcome)},
                                {"rule", record.verdict.rule},
                                {"kept", kept ? name(*kept) : "no"},
                                {"why", record.verdict.reason}});
  co_await carry_out(screening, record);
  const bool is_held = kept && screening.verdict.outcome == policy::Outcome::hold;
  const bool is_lost =
      !kept && (record.verdict.preserve || record.verdict.outcome == policy::Outcome::hold);
  if (screening.verdict.unanswered && !is_held) {
    ++shared_.counters.unanswered;
    co_return NotTaken{screening_unavailable(),
                       false,
                       {Fault::us, record.verdict.reason, "unanswered"},
                       record.id};
  }
  ++shared_.counters.refused;
  if (!is_held)
    shared_.attempts.note(
        order.uploader, screening.facts.sha256,
        screening.seen ? screening.seen->fingerprints : std::vector<hash::Dihedral>());
  co_await wait_for_step(order, received);
  co_return NotTaken{is_held ? content_held() : content_refused(),
                     true,
                     {Fault::client, record.verdict.reason,
                      is_held   ? "held"
                      : is_lost ? "not-kept"
                                : "refused"},
                     record.id};
}

Task<std::optional<store::Kept>> Ingest::keep(const Spool& spool, const Order& order,
                                              const store::VerdictRecord& record) {
  using store::Kept;
  Services& services = shared_.services;
  const bool is_to_hold = record.verdict.outcome == policy::Outcome::hold;
  if (record.verdict.preserve || is_to_hold) {
    const Kept as = record.verdict.preserve ? Kept::preserved : Kept::held;
    const auto kept = co_await services.files.run([&] {
      return services.keeper.keep(as, evidence::source_of_file(spool.fd()), record,
                                  {order.subject.origin, order.uploader.account, order.context});
    });
    if (kept) {
      ++(as == Kept::held ? shared_.counters.held : shared_.counters.preserved);
      co_return as;
    }
    ++shared_.counters.not_kept;
    // That somebody has enough waiting already is no reason to wake anybody.
    if (kept.error().code != "held-quota")
      shared_.alert("evidence", fmt::format("A picture that rule \"{}\" wants {} could not be kept "
                                            "and was refused: {}",
                                            record.verdict.rule, name(as), kept.error().what));
  }
  const Status recorded = co_await services.db.run([&] { return services.store.record(record); });
  if (!recorded)
    log::error("a verdict could not be recorded",
               {{"request", order.request}, {"why", recorded.error().what}});
  co_return std::nullopt;
}

// What else the rule wants done.
Task<void> Ingest::carry_out(const scan::Screening& screening, const store::VerdictRecord& record) {
  if (record.verdict.alert)
    shared_.alert("verdict", fmt::format("Rule \"{}\" refused a picture (verdict {}).",
                                         record.verdict.rule, record.id));
  if (!record.verdict.ban_hash || !shared_.options.ban) co_return;
  const Status banned =
      co_await shared_.services.files.run([&] { return shared_.options.ban(screening); });
  if (!banned)
    shared_.alert("ban", fmt::format("The picture of verdict {} could not be banned: {}", record.id,
                                     banned.error().what));
}

Task<std::expected<std::optional<Uploaded>, NotTaken>> Ingest::stored_or_answer(
    const Order& order, const scan::Screening& screening, const Digests& digests) {
  Result<std::optional<Uploaded>> stored = co_await store(order, screening, digests);
  if (stored) {
    const std::optional<Uploaded>& uploaded = *stored;
    if (uploaded) {
      ++shared_.counters.accepted;
      log::info("picture accepted", {{"request", order.request},
                                     {"alias", uploaded->alias},
                                     {"rule", screening.verdict.rule},
                                     {"bytes", screening.facts.bytes}});
    }
    co_return *std::move(stored);
  }
  const Error& error = stored.error();
  if (error.code == "uploads-closed") {
    auto ended = co_await closed();
    co_return std::unexpected(
        NotTaken{ended ? std::move(*ended) : uploads_closed({}), false, error});
  }
  if (error.code == "duplicate-alias")
    co_return std::unexpected(NotTaken{refusal_for(error), false, error});
  ++shared_.counters.failed;
  log::error("picture not stored", {{"request", order.request}, {"why", error.what}});
  co_return std::unexpected(NotTaken{storage_unavailable(), false, error});
}

Task<Result<std::optional<Uploaded>>> Ingest::store(const Order& order,
                                                    const scan::Screening& screening,
                                                    const Digests& digests) {
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
                    order.delete_token.empty() ? random_uuid() : order.delete_token, details,
                    order.created.value_or(now)};
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
             order.proxied});
      });
  if (!stored && stored.error().code == "gone") co_return std::nullopt;
  if (!stored) co_return std::unexpected(stored.error());
  co_return uploaded;
}

Task<void> Ingest::undo(const std::vector<Uploaded>& files) {
  Services& services = shared_.services;
  for (const Uploaded& file : files) {
    const auto deleted = co_await services.db.run(
        [&] { return services.store.delete_alias(file.alias, std::nullopt); });
    if (!deleted)
      log::error("a part of a failed upload stays",
                 {{"alias", file.alias}, {"why", deleted.error().what}});
  }
}

Task<void> Ingest::wait_for_step(const Order& order, SteadyTime received) {
  const auto step = shared_.options.refusal_step * shared_.attempts.slowness(order.uploader);
  if (step.count() == 0) co_return;
  co_await pause(step - (shared_.services.clock.steady() - received) % step);
}

}  // namespace portcullis::media

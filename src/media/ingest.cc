#include "media/ingest.h"

#include "base/id.h"
#include "base/log.h"

namespace portcullis::media {

namespace {

bool is_to_store(policy::Outcome outcome) {
  return outcome == policy::Outcome::accept || outcome == policy::Outcome::label;
}

}  // namespace

store::VerdictRecord record_of(const scan::Screening& screening, WallTime now) {
  return {random_uuid(),     screening.facts.sha256, screening.ruleset,
          screening.verdict, screening.facts,        now};
}

Task<std::optional<net::Response>> Ingest::switched_off() {
  Services& services = shared_.services;
  const auto found = co_await services.db.run(
      [&] { return services.store.get_switch(std::string(store::kUploads)); });
  if (!found) {
    ++shared_.counters.failed;
    log::error("the upload switch cannot be read, so uploads are refused",
               {{"why", found.error().what}});
    co_return storage_unavailable();
  }
  if (const auto& value = *found; !store::uploads_are_open(value, services.clock.now())) {
    ++shared_.counters.closed;
    co_return uploads_closed(value->message);
  }
  co_return std::nullopt;
}

Task<std::optional<net::Response>> Ingest::closed() {
  if (auto ended = co_await switched_off()) co_return ended;
  if (shared_.is_full || shared_.is_evidence_full) {
    ++shared_.counters.failed;
    co_return storage_full();
  }
  co_return std::nullopt;
}

Task<std::expected<scan::Screening, NotTaken>> Ingest::judge(const Spool& spool, const Order& order,
                                                             SteadyTime received, Deadline deadline,
                                                             scan::Reuse reuse) {
  const scan::Original original{spool.fd(), spool.size(), spool.digests()};
  scan::Screening screening = co_await shared_.services.scanner.scan(
      original, order.subject, shared_.memory.get(), deadline, reuse);
  if (auto ended = co_await judged(spool, order, screening, received))
    co_return std::unexpected(std::move(*ended));
  if (!screening.rendition && !screening.known_blob) {
    ++shared_.counters.unanswered;
    co_return std::unexpected(NotTaken{
        screening_unavailable(), false, {Fault::us, "nothing was made of it", "unanswered"}});
  }
  co_return screening;
}

Task<std::optional<NotTaken>> Ingest::judge_for_another(const Spool& spool, const Order& order,
                                                        SteadyTime received, Deadline deadline) {
  const auto screening = co_await judge(spool, order, received, deadline, scan::Reuse::yes);
  if (!screening) co_return screening.error();
  Services& services = shared_.services;
  if (auto ended = co_await closed()) co_return NotTaken{std::move(*ended)};  // meanwhile
  const store::VerdictRecord record = record_of(*screening, services.clock.now());
  const Status recorded = co_await services.db.run([&] { return services.store.record(record); });
  if (!recorded) {
    ++shared_.counters.failed;
    log::error("an accepted picture's verdict could not be recorded, so it is refused",
               {{"request", order.request}, {"why", recorded.error().what}});
    co_return NotTaken{storage_unavailable()};
  }
  ++shared_.counters.accepted;
  log::info("picture of another server accepted", {{"request", order.request},
                                                   {"verdict", record.id},
                                                   {"rule", record.verdict.rule},
                                                   {"bytes", record.facts.bytes}});
  co_return std::nullopt;
}

Task<Taken> Ingest::take(const Spool& spool, Order order, SteadyTime received, Deadline deadline) {
  // A rendition that was known may be swept before it is claimed; then the picture is decoded once
  // more.
  for (const scan::Reuse reuse : {scan::Reuse::yes, scan::Reuse::no}) {
    if (reuse == scan::Reuse::yes && !shared_.backend->reuses()) continue;
    const auto screening = co_await judge(spool, order, received, deadline, reuse);
    if (!screening) co_return std::unexpected(screening.error());
    auto uploaded = co_await stored_or_answer(order, *screening, spool.digests(), deadline);
    if (!uploaded) co_return std::unexpected(std::move(uploaded).error());
    std::optional<Uploaded> stored = *std::move(uploaded);
    if (stored) co_return *std::move(stored);
  }
  co_return std::unexpected(
      NotTaken{storage_unavailable(), false, {Fault::storage, "its rendition was removed twice"}});
}

Task<std::optional<Taken>> Ingest::take_remembered(const Digests& digests, std::uint64_t size,
                                                   Order order, Deadline deadline) {
  if (!shared_.backend->reuses()) co_return std::nullopt;
  const scan::Original original{-1, size, digests};
  const scan::Screening screening = co_await shared_.services.scanner.scan(
      original, order.subject, shared_.memory.get(), deadline, scan::Reuse::only);
  const bool is_remembered =
      screening.known_blob && !screening.not_taken && is_to_store(screening.verdict.outcome);
  if (!is_remembered) co_return std::nullopt;
  auto uploaded = co_await stored_or_answer(order, screening, digests, deadline);
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
  co_await note_refusal(record.verdict.rule);
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

Task<void> Ingest::note_refusal(const std::string& rule) {
  if (!shared_.options.on_refused) co_return;
  const auto text =
      co_await shared_.services.db.run([&] { return shared_.options.on_refused(rule); });
  if (text) shared_.alert("uploads-closed", *text);
}

Task<std::expected<std::optional<Uploaded>, NotTaken>> Ingest::stored_or_answer(
    const Order& order, const scan::Screening& screening, const Digests& digests,
    Deadline deadline) {
  Result<std::optional<Uploaded>> stored =
      co_await shared_.backend->keep(order, screening, digests, deadline);
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
  if (error.code == "remote-closed") {
    ++shared_.counters.closed;
    co_return std::unexpected(NotTaken{remote_not_stored(), false, error});
  }
  // A name that is taken, or what a pict-rs says of the picture.
  if (error.fault == Fault::client) {
    log::info("picture not taken where it is kept",
              {{"request", order.request}, {"code", error.code}, {"why", error.what}});
    co_return std::unexpected(NotTaken{refusal_for(error), false, error});
  }
  ++shared_.counters.failed;
  log::error("picture not stored", {{"request", order.request}, {"why", error.what}});
  co_return std::unexpected(
      NotTaken{error.code.starts_with("upstream-") ? refusal_for(error) : storage_unavailable(),
               false, error});
}

Task<void> Ingest::undo(const std::vector<Uploaded>& files) {
  for (const Uploaded& file : files) {
    const Status taken_back = co_await shared_.backend->take_back(file);
    if (!taken_back)
      log::error("a part of a failed upload stays",
                 {{"alias", file.alias}, {"why", taken_back.error().what}});
  }
}

Task<void> Ingest::wait_for_step(const Order& order, SteadyTime received) {
  const auto step = shared_.options.refusal_step * shared_.attempts.slowness(order.uploader);
  if (step.count() == 0) co_return;
  co_await pause(step - (shared_.services.clock.steady() - received) % step);
}

}  // namespace portcullis::media

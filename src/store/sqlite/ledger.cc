// Verdicts, evidence, the audit chain and jobs.
#include <boost/json.hpp>

#include "store/sqlite/sqlite_store.h"

namespace portcullis::store {

std::string_view name(Kept kept) { return kept == Kept::held ? "held" : "preserved"; }

std::string_view name(EvidenceState state) {
  switch (state) {
    case EvidenceState::kept:
      return "kept";
    case EvidenceState::released:
      return "released";
    case EvidenceState::destroyed:
      return "destroyed";
  }
  return "unknown";
}

namespace sqlite {

namespace json = boost::json;

namespace {

constexpr std::string_view kServer = "server";

// --- rows to structs ---

constexpr std::string_view kVerdicts =
    "SELECT id, original, ruleset, outcome, rule, label, preserve, report, alert, ban_hash, "
    "unanswered, reason, facts, decided, number FROM verdict ";

Result<VerdictRecord> read_verdict(const Query& query) {
  VerdictRecord record;
  record.id = query.text(0);
  record.original = TRY(query.digest(1));
  record.ruleset = query.text(2);
  const auto outcome = policy::outcome_from(query.text(3));
  if (!outcome) return fail(Fault::storage, "verdict {} has no known outcome", record.id);
  record.verdict = {*outcome,
                    query.text(4),
                    query.text(5),
                    query.integer(6) != 0,
                    query.integer(7) != 0,
                    query.integer(8) != 0,
                    query.integer(9) != 0,
                    query.integer(10) != 0,
                    query.text(11)};
  record.facts = TRY(policy::facts_from_json(query.text(12)));
  record.when = query.time(13);
  return record;
}

// The columns that read_evidence() reads, of `evidence`.
#define EVIDENCE_COLUMNS                                                           \
  "SELECT id, original, kept, state, rule, report_due, bytes, since, keep_until, " \
  "legal_hold, ended, (SELECT count(*) FROM attempt WHERE evidence = evidence.id) FROM evidence "

Result<Evidence> read_evidence(const Query& query) {
  Evidence one;
  one.id = query.text(0);
  one.original = TRY(query.digest(1));
  one.kept = static_cast<Kept>(query.integer(2));
  one.state = static_cast<EvidenceState>(query.integer(3));
  one.rule = query.text(4);
  one.report_due = query.integer(5) != 0;
  one.bytes = static_cast<std::uint64_t>(query.integer(6));
  one.since = query.time(7);
  one.keep_until = query.time(8);
  one.legal_hold = query.text(9);
  if (!query.is_null(10)) one.ended = query.time(10);
  one.attempts = static_cast<std::uint64_t>(query.integer(11));
  return one;
}

Result<std::vector<Evidence>> read_all_evidence(Query& query) {
  std::vector<Evidence> list;
  while (TRY(query.step())) list.push_back(TRY(read_evidence(query)));
  return list;
}

Result<std::optional<Evidence>> evidence_by_id(Connection& connection, const std::string& id) {
  Query query = TRY(connection.prepare(EVIDENCE_COLUMNS "WHERE id = ?"));
  if (!TRY(query.bind(id).step())) return std::nullopt;
  return TRY(read_evidence(query));
}

Result<std::optional<Evidence>> kept_evidence_of(Connection& connection, const Sha256& original) {
  Query query = TRY(connection.prepare(EVIDENCE_COLUMNS "WHERE original = ? AND state = 0"));
  if (!TRY(query.bind(original).step())) return std::nullopt;
  return TRY(read_evidence(query));
}

// One that is still kept, or an error for people.
Result<Evidence> still_kept(Connection& connection, const std::string& id) {
  const auto found = TRY(evidence_by_id(connection, id));
  if (!found)
    return fail(Fault::client, "there is no evidence {}; `portcullis evidence list` shows all", id);
  if (found->state != EvidenceState::kept)
    return fail(Fault::client, "evidence {} was {} before", id, name(found->state));
  return *found;
}

Status insert_evidence(Connection& connection, const Evidence& fresh) {
  TRY(TRY(connection.prepare(
              "INSERT INTO evidence (id, original, kept, state, rule, report_due, bytes, since, "
              "keep_until, legal_hold) VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?)"))
          .bind(fresh.id, fresh.original, static_cast<std::int64_t>(fresh.kept), fresh.rule,
                fresh.report_due, fresh.bytes, fresh.since, fresh.keep_until, fresh.legal_hold)
          .run());
  return {};
}

Status insert_attempt(Connection& connection, const std::string& evidence, const Attempt& attempt) {
  TRY(TRY(connection.prepare("INSERT INTO attempt (evidence, verdict, tried, origin, uploader, "
                             "salt, context) VALUES (?, ?, ?, ?, ?, ?, ?)"))
          .bind(evidence, attempt.verdict, attempt.when, policy::name(attempt.origin),
                attempt.uploader, attempt.salt, attempt.context)
          .run());
  return {};
}

Status make_preserved(Connection& connection, const std::string& id, WallTime keep_until) {
  TRY(TRY(connection.prepare("UPDATE evidence SET kept = 1, keep_until = max(keep_until, ?) WHERE "
                             "id = ?"))
          .bind(keep_until, id)
          .run());
  return {};
}

Result<std::uint64_t> held_of(Connection& connection, const std::string& uploader) {
  Query query = TRY(connection.prepare(
      "SELECT count(DISTINCT evidence.id) FROM attempt JOIN evidence ON evidence.id = "
      "attempt.evidence WHERE uploader = ? AND kept = 0 AND state = 0"));
  query.bind(uploader);
  return TRY(query.step()) ? static_cast<std::uint64_t>(query.integer(0)) : 0;
}

// What the chain says of an attempt's personal data, which stand outside of it.
std::optional<Sha256> personal_digest(const Attempt& attempt) {
  if (attempt.uploader.empty() && attempt.context.empty()) return std::nullopt;
  Bytes all = attempt.salt;
  const ByteView uploader = as_bytes(attempt.uploader);
  all.insert(all.end(), uploader.begin(), uploader.end());
  all.push_back(std::byte{0});
  all.insert(all.end(), attempt.context.begin(), attempt.context.end());
  return sha256_of(all);
}

AuditEntry verdict_entry(const VerdictRecord& record, std::optional<Sha256> personal) {
  return {.actor = std::string(kServer),
          .action = fmt::format("verdict {}", policy::name(record.verdict.outcome)),
          .subject = record.id,
          .details = json::serialize(json::object{{"original", record.original.hex()},
                                                  {"rule", record.verdict.rule},
                                                  {"ruleset", record.ruleset}}),
          .personal = personal};
}

std::string why_object(const std::string& why) {
  return json::serialize(json::object{{"why", why}});
}

}  // namespace

// --- the audit chain ---

Status append_audit(Connection& connection, WallTime now, AuditEntry entry) {
  {
    Query last =
        TRY(connection.prepare("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1"));
    if (TRY(last.step())) {
      entry.sequence = static_cast<std::uint64_t>(last.integer(0));
      entry.previous = TRY(last.digest(1));
    }
  }
  ++entry.sequence;
  entry.when = now;
  entry.hash = hash_of(entry);
  TRY(TRY(connection.prepare("INSERT INTO audit (sequence, done, actor, action, subject, details, "
                             "personal, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"))
          .bind(entry.sequence, entry.when, entry.actor, entry.action, entry.subject, entry.details,
                entry.personal, entry.previous, entry.hash)
          .run());
  return {};
}

Status SqliteStore::audit(const AuditEntry& entry, WallTime now) {
  return change([&](Connection& connection) {
    AuditEntry next;
    next.actor = entry.actor;
    next.action = entry.action;
    next.subject = entry.subject;
    next.details = entry.details;
    return append_audit(connection, now, std::move(next));
  });
}

Result<std::vector<AuditEntry>> SqliteStore::audit_after(std::uint64_t sequence, std::size_t most) {
  return readers_.with_one([&](Connection& connection) -> Result<std::vector<AuditEntry>> {
    Query query = TRY(connection.prepare(
        "SELECT sequence, done, actor, action, subject, details, personal, previous, hash FROM "
        "audit WHERE sequence > ? ORDER BY sequence LIMIT ?"));
    query.bind(sequence, std::uint64_t{most});
    std::vector<AuditEntry> entries;
    while (TRY(query.step())) {
      AuditEntry entry;
      entry.sequence = static_cast<std::uint64_t>(query.integer(0));
      entry.when = query.time(1);
      entry.actor = query.text(2);
      entry.action = query.text(3);
      entry.subject = query.text(4);
      entry.details = query.text(5);
      if (!query.is_null(6)) entry.personal = TRY(query.digest(6));
      entry.previous = TRY(query.digest(7));
      entry.hash = TRY(query.digest(8));
      entries.push_back(std::move(entry));
    }
    return entries;
  });
}

Result<std::optional<Head>> SqliteStore::audit_head() {
  return readers_.with_one([&](Connection& connection) -> Result<std::optional<Head>> {
    Query query =
        TRY(connection.prepare("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1"));
    if (!TRY(query.step())) return std::nullopt;
    return Head{static_cast<std::uint64_t>(query.integer(0)), TRY(query.digest(1))};
  });
}

// --- verdicts ---

Status insert_verdict(Connection& connection, const VerdictRecord& record,
                      const std::string& facts) {
  const policy::Verdict& verdict = record.verdict;
  Query query = TRY(connection.prepare(
      "INSERT INTO verdict (id, original, ruleset, outcome, rule, label, preserve, report, alert, "
      "ban_hash, unanswered, "
      "reason, facts, decided) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  query.bind(record.id, record.original, record.ruleset, policy::name(verdict.outcome),
             verdict.rule, verdict.label, verdict.preserve, verdict.report, verdict.alert,
             verdict.ban_hash, verdict.unanswered, verdict.reason, facts, record.when);
  TRY(query.run());
  return {};
}

Status SqliteStore::record(const VerdictRecord& verdict) {
  const std::string facts = policy::to_json(verdict.facts);
  return change([&](Connection& connection) -> Status {
    TRY(insert_verdict(connection, verdict, facts));
    return append_audit(connection, verdict.when, verdict_entry(verdict, std::nullopt));
  });
}

Result<std::vector<VerdictRecord>> SqliteStore::recent_verdicts(std::size_t most) {
  return readers_.with_one([&](Connection& connection) -> Result<std::vector<VerdictRecord>> {
    static const std::string kSql = std::string(kVerdicts) + "ORDER BY number DESC LIMIT ?";
    Query query = TRY(connection.prepare(kSql));
    query.bind(std::uint64_t{most});
    std::vector<VerdictRecord> records;
    while (TRY(query.step())) records.push_back(TRY(read_verdict(query)));
    return records;
  });
}

Result<std::optional<VerdictRecord>> SqliteStore::verdict(const std::string& id) {
  return readers_.with_one([&](Connection& connection) -> Result<std::optional<VerdictRecord>> {
    static const std::string kSql = std::string(kVerdicts) + "WHERE id = ?";
    Query query = TRY(connection.prepare(kSql));
    if (!TRY(query.bind(id).step())) return std::nullopt;
    return TRY(read_verdict(query));
  });
}

Result<Ledger::VerdictPage> SqliteStore::verdicts_after(std::uint64_t after, std::size_t most) {
  return readers_.with_one([&](Connection& connection) -> Result<VerdictPage> {
    static const std::string kSql =
        std::string(kVerdicts) + "WHERE number > ? ORDER BY number LIMIT ?";
    Query query = TRY(connection.prepare(kSql));
    query.bind(after, std::uint64_t{most});
    VerdictPage page{{}, after};
    while (TRY(query.step())) {
      page.verdicts.push_back(TRY(read_verdict(query)));
      page.last = static_cast<std::uint64_t>(query.integer(14));
    }
    return page;
  });
}

// --- evidence ---

Result<std::optional<Evidence>> SqliteStore::evidence_of(const Sha256& original) {
  return readers_.with_one(
      [&](Connection& connection) { return kept_evidence_of(connection, original); });
}

Result<std::optional<Evidence>> SqliteStore::evidence(const std::string& id) {
  return readers_.with_one([&](Connection& connection) { return evidence_by_id(connection, id); });
}

Result<std::vector<Evidence>> SqliteStore::evidence_list(bool kept_only, std::size_t most) {
  return readers_.with_one([&](Connection& connection) -> Result<std::vector<Evidence>> {
    Query query = TRY(connection.prepare(
        EVIDENCE_COLUMNS "WHERE state = 0 OR NOT ? ORDER BY since DESC, id LIMIT ?"));
    query.bind(kept_only, std::uint64_t{most});
    return read_all_evidence(query);
  });
}

Result<std::vector<Evidence>> SqliteStore::evidence_due(WallTime now, std::size_t most) {
  return readers_.with_one([&](Connection& connection) -> Result<std::vector<Evidence>> {
    Query query = TRY(connection.prepare(
        EVIDENCE_COLUMNS
        "WHERE state = 0 AND legal_hold = '' AND keep_until <= ? ORDER BY keep_until LIMIT ?"));
    query.bind(now, std::uint64_t{most});
    return read_all_evidence(query);
  });
}

Result<std::uint64_t> SqliteStore::evidence_bytes() {
  return readers_.with_one([&](Connection& connection) -> Result<std::uint64_t> {
    return static_cast<std::uint64_t>(
        TRY(connection.number("SELECT bytes FROM total WHERE name = 'evidence'")));
  });
}

Result<std::vector<Attempt>> SqliteStore::attempts(const std::string& evidence) {
  return readers_.with_one([&](Connection& connection) -> Result<std::vector<Attempt>> {
    Query query = TRY(
        connection.prepare("SELECT verdict, tried, origin, uploader, salt, context FROM attempt "
                           "WHERE evidence = ? ORDER BY number"));
    query.bind(evidence);
    std::vector<Attempt> list;
    while (TRY(query.step()))
      list.push_back({query.text(0), query.time(1),
                      policy::origin_from(query.text(2)).value_or(policy::Origin::upload),
                      query.text(3), query.bytes(4), query.bytes(5)});
    return list;
  });
}

Result<Ledger::Keeping> SqliteStore::keep(const VerdictRecord& verdict, const Evidence& fresh,
                                          const Attempt& attempt, std::size_t most_held) {
  const std::string facts = policy::to_json(verdict.facts);
  return writer_.run<Keeping>([&](Connection& connection) -> Result<Keeping> {
    Keeping keeping;
    auto before = TRY(kept_evidence_of(connection, fresh.original));
    const bool is_new = !before;
    if (is_new && fresh.kept == Kept::held && !attempt.uploader.empty() &&
        TRY(held_of(connection, attempt.uploader)) >= most_held)
      return fail_with(Fault::limits, "held-quota",
                       "{} pictures of this uploader wait for a moderator already", most_held);
    if (is_new) TRY(insert_evidence(connection, fresh));
    const std::string id = is_new ? fresh.id : before->id;
    keeping.promoted = !is_new && before->kept == Kept::held && fresh.kept == Kept::preserved;
    if (keeping.promoted) TRY(make_preserved(connection, id, fresh.keep_until));
    if (!is_new && fresh.report_due)
      TRY(TRY(connection.prepare("UPDATE evidence SET report_due = 1 WHERE id = ?"))
              .bind(id)
              .run());
    TRY(insert_attempt(connection, id, attempt));
    TRY(insert_verdict(connection, verdict, facts));
    TRY(append_audit(connection, verdict.when, verdict_entry(verdict, personal_digest(attempt))));
    TRY(append_audit(connection, verdict.when,
                     {.actor = std::string(kServer),
                      .action = fmt::format("evidence {}", is_new             ? name(fresh.kept)
                                                           : keeping.promoted ? "preserved"
                                                                              : "tried again"),
                      .subject = id,
                      .details = json::serialize(json::object{{"original", fresh.original.hex()},
                                                              {"verdict", verdict.id}})}));
    const auto after = TRY(evidence_by_id(connection, id));
    PORTCULLIS_CHECK(after.has_value());
    keeping.evidence = *after;
    return keeping;
  });
}

Status SqliteStore::set_legal_hold(const std::string& id, const std::string& why,
                                   const std::string& who, WallTime now) {
  return change([&](Connection& connection) -> Status {
    TRY(still_kept(connection, id));
    TRY(TRY(connection.prepare("UPDATE evidence SET legal_hold = ? WHERE id = ?"))
            .bind(why, id)
            .run());
    return append_audit(
        connection, now,
        {.actor = who,
         .action = why.empty() ? "evidence legal hold ended" : "evidence legal hold",
         .subject = id,
         .details = why_object(why)});
  });
}

Status SqliteStore::preserve(const std::string& id, WallTime keep_until, const std::string& who,
                             const std::string& why, WallTime now) {
  return change([&](Connection& connection) -> Status {
    TRY(still_kept(connection, id));
    TRY(make_preserved(connection, id, keep_until));
    return append_audit(
        connection, now,
        {.actor = who, .action = "evidence preserved", .subject = id, .details = why_object(why)});
  });
}

Status SqliteStore::end_evidence(const std::string& id, EvidenceState how, const std::string& who,
                                 const std::string& why, WallTime now) {
  return change([&](Connection& connection) -> Status {
    const Evidence one = TRY(still_kept(connection, id));
    if (how == EvidenceState::released && one.kept != Kept::held)
      return fail(Fault::client,
                  "evidence {} is preserved, not held for review, so it cannot be released", id);
    if (!one.legal_hold.empty())
      return fail_with(Fault::client, "too-early", "evidence {} is under a legal hold ({})", id,
                       one.legal_hold);
    if (how == EvidenceState::destroyed && one.kept == Kept::preserved && now < one.keep_until)
      return fail_with(Fault::client, "too-early", "evidence {} must be kept until {}", id,
                       rfc3339(one.keep_until));
    TRY(TRY(connection.prepare("UPDATE evidence SET state = ?, ended = ? WHERE id = ?"))
            .bind(static_cast<std::int64_t>(how), now, id)
            .run());
    if (how == EvidenceState::released) {
      TRY(TRY(connection.prepare(
                  "INSERT OR IGNORE INTO allowed (sha256, who, why, allowed) VALUES (?, ?, ?, ?)"))
              .bind(one.original, who, why, now)
              .run());
      // Or it would stay refused where it was fetched from.
      TRY(TRY(connection.prepare("UPDATE remote SET refused = 0 WHERE sha256 = ?"))
              .bind(one.original)
              .run());
    }
    return append_audit(connection, now,
                        {.actor = who,
                         .action = fmt::format("evidence {}", name(how)),
                         .subject = id,
                         .details = why_object(why)});
  });
}

// --- jobs ---

Result<std::optional<Job>> SqliteStore::job(const std::string& kind) {
  return readers_.with_one([&](Connection& connection) -> Result<std::optional<Job>> {
    Query query = TRY(connection.prepare(
        "SELECT id, cursor, done, found, started, updated FROM job WHERE kind = ?"));
    if (!TRY(query.bind(kind).step())) return std::nullopt;
    return Job{query.text(0),
               kind,
               query.text(1),
               static_cast<std::uint64_t>(query.integer(2)),
               static_cast<std::uint64_t>(query.integer(3)),
               query.time(4),
               query.time(5)};
  });
}

Status write_job(Connection& connection, const Job& job) {
  TRY(TRY(connection.prepare(
              "INSERT INTO job (id, kind, cursor, done, found, started, updated) VALUES (?, ?, ?, "
              "?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET cursor = excluded.cursor, done = "
              "excluded.done, found = excluded.found, updated = excluded.updated"))
          .bind(job.id, job.kind, job.cursor, job.done, job.found, job.started, job.updated)
          .run());
  return {};
}

Status SqliteStore::save_job(const Job& job) {
  return change([&](Connection& connection) { return write_job(connection, job); });
}

Status SqliteStore::finish_job(const std::string& id) {
  const auto done = run("DELETE FROM job WHERE id = ?", id);
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace sqlite
}  // namespace portcullis::store

#include "store/sqlite/sqlite_store.h"

#include <array>

#include "store/sqlite/migrations.h"

namespace portcullis::store {

Result<std::unique_ptr<Store>> open_sqlite(const SqliteOptions& options, const Clock& clock) {
  return sqlite::SqliteStore::open(options, clock);
}

namespace sqlite {

namespace {
constexpr std::size_t kReaders = 4;

}  // namespace

Result<std::unique_ptr<Store>> SqliteStore::open(const SqliteOptions& options, const Clock& clock) {
  using enum Connection::Use;
  auto writer = TRY(Connection::open(options.file, options.busy_timeout, writing));
  TRY(migrate(*writer));
  auto watcher = TRY(Connection::open(options.file, options.busy_timeout, reading));
  std::array<std::unique_ptr<Connection>, kReaders> readers;
  for (auto& reader : readers)
    reader = TRY(Connection::open(options.file, options.busy_timeout, reading));
  auto store = std::make_unique<SqliteStore>(clock, options.sweeper_timeout, std::move(writer),
                                             std::move(watcher));
  for (auto& reader : readers) store->readers_.add(std::move(reader));
  return store;
}

Status SqliteStore::change(std::function<Status(Connection&)> apply) {
  const auto done = writer_.run<bool>([&](Connection& connection) -> Result<bool> {
    TRY(apply(connection));
    return true;
  });
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<Details> read_details(const Query& query, int first) {
  Details details;
  details.width = static_cast<std::uint32_t>(query.integer(first));
  details.height = static_cast<std::uint32_t>(query.integer(first + 1));
  if (!query.is_null(first + 2))
    details.frames = static_cast<std::uint32_t>(query.integer(first + 2));
  details.content_type = query.text(first + 3);
  details.blurhash = query.text(first + 4);
  details.bytes = static_cast<std::uint64_t>(query.integer(first + 5));
  return details;
}

// --- serving ---

Result<std::optional<AliasAndDetails>> SqliteStore::find(const std::string& alias) {
  return readers_.with_one([&](Connection& connection) -> Result<std::optional<AliasAndDetails>> {
    Query query = TRY(connection.prepare(
        "SELECT delete_token, blob, alias.created, source, parent, url, uploader, "
        "width, height, frames, content_type, blurhash, bytes "
        "FROM alias JOIN blob ON blob.sha256 = alias.blob WHERE alias = ?"));
    query.bind(alias);
    if (!TRY(query.step())) return std::nullopt;
    AliasAndDetails found;
    found.alias = {alias,         query.text(0),          TRY(query.digest(1)),
                   query.time(2), policy::Origin::upload, query.text(4),
                   query.text(5), query.text(6)};
    const auto source = policy::origin_from(query.text(3));
    if (!source) return fail(Fault::storage, "alias {} has no known source", alias);
    found.alias.source = *source;
    found.details = TRY(read_details(query, 7));
    return found;
  });
}

Result<std::optional<RenditionRecord>> SqliteStore::rendition(const Sha256& original,
                                                              const std::string& operations) {
  return readers_.with_one([&](Connection& connection) -> Result<std::optional<RenditionRecord>> {
    Query query = TRY(connection.prepare(
        "SELECT blob, facts FROM rendition WHERE original = ? AND operations = ?"));
    query.bind(original, operations);
    if (!TRY(query.step())) return std::nullopt;
    return RenditionRecord{original, operations, TRY(query.digest(0)), query.text(1)};
  });
}

Result<std::optional<Details>> SqliteStore::details(const Sha256& blob) {
  return readers_.with_one([&](Connection& connection) -> Result<std::optional<Details>> {
    Query query = TRY(connection.prepare(
        "SELECT width, height, frames, content_type, blurhash, bytes FROM blob WHERE sha256 = ?"));
    query.bind(blob);
    if (!TRY(query.step())) return std::nullopt;
    return TRY(read_details(query, 0));
  });
}

Result<std::string> SqliteStore::facts_of(const Sha256& blob) {
  return readers_.with_one([&](Connection& connection) -> Result<std::string> {
    Query query = TRY(connection.prepare("SELECT facts FROM rendition WHERE blob = ? LIMIT 1"));
    if (!TRY(query.bind(blob).step())) return std::string();
    return query.text(0);
  });
}

Result<Store::Provenance> SqliteStore::provenance(const Sha256& blob) {
  return readers_.with_one([&](Connection& connection) -> Result<Provenance> {
    Provenance found;
    Query originals = TRY(connection.prepare(
        "SELECT original, operations, facts, sha1, md5 FROM rendition WHERE blob = ?"));
    originals.bind(blob);
    while (TRY(originals.step())) {
      RenditionRecord record{TRY(originals.digest(0)), originals.text(1), blob, originals.text(2)};
      const auto sha1 = Sha1::from(originals.text(3));
      const auto md5 = Md5::from(originals.text(4));
      if (sha1 && md5) record.digests = Digests{record.original, *sha1, *md5};
      found.originals.push_back(std::move(record));
    }
    Query aliases = TRY(connection.prepare(
        "SELECT alias, delete_token, blob, created, source, parent, url, uploader FROM alias WHERE "
        "blob = ? ORDER BY created, alias"));
    aliases.bind(blob);
    while (TRY(aliases.step())) found.aliases.push_back(TRY(read_alias(aliases, 0)));
    return found;
  });
}

Result<bool> SqliteStore::knows(const Sha256& blob) {
  return readers_.with_one([&](Connection& connection) -> Result<bool> {
    return TRY(connection.prepare("SELECT 1 FROM blob WHERE sha256 = ?")).bind(blob).step();
  });
}

// --- remembered answers: kept as the facts they would be part of ---

Result<std::optional<policy::SignalAnswer>> SqliteStore::answer(const AnswerKey& key,
                                                                WallTime now) {
  return readers_.with_one(
      [&](Connection& connection) -> Result<std::optional<policy::SignalAnswer>> {
        Query query =
            TRY(connection.prepare("SELECT facts FROM answer WHERE original = ? AND signal = ? AND "
                                   "version = ? AND until > ?"));
        query.bind(key.original, key.signal, key.version, now);
        if (!TRY(query.step())) return std::nullopt;
        policy::Facts facts = TRY(policy::facts_from_json(query.text(0)));
        const auto found = facts.signals.find(key.signal);
        if (found == facts.signals.end()) return std::nullopt;
        return std::move(found->second);
      });
}

Status SqliteStore::remember(const AnswerKey& key, const policy::SignalAnswer& answer,
                             WallTime until) {
  if (answer.answer == policy::Answer::unanswered || answer.answer == policy::Answer::not_asked)
    return fail(Fault::us, "an answer that says nothing must not be remembered");
  policy::Facts facts;
  facts.sha256 = key.original;
  facts.signals[key.signal] = answer;
  const auto done =
      run("INSERT OR REPLACE INTO answer (original, signal, version, facts, until) VALUES (?, ?, "
          "?, ?, ?)",
          key.original, key.signal, key.version, policy::to_json(facts), until);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<std::size_t> SqliteStore::expire_answers(WallTime now, std::size_t most) {
  return static_cast<std::size_t>(
      TRY(run("DELETE FROM answer WHERE (original, signal, version) IN (SELECT original, signal, "
              "version FROM answer WHERE until <= ? LIMIT ?)",
              now, std::uint64_t{most})));
}

Result<Alias> read_alias(const Query& query, int first_column) {
  const int c = first_column;
  return Alias{query.text(c),
               query.text(c + 1),
               TRY(query.digest(c + 2)),
               query.time(c + 3),
               policy::origin_from(query.text(c + 4)).value_or(policy::Origin::upload),
               query.text(c + 5),
               query.text(c + 6),
               query.text(c + 7)};
}

// --- the whole ---

Result<std::uint64_t> SqliteStore::generation() {
  const std::scoped_lock lock(watching_);
  return static_cast<std::uint64_t>(TRY(watcher_->number("PRAGMA data_version")));
}

Result<Counts> SqliteStore::counts() {
  return readers_.with_one([&](Connection& connection) -> Result<Counts> {
    Counts counts;
    const auto number = [&](std::string_view sql) -> Result<std::uint64_t> {
      return static_cast<std::uint64_t>(TRY(connection.number(sql)));
    };
    counts.aliases = TRY(number("SELECT count(*) FROM alias"));
    counts.blobs = TRY(number("SELECT count(*) FROM blob WHERE state = 1"));
    counts.blob_bytes = TRY(number("SELECT bytes FROM total WHERE name = 'all'"));
    counts.pending = TRY(number("SELECT count(*) FROM blob WHERE state = 0"));
    counts.evidence = TRY(number("SELECT count(*) FROM evidence WHERE state = 0"));
    counts.held = TRY(number("SELECT count(*) FROM evidence WHERE state = 0 AND kept = 0"));
    counts.evidence_bytes = TRY(number("SELECT bytes FROM total WHERE name = 'evidence'"));
    counts.verdicts = TRY(number("SELECT count(*) FROM verdict"));
    counts.refused =
        TRY(number("SELECT count(*) FROM verdict WHERE outcome IN ('refuse', 'hold')"));
    return counts;
  });
}

}  // namespace sqlite
}  // namespace portcullis::store

// The life of a blob's row: claimed, published, given up, deleted, swept.
#include "store/sqlite/sqlite_store.h"

namespace portcullis::store::sqlite {

namespace {

Result<std::optional<BlobState>> state_of(Connection& connection, const Sha256& blob) {
  Query query = TRY(connection.prepare("SELECT state FROM blob WHERE sha256 = ?"));
  query.bind(blob);
  if (!TRY(query.step())) return std::nullopt;
  return static_cast<BlobState>(query.integer(0));
}

Status set_state(Connection& connection, const Sha256& blob, BlobState state) {
  TRY(TRY(connection.prepare("UPDATE blob SET state = ? WHERE sha256 = ?"))
          .bind(static_cast<std::int64_t>(state), blob)
          .run());
  return {};
}

// The row is new, or pending again.
Status make_pending(Connection& connection, const Sha256& blob, const Details& details,
                    WallTime now) {
  TRY(TRY(connection.prepare(
              "INSERT INTO blob (sha256, state, width, height, frames, content_type, blurhash, "
              "bytes, created) VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?) "
              "ON CONFLICT (sha256) DO UPDATE SET state = 0"))
          .bind(blob, details.width, details.height, details.frames, details.content_type,
                details.blurhash, details.bytes, now)
          .run());
  return {};
}

Status insert_alias(Connection& connection, const Alias& alias) {
  Query taken = TRY(connection.prepare("SELECT 1 FROM alias WHERE alias = ?"));
  if (TRY(taken.bind(alias.alias).step()))
    return fail_with(Fault::client, "duplicate-alias", "alias {} is taken", alias.alias);
  TRY(TRY(connection.prepare("INSERT INTO alias (alias, delete_token, blob, created, source) "
                             "VALUES (?, ?, ?, ?, ?)"))
          .bind(alias.alias, alias.delete_token, alias.blob, alias.created,
                policy::name(alias.source))
          .run());
  return {};
}

}  // namespace

Result<Store::Claim> SqliteStore::claim(const Sha256& blob, const Details& details, WallTime now) {
  const auto give_up_at = std::chrono::steady_clock::now() + sweeper_timeout_;
  while (true) {
    // Nothing while the sweeper is removing the file: then this waits and tries again.
    const auto claimed = TRY(writer_.run<std::optional<Claim>>(
        [&](Connection& connection) -> Result<std::optional<Claim>> {
          {
            const std::scoped_lock lock(sweeping_mutex_);
            if (sweeping_.contains(blob)) return std::nullopt;
          }
          const auto state = TRY(state_of(connection, blob));
          // Whether a blob that is to be deleted still lies on disk is not known after a crash of
          // the sweeper: it is written again.
          if (state != BlobState::stored) TRY(make_pending(connection, blob, details, now));
          TRY(TRY(connection.prepare("INSERT INTO claim (blob) VALUES (?)")).bind(blob).run());
          return Claim{connection.last_id(), state == BlobState::stored};
        }));
    if (claimed) return *claimed;
    std::unique_lock lock(sweeping_mutex_);
    if (!swept_.wait_until(lock, give_up_at, [&] { return !sweeping_.contains(blob); }))
      return fail(Fault::limits, "blob {} is being removed and did not become free in time",
                  blob.hex());
  }
}

Status SqliteStore::publish(const Publication& publication) {
  const std::string facts = policy::to_json(publication.verdict.facts);
  return change([&](Connection& connection) -> Status {
    const auto uploads = TRY(read_switch(connection, "uploads"));
    if (uploads && !is_open(*uploads, clock_.now()))
      return fail_with(Fault::limits, "uploads-closed", "uploads were closed meanwhile");
    if (TRY(TRY(connection.prepare("DELETE FROM claim WHERE id = ? AND blob = ?"))
                .bind(publication.claim, publication.alias.blob)
                .run()) != 1)
      return fail(Fault::us, "the claim of blob {} is gone", publication.alias.blob.hex());
    TRY(set_state(connection, publication.alias.blob, BlobState::stored));
    TRY(insert_alias(connection, publication.alias));
    TRY(insert_verdict(connection, publication.verdict, facts));
    const RenditionRecord& rendition = publication.rendition;
    TRY(TRY(connection.prepare("INSERT OR REPLACE INTO rendition (original, operations, blob, "
                               "facts) VALUES (?, ?, ?, ?)"))
            .bind(rendition.original, rendition.operations, rendition.blob, rendition.facts)
            .run());
    return {};
  });
}

Status SqliteStore::abandon(std::int64_t claim) {
  const auto done = run("DELETE FROM claim WHERE id = ?", claim);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<Store::Deleted> SqliteStore::delete_alias(const std::string& alias,
                                                 const std::string& token) {
  return writer_.run<Deleted>([&](Connection& connection) -> Result<Deleted> {
    Sha256 blob;
    {
      Query query = TRY(connection.prepare("SELECT delete_token, blob FROM alias WHERE alias = ?"));
      if (!TRY(query.bind(alias).step())) return Deleted::unknown_alias;
      if (!equal_constant_time(query.text(0), token)) return Deleted::wrong_token;
      blob = TRY(query.digest(1));
    }
    TRY(TRY(connection.prepare("DELETE FROM alias WHERE alias = ?")).bind(alias).run());
    Query others = TRY(connection.prepare("SELECT 1 FROM alias WHERE blob = ? LIMIT 1"));
    if (!TRY(others.bind(blob).step())) TRY(set_state(connection, blob, BlobState::deleting));
    return Deleted::yes;
  });
}

// Locked on the writer's thread, so that no claim comes between; unlocked if nothing was committed.
// One whose removal failed before is given out again.
Result<std::vector<Sha256>> SqliteStore::sweepable(std::size_t most) {
  std::vector<Sha256> locked;
  auto found =
      writer_.run<std::vector<Sha256>>([&](Connection& connection) -> Result<std::vector<Sha256>> {
        Query query =
            TRY(connection.prepare("SELECT sha256 FROM blob WHERE state <> 1 AND NOT EXISTS "
                                   "(SELECT 1 FROM claim WHERE claim.blob = blob.sha256) LIMIT ?"));
        query.bind(std::uint64_t{most});
        std::vector<Sha256> digests;
        while (TRY(query.step())) digests.push_back(TRY(query.digest(0)));
        const std::scoped_lock lock(sweeping_mutex_);
        for (const Sha256& digest : digests)
          if (sweeping_.insert(digest).second) locked.push_back(digest);
        return digests;
      });
  if (!found) unlock(locked);
  return found;
}

void SqliteStore::unlock(std::span<const Sha256> digests) {
  {
    const std::scoped_lock lock(sweeping_mutex_);
    for (const Sha256& digest : digests) sweeping_.erase(digest);
  }
  swept_.notify_all();
}

Status SqliteStore::removed(const Sha256& blob) {
  const auto done = run("DELETE FROM blob WHERE sha256 = ? AND state <> 1", blob);
  if (!done) return std::unexpected(done.error());
  unlock({&blob, 1});
  return {};
}

Status SqliteStore::begin_run() {
  const auto done = run("DELETE FROM claim");
  if (!done) return std::unexpected(done.error());
  const std::scoped_lock lock(sweeping_mutex_);
  sweeping_.clear();
  return {};
}

}  // namespace portcullis::store::sqlite

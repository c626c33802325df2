// The life of a blob's row: claimed, published, given up, deleted, swept.
#include "store/sqlite/sqlite_store.h"

namespace portcullis::store::sqlite {

namespace {

constexpr std::chrono::milliseconds kAskAgain{50};

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

Result<std::int64_t> delete_stand_in(Connection& connection, const std::string& alias) {
  return TRY(connection.prepare("DELETE FROM stand_in WHERE alias = ?")).bind(alias).run();
}

Status insert_alias(Connection& connection, const Alias& alias, bool fills_stand_in) {
  const auto exists = [&](const std::string& name) -> Result<bool> {
    return TRY(connection.prepare("SELECT 1 FROM alias WHERE alias = ? UNION ALL SELECT 1 FROM "
                                  "stand_in WHERE alias = ?"))
        .bind(name, name)
        .step();
  };
  if (fills_stand_in && TRY(delete_stand_in(connection, alias.alias)) == 0)
    return fail_with(Fault::client, "gone", "alias {} was deleted meanwhile", alias.alias);
  if (TRY(exists(alias.alias)))
    return fail_with(Fault::client, "duplicate-alias", "alias {} is taken", alias.alias);
  if (!alias.parent.empty() && !TRY(exists(alias.parent)))
    return fail_with(Fault::client, "gone", "alias {} was deleted meanwhile", alias.parent);
  const auto or_none = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
  };
  TRY(TRY(connection.prepare("INSERT INTO alias (alias, delete_token, blob, created, source, "
                             "parent, url, uploader) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"))
          .bind(alias.alias, alias.delete_token, alias.blob, alias.created,
                policy::name(alias.source), or_none(alias.parent), or_none(alias.url),
                or_none(alias.uploader))
          .run());
  return {};
}

Status insert_rendition(Connection& connection, const RenditionRecord& rendition) {
  std::optional<std::string> sha1, md5;
  if (rendition.digests) sha1 = rendition.digests->sha1.hex(), md5 = rendition.digests->md5.hex();
  TRY(TRY(connection.prepare("INSERT OR REPLACE INTO rendition (original, operations, blob, facts, "
                             "sha1, md5) VALUES (?, ?, ?, ?, ?, ?)"))
          .bind(rendition.original, rendition.operations, rendition.blob, rendition.facts, sha1,
                md5)
          .run());
  return {};
}

Result<bool> has_alias(Connection& connection, const Sha256& blob) {
  return TRY(connection.prepare("SELECT 1 FROM alias WHERE blob = ? LIMIT 1")).bind(blob).step();
}

Result<bool> is_variant(Connection& connection, const Sha256& blob) {
  return TRY(connection.prepare("SELECT 1 FROM variant WHERE blob = ? LIMIT 1")).bind(blob).step();
}

Result<bool> is_being_swept(Connection& connection, const Sha256& blob) {
  return TRY(connection.prepare("SELECT 1 FROM claim WHERE blob = ? AND id < 0")).bind(blob).step();
}

Status take_claim(Connection& connection, std::int64_t claim, const Sha256& blob) {
  if (TRY(TRY(connection.prepare("DELETE FROM claim WHERE id = ? AND blob = ?"))
              .bind(claim, blob)
              .run()) != 1)
    return fail_with(Fault::us, "claim-gone", "the claim of blob {} is gone", blob.hex());
  return set_state(connection, blob, BlobState::stored);
}

}  // namespace

// Whoever sweeps, in whatever process, holds a claim below 0 on what it removes.
Result<Store::Claim> SqliteStore::claim(const Sha256& blob, const Details& details, WallTime now) {
  const auto give_up_at = std::chrono::steady_clock::now() + sweeper_timeout_;
  while (true) {
    // Nothing while the sweeper is removing the file: then this waits and tries again.
    const auto claimed = TRY(writer_.run<std::optional<Claim>>(
        [&](Connection& connection) -> Result<std::optional<Claim>> {
          if (TRY(is_being_swept(connection, blob))) return std::nullopt;
          const auto state = TRY(state_of(connection, blob));
          // Whether a blob that is to be deleted still lies on disk is not known after a crash of
          // the sweeper: it is written again.
          if (state != BlobState::stored) TRY(make_pending(connection, blob, details, now));
          TRY(TRY(connection.prepare("INSERT INTO claim (blob) VALUES (?)")).bind(blob).run());
          return Claim{connection.last_id(), state == BlobState::stored};
        }));
    if (claimed) return *claimed;
    if (std::chrono::steady_clock::now() >= give_up_at)
      return fail(Fault::limits, "blob {} is being removed and did not become free in time",
                  blob.hex());
    std::unique_lock lock(sweeping_mutex_);
    swept_.wait_for(lock, kAskAgain);  // another process's sweeper does not wake this one
  }
}

Status may_come_in(Connection& connection, policy::Origin source, WallTime now) {
  if (source != policy::Origin::remote) {
    if (!uploads_are_open(TRY(read_switch(connection, std::string(kUploads))), now))
      return fail_with(Fault::limits, "uploads-closed", "uploads were closed meanwhile");
    return {};
  }
  const auto remote = remote_pictures(TRY(read_switch(connection, std::string(kRemote))), now);
  if (remote && *remote != RemotePictures::cache)
    return fail_with(Fault::limits, "remote-closed", "remote pictures are not kept any more");
  return {};
}

Status serve_for(Connection& connection, const std::string& url, const std::string& alias,
                 WallTime now) {
  TRY(TRY(connection.prepare("INSERT INTO remote (url, alias, accessed) VALUES (?, ?, ?) ON "
                             "CONFLICT (url) DO UPDATE SET alias = excluded.alias, accessed = "
                             "excluded.accessed, purged = 0"))
          .bind(url, alias, now)
          .run());
  return {};
}

Status SqliteStore::publish(const Publication& publication) {
  const Alias& alias = publication.alias;
  const std::string facts =
      publication.verdict ? policy::to_json(publication.verdict->facts) : std::string();
  return change([&](Connection& connection) -> Status {
    if (alias.parent.empty()) TRY(may_come_in(connection, alias.source, clock_.now()));
    TRY(take_claim(connection, publication.claim, alias.blob));
    TRY(insert_alias(connection, alias, publication.fills_stand_in));
    if (publication.verdict) TRY(insert_verdict(connection, *publication.verdict, facts));
    if (const auto& rendition = publication.rendition)
      TRY(insert_rendition(connection, *rendition));
    if (!publication.proxied.empty())
      TRY(serve_for(connection, publication.proxied, alias.alias, clock_.now()));
    return {};
  });
}

Status SqliteStore::publish_variant(std::int64_t claim, const Variant& variant, WallTime now) {
  return change([&](Connection& connection) -> Status {
    if (!TRY(has_alias(connection, variant.of)))
      return fail_with(Fault::client, "gone", "the picture was deleted meanwhile");
    TRY(take_claim(connection, claim, variant.blob));
    TRY(TRY(connection.prepare(
                "INSERT INTO variant (made_of, key, blob, bytes, accessed) SELECT ?, ?, sha256, "
                "bytes, ? FROM blob WHERE sha256 = ? ON CONFLICT (made_of, key) DO UPDATE SET "
                "accessed = excluded.accessed"))
            .bind(variant.of, variant.key, now, variant.blob)
            .run());
    // One that was there before is the one that stays.
    return release(connection, variant.blob);
  });
}

// A blob that nothing needs any more is to be deleted, and what was made of it.
Status release(Connection& connection, const Sha256& blob) {
  if (TRY(has_alias(connection, blob))) return {};
  std::vector<Sha256> made;
  {
    Query variants = TRY(connection.prepare("SELECT blob FROM variant WHERE made_of = ?"));
    variants.bind(blob);
    while (TRY(variants.step())) made.push_back(TRY(variants.digest(0)));
  }
  TRY(TRY(connection.prepare("DELETE FROM variant WHERE made_of = ?")).bind(blob).run());
  if (!TRY(is_variant(connection, blob))) TRY(set_state(connection, blob, BlobState::deleting));
  for (const Sha256& one : made)
    if (one != blob) TRY(release(connection, one));
  return {};
}

// With those derived from it.
Status remove_alias(Connection& connection, const std::string& alias, const Sha256& blob,
                    std::vector<std::string>& gone) {
  // The store that it was imported from may still have it; it must not come back from there.
  TRY(TRY(connection.prepare("INSERT OR IGNORE INTO gone (alias, verdict, gone) SELECT alias, '', "
                             "CAST(strftime('%s', 'now') AS INTEGER) * 1000000 FROM alias WHERE "
                             "alias = ? AND source = 'import'"))
          .bind(alias)
          .run());
  TRY(TRY(connection.prepare("DELETE FROM alias WHERE alias = ?")).bind(alias).run());
  TRY(TRY(connection.prepare("UPDATE remote SET alias = NULL WHERE alias = ?")).bind(alias).run());
  gone.push_back(alias);
  std::vector<std::pair<std::string, Sha256>> derived;
  {
    Query query = TRY(connection.prepare("SELECT alias, blob FROM alias WHERE parent = ?"));
    query.bind(alias);
    while (TRY(query.step())) derived.emplace_back(query.text(0), TRY(query.digest(1)));
  }
  for (const auto& [name, its_blob] : derived) TRY(remove_alias(connection, name, its_blob, gone));
  return release(connection, blob);
}

Result<std::vector<std::string>> remove_aliases_of(Connection& connection, const Sha256& blob) {
  std::vector<std::string> gone;
  while (true) {
    std::string alias;
    {
      Query query = TRY(connection.prepare("SELECT alias FROM alias WHERE blob = ? LIMIT 1"));
      if (!TRY(query.bind(blob).step())) return gone;
      alias = query.text(0);
    }
    TRY(remove_alias(connection, alias, blob, gone));
  }
}

Result<std::vector<std::string>> SqliteStore::unpublish(const Sha256& blob,
                                                        const std::string& verdict,
                                                        const std::string& who, WallTime now) {
  using Aliases = std::vector<std::string>;
  return writer_.run<Aliases>([&](Connection& connection) -> Result<Aliases> {
    Aliases gone = TRY(remove_aliases_of(connection, blob));
    for (const std::string& alias : gone)
      TRY(TRY(connection.prepare("INSERT OR REPLACE INTO gone (alias, verdict, gone) VALUES (?, ?, "
                                 "?)"))
              .bind(alias, verdict, now)
              .run());
    // By which a running server notices that another process did this.
    TRY(TRY(connection.prepare("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)"))
            .bind(kLastUnpublished, verdict)
            .run());
    TRY(append_audit(
        connection, now,
        {.actor = who,
         .action = "unpublish",
         .subject = verdict,
         .details = fmt::format(R"({{"blob":"{}","aliases":{}}})", blob.hex(), gone.size())}));
    return gone;
  });
}

Result<bool> SqliteStore::is_gone(const std::string& alias) {
  return readers_.with_one([&](Connection& connection) -> Result<bool> {
    return TRY(connection.prepare("SELECT 1 FROM gone WHERE alias = ? AND verdict <> ''"))
        .bind(alias)
        .step();
  });
}

Result<bool> SqliteStore::was_deleted(const std::string& alias) {
  return readers_.with_one([&](Connection& connection) -> Result<bool> {
    return TRY(connection.prepare("SELECT 1 FROM gone WHERE alias = ? AND verdict = ''"))
        .bind(alias)
        .step();
  });
}

Status SqliteStore::remember_gone(const std::vector<std::string>& aliases,
                                  const std::string& verdict, WallTime now) {
  return change([&](Connection& connection) -> Status {
    for (const std::string& alias : aliases)
      TRY(TRY(connection.prepare("INSERT OR REPLACE INTO gone (alias, verdict, gone) VALUES (?, ?, "
                                 "?)"))
              .bind(alias, verdict, now)
              .run());
    return {};
  });
}

Status SqliteStore::abandon(std::int64_t claim) {
  const auto done = run("DELETE FROM claim WHERE id = ?", claim);
  if (!done) return std::unexpected(done.error());
  return {};
}

namespace {

Result<Store::Deletion> delete_stand_in_with(Connection& connection, const std::string& alias,
                                             const std::optional<std::string>& token) {
  {
    Query query = TRY(connection.prepare("SELECT delete_token FROM stand_in WHERE alias = ?"));
    if (!TRY(query.bind(alias).step())) return Store::Deletion{Store::Deleted::unknown_alias, {}};
    if (token && !equal_constant_time(query.text(0), *token))
      return Store::Deletion{Store::Deleted::wrong_token, {}};
  }
  TRY(delete_stand_in(connection, alias));
  return Store::Deletion{Store::Deleted::yes, {alias}};
}

}  // namespace

Result<Store::Deletion> SqliteStore::delete_alias(const std::string& alias,
                                                  const std::optional<std::string>& token) {
  return writer_.run<Deletion>([&](Connection& connection) -> Result<Deletion> {
    Sha256 blob;
    {
      Query query = TRY(connection.prepare("SELECT delete_token, blob FROM alias WHERE alias = ?"));
      if (!TRY(query.bind(alias).step())) return delete_stand_in_with(connection, alias, token);
      if (token && !equal_constant_time(query.text(0), *token))
        return Deletion{Deleted::wrong_token, {}};
      blob = TRY(query.digest(1));
    }
    Deletion deletion;
    TRY(remove_alias(connection, alias, blob, deletion.aliases));
    return deletion;
  });
}

Result<std::vector<std::string>> SqliteStore::purge(const std::string& alias) {
  using Aliases = std::vector<std::string>;
  return writer_.run<Aliases>([&](Connection& connection) -> Result<Aliases> {
    Sha256 blob;
    {
      Query query = TRY(connection.prepare("SELECT blob FROM alias WHERE alias = ?"));
      if (!TRY(query.bind(alias).step()))
        return TRY(delete_stand_in(connection, alias)) > 0 ? Aliases{alias} : Aliases();
      blob = TRY(query.digest(0));
    }
    return remove_aliases_of(connection, blob);
  });
}

Result<std::vector<std::string>> SqliteStore::forget_blob(const Sha256& blob) {
  using Aliases = std::vector<std::string>;
  return writer_.run<Aliases>([&](Connection& connection) -> Result<Aliases> {
    Aliases gone = TRY(remove_aliases_of(connection, blob));
    // What is left of it are variants of other blobs.
    TRY(TRY(connection.prepare("DELETE FROM variant WHERE blob = ?")).bind(blob).run());
    TRY(release(connection, blob));
    // Nobody deleted them: an import may bring them back.
    for (const std::string& alias : gone)
      TRY(TRY(connection.prepare("DELETE FROM gone WHERE alias = ? AND verdict = ''"))
              .bind(alias)
              .run());
    return gone;
  });
}

// Claimed in the same commit, so that no other claim comes between. One whose removal failed before
// is given out again.
Result<std::vector<Sha256>> SqliteStore::sweepable(std::size_t most) {
  return writer_.run<std::vector<Sha256>>(
      [&](Connection& connection) -> Result<std::vector<Sha256>> {
        std::vector<Sha256> digests;
        {
          Query query = TRY(connection.prepare(
              "SELECT sha256 FROM blob WHERE state <> 1 AND NOT EXISTS "
              "(SELECT 1 FROM claim WHERE claim.blob = blob.sha256 AND claim.id > 0) LIMIT ?"));
          query.bind(std::uint64_t{most});
          while (TRY(query.step())) digests.push_back(TRY(query.digest(0)));
        }
        for (const Sha256& digest : digests)
          TRY(TRY(connection.prepare(
                      "INSERT INTO claim (id, blob) SELECT min(0, coalesce((SELECT min(id) FROM "
                      "claim), 0)) - 1, ?1 WHERE NOT EXISTS (SELECT 1 FROM claim WHERE blob = ?1 "
                      "AND id < 0)"))
                  .bind(digest)
                  .run());
        return digests;
      });
}

Status SqliteStore::removed(const Sha256& blob) {
  TRY(change([&](Connection& connection) -> Status {
    TRY(TRY(connection.prepare("DELETE FROM claim WHERE blob = ? AND id < 0")).bind(blob).run());
    TRY(TRY(connection.prepare("DELETE FROM blob WHERE sha256 = ? AND state <> 1"))
            .bind(blob)
            .run());
    return {};
  }));
  swept_.notify_all();
  return {};
}

Status SqliteStore::begin_run() {
  const auto done = run("DELETE FROM claim");
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace portcullis::store::sqlite

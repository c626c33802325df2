// Stand-ins, and taking many pictures off at once.
#include <algorithm>
#include <cctype>
#include <limits>

#include "store/sqlite/sqlite_store.h"

namespace portcullis::store::sqlite {

namespace {

constexpr char kAliasColumns[] =
    "alias.alias, alias.delete_token, alias.blob, alias.created, alias.source, alias.parent, "
    "alias.url, alias.uploader";

Status insert_stand_in(Connection& connection, const StandIn& value) {
  TRY(TRY(connection.prepare("INSERT OR REPLACE INTO stand_in (alias, delete_token, url, created, "
                             "purged) VALUES (?, ?, ?, ?, ?)"))
          .bind(value.alias, value.delete_token, value.url, value.created, value.purged)
          .run());
  return {};
}

Result<bool> exists(Connection& connection, const char* table, const std::string& alias) {
  return TRY(connection.prepare(fmt::format("SELECT 1 FROM {} WHERE alias = ?", table)))
      .bind(alias)
      .step();
}

// What is stored under it now; nothing when it is not there.
Result<std::optional<Alias>> stored(Connection& connection, const std::string& alias) {
  Query query = TRY(
      connection.prepare(fmt::format("SELECT {} FROM alias WHERE alias.alias = ?", kAliasColumns)));
  if (!TRY(query.bind(alias).step())) return std::nullopt;
  return TRY(read_alias(query, 0));
}

Result<std::vector<Alias>> all(Query query) {
  std::vector<Alias> found;
  while (TRY(query.step())) found.push_back(TRY(read_alias(query, 0)));
  return found;
}

Result<std::vector<Alias>> derived_from(Connection& connection, const std::string& alias) {
  Query query = TRY(connection.prepare(
      fmt::format("SELECT {} FROM alias WHERE alias.parent = ?", kAliasColumns)));
  query.bind(alias);
  return all(std::move(query));
}

// Of a blob that nothing needs any more.
Result<std::uint64_t> freed_bytes(Connection& connection, const Sha256& blob) {
  Query query = TRY(connection.prepare("SELECT bytes FROM blob WHERE sha256 = ? AND state = 2"));
  return TRY(query.bind(blob).step()) ? static_cast<std::uint64_t>(query.integer(0)) : 0;
}

// By which a running server notices that another process took pictures off.
Status tell_servers(Connection& connection, const std::string& what) {
  TRY(TRY(connection.prepare("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)"))
          .bind(kLastUnpublished, what)
          .run());
  return {};
}

// Whether a URL is of that host; without its port, in any case of letters.
bool is_of_host(std::string_view url, std::string_view host) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return false;
  url.remove_prefix(scheme + 3);
  if (url.size() < host.size()) return false;
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  return std::ranges::equal(url.substr(0, host.size()), host, same) &&
         (url.size() == host.size() ||
          std::string_view(":/?#").find(url[host.size()]) != std::string_view::npos);
}

}  // namespace

Status purge_one(Connection& connection, const std::string& alias, const std::string& url,
                 Store::Gone& gone) {
  const auto found = TRY(stored(connection, alias));
  if (!found || found->source == policy::Origin::upload) return {};
  const bool is_proxied =
      TRY(TRY(connection.prepare("UPDATE remote SET purged = 1 WHERE alias = ?"))
              .bind(alias)
              .run()) > 0;
  std::vector<Alias> standing = TRY(derived_from(connection, alias));
  if (!is_proxied) standing.push_back(*found);
  TRY(remove_alias(connection, alias, found->blob, gone.aliases));
  gone.bytes += TRY(freed_bytes(connection, found->blob));
  if (url.empty()) return {};
  for (const Alias& one : standing)
    TRY(insert_stand_in(connection, {one.alias, one.delete_token, url, one.created, true}));
  return {};
}

Result<std::optional<StandIn>> SqliteStore::stand_in(const std::string& alias) {
  return readers_.with_one([&](Connection& connection) -> Result<std::optional<StandIn>> {
    Query query = TRY(connection.prepare(
        "SELECT delete_token, url, created, purged FROM stand_in WHERE alias = ?"));
    if (!TRY(query.bind(alias).step())) return std::nullopt;
    return StandIn{alias, query.text(0), query.text(1), query.time(2), query.integer(3) != 0};
  });
}

Status SqliteStore::put_stand_in(const StandIn& value) {
  return change([&](Connection& connection) -> Status {
    if (TRY(exists(connection, "alias", value.alias)) ||
        TRY(exists(connection, "stand_in", value.alias)))
      return fail_with(Fault::client, "duplicate-alias", "alias {} is taken", value.alias);
    return insert_stand_in(connection, value);
  });
}

Result<std::vector<Store::RemoteAlias>> SqliteStore::remote_aliases_after(const std::string& after,
                                                                          std::size_t most) {
  using Found = std::vector<RemoteAlias>;
  return readers_.with_one([&](Connection& connection) -> Result<Found> {
    Query query = TRY(connection.prepare(fmt::format(
        "SELECT {}, blob.bytes, EXISTS (SELECT 1 FROM remote WHERE remote.alias = alias.alias) "
        "FROM alias JOIN blob ON blob.sha256 = alias.blob WHERE alias.alias > ? AND "
        "alias.source = 'remote' AND alias.parent IS NULL ORDER BY alias.alias LIMIT ?",
        kAliasColumns)));
    query.bind(after, std::uint64_t{most});
    Found found;
    while (TRY(query.step()))
      found.push_back({TRY(read_alias(query, 0)), static_cast<std::uint64_t>(query.integer(8)),
                       query.integer(9) != 0});
    return found;
  });
}

Result<Store::RemoteCounts> SqliteStore::count_remote() {
  return readers_.with_one([&](Connection& connection) -> Result<RemoteCounts> {
    RemoteCounts counts;
    {
      Query query = TRY(connection.prepare(
          "SELECT count(*), coalesce(sum(url IS NULL AND NOT EXISTS (SELECT 1 FROM remote WHERE "
          "remote.alias = alias.alias)), 0) FROM alias WHERE source = 'remote' AND parent IS "
          "NULL"));
      if (TRY(query.step())) {
        counts.aliases = static_cast<std::uint64_t>(query.integer(0));
        counts.without_origin = static_cast<std::uint64_t>(query.integer(1));
      }
    }
    counts.bytes = static_cast<std::uint64_t>(TRY(connection.number(
        "SELECT coalesce(sum(bytes), 0) FROM blob WHERE state = 1 AND EXISTS (SELECT 1 FROM alias "
        "WHERE alias.blob = blob.sha256 AND source = 'remote') AND NOT EXISTS (SELECT 1 FROM alias "
        "WHERE alias.blob = blob.sha256 AND source <> 'remote')")));
    return counts;
  });
}

Result<Store::Gone> SqliteStore::purge_remote(const std::vector<Alias>& aliases, const Job& job,
                                              WallTime now) {
  return writer_.run<Gone>([&](Connection& connection) -> Result<Gone> {
    Gone gone;
    for (const Alias& alias : aliases) TRY(purge_one(connection, alias.alias, alias.url, gone));
    TRY(write_job(connection, job));
    TRY(tell_servers(connection, fmt::format("{} {}", job.id, now.time_since_epoch().count())));
    return gone;
  });
}

Result<std::vector<Sha256>> SqliteStore::blobs_of(const Sha256& digest) {
  using Found = std::vector<Sha256>;
  return readers_.with_one([&](Connection& connection) -> Result<Found> {
    Query query = TRY(connection.prepare(
        "SELECT sha256 FROM blob WHERE state = 1 AND (sha256 = ?1 OR sha256 IN (SELECT blob FROM "
        "rendition WHERE original = ?1)) ORDER BY sha256"));
    query.bind(digest);
    Found found;
    while (TRY(query.step())) found.push_back(TRY(query.digest(0)));
    return found;
  });
}

Result<std::vector<Alias>> SqliteStore::selected_after(const Selection& selection,
                                                       const std::string& after, std::size_t most) {
  using Found = std::vector<Alias>;
  return readers_.with_one([&](Connection& connection) -> Result<Found> {
    const auto query = [&](std::string_view condition) {
      return connection.prepare(
          fmt::format("SELECT {} FROM alias WHERE alias > ? AND {} ORDER BY "
                      "alias LIMIT ?",
                      kAliasColumns, condition));
    };
    if (!selection.uploader.empty()) {
      Query asked = TRY(query("uploader = ?"));
      asked.bind(after, selection.uploader, std::uint64_t{most});
      return all(std::move(asked));
    }
    Found found;
    if (!selection.host.empty()) {
      Query asked = TRY(query("url IS NOT NULL"));
      asked.bind(after, std::numeric_limits<std::int64_t>::max());
      while (found.size() < most && TRY(asked.step())) {
        Alias alias = TRY(read_alias(asked, 0));
        if (is_of_host(alias.url, selection.host)) found.push_back(std::move(alias));
      }
      return found;
    }
    for (const Sha256& blob : selection.blobs) {
      Query asked = TRY(query("blob = ?"));
      asked.bind(after, blob, std::uint64_t{most});
      std::ranges::move(TRY(all(std::move(asked))), std::back_inserter(found));
    }
    std::ranges::sort(found, {}, &Alias::alias);
    found.resize(std::min(found.size(), most));
    return found;
  });
}

Result<Store::Gone> SqliteStore::take_off(const std::vector<std::string>& aliases,
                                          const std::string& why, const std::string& who,
                                          WallTime now) {
  return writer_.run<Gone>([&](Connection& connection) -> Result<Gone> {
    Gone gone;
    for (const std::string& alias : aliases) {
      if (TRY(TRY(connection.prepare("DELETE FROM stand_in WHERE alias = ?")).bind(alias).run()) >
          0)
        gone.aliases.push_back(alias);
      const auto found = TRY(stored(connection, alias));
      if (!found) continue;
      TRY(remove_alias(connection, alias, found->blob, gone.aliases));
      gone.bytes += TRY(freed_bytes(connection, found->blob));
    }
    for (const std::string& alias : gone.aliases)
      TRY(TRY(connection.prepare(
                  "INSERT OR REPLACE INTO gone (alias, verdict, gone) VALUES (?, ?, ?)"))
              .bind(alias, why, now)
              .run());
    TRY(tell_servers(connection, fmt::format("{} {}", why, now.time_since_epoch().count())));
    TRY(append_audit(connection, now,
                     {.actor = who,
                      .action = "purge",
                      .subject = why,
                      .details = fmt::format(R"({{"aliases":{},"bytes":{}}})", gone.aliases.size(),
                                             gone.bytes)}));
    return gone;
  });
}

}  // namespace portcullis::store::sqlite

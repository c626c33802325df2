// Rows about known pictures: lists, this site's bans, the allow-list.
#include "store/sqlite/sqlite_store.h"

namespace portcullis::store::sqlite {

namespace {

#define COLUMNS                                                                         \
  "name, file, version, count, source, added, format, kind, credentials, tag, radius, " \
  "min_quality, observe, checked, max_age"

HashListRow read_row(const Query& query) {
  HashListRow row;
  row.name = query.text(0);
  row.file = query.text(1);
  row.version = query.text(2);
  row.count = static_cast<std::uint64_t>(query.integer(3));
  row.source = query.text(4);
  row.added = query.time(5);
  row.format = query.text(6);
  row.kind = query.text(7);
  row.credentials = query.text(8);
  row.tag = query.text(9);
  row.radius = static_cast<std::uint32_t>(query.integer(10));
  row.min_quality = static_cast<std::uint32_t>(query.integer(11));
  row.observe = query.integer(12) != 0;
  row.checked = query.time(13);
  row.max_age = std::chrono::seconds(query.integer(14));
  return row;
}

Status put_row(Connection& connection, const HashListRow& row) {
  Query query = TRY(connection.prepare("INSERT OR REPLACE INTO hashlist (" COLUMNS
                                       ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  query.bind(row.name, row.file, row.version, row.count, row.source, row.added, row.format,
             row.kind, row.credentials, row.tag, std::uint64_t{row.radius},
             std::uint64_t{row.min_quality}, row.observe, row.checked,
             static_cast<std::uint64_t>(row.max_age.count()));
  TRY(query.run());
  return {};
}

constexpr std::string_view kBanned = "banned";

}  // namespace

Result<std::vector<HashListRow>> SqliteStore::lists() {
  return readers_.with_one([&](Connection& connection) -> Result<std::vector<HashListRow>> {
    Query query = TRY(connection.prepare("SELECT " COLUMNS " FROM hashlist ORDER BY name"));
    std::vector<HashListRow> rows;
    while (TRY(query.step())) rows.push_back(read_row(query));
    return rows;
  });
}

Status SqliteStore::put_list(const HashListRow& row) {
  return change([&](Connection& connection) { return put_row(connection, row); });
}

Result<bool> SqliteStore::remove_list(const std::string& name) {
  return TRY(run("DELETE FROM hashlist WHERE name = ?", name)) > 0;
}

Result<std::vector<Ban>> SqliteStore::bans() {
  return readers_.with_one([&](Connection& connection) -> Result<std::vector<Ban>> {
    Query query = TRY(connection.prepare(
        "SELECT picture, kind, digest, who, why, banned FROM ban ORDER BY picture, kind, digest"));
    std::vector<Ban> bans;
    while (TRY(query.step()))
      bans.push_back({query.text(0), query.text(1), query.text(2), query.text(3), query.text(4),
                      query.time(5)});
    return bans;
  });
}

Status SqliteStore::change_bans(const std::vector<std::string>& lifted,
                                const std::vector<Ban>& added,
                                const std::optional<HashListRow>& row) {
  return change([&](Connection& connection) -> Status {
    for (const std::string& of : lifted) {
      Query query = TRY(connection.prepare("DELETE FROM ban WHERE picture = ?"));
      TRY(query.bind(of).run());
    }
    for (const Ban& ban : added) {
      Query query = TRY(
          connection.prepare("INSERT OR IGNORE INTO ban (picture, kind, digest, who, why, banned) "
                             "VALUES (?, ?, ?, ?, ?, ?)"));
      TRY(query.bind(ban.of, ban.kind, ban.digest, ban.who, ban.why, ban.when).run());
    }
    if (row) return put_row(connection, *row);
    Query query = TRY(connection.prepare("DELETE FROM hashlist WHERE name = ?"));
    TRY(query.bind(kBanned).run());
    return {};
  });
}

Status SqliteStore::allow(const Allowed& entry) {
  const auto done =
      run("INSERT OR IGNORE INTO allowed (sha256, who, why, allowed) VALUES (?, ?, ?, ?)",
          entry.sha256, entry.who, entry.why, entry.when);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<bool> SqliteStore::disallow(const Sha256& sha256) {
  return TRY(run("DELETE FROM allowed WHERE sha256 = ?", sha256)) > 0;
}

Result<bool> SqliteStore::is_allowed(const Sha256& sha256) {
  return readers_.with_one([&](Connection& connection) -> Result<bool> {
    return TRY(connection.prepare("SELECT 1 FROM allowed WHERE sha256 = ?")).bind(sha256).step();
  });
}

Result<std::vector<Allowed>> SqliteStore::allowed() {
  return readers_.with_one([&](Connection& connection) -> Result<std::vector<Allowed>> {
    Query query = TRY(connection.prepare(
        "SELECT sha256, who, why, allowed FROM allowed ORDER BY allowed DESC, sha256"));
    std::vector<Allowed> entries;
    while (TRY(query.step()))
      entries.push_back({TRY(query.digest(0)), query.text(1), query.text(2), query.time(3)});
    return entries;
  });
}

}  // namespace portcullis::store::sqlite

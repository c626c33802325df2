// What the internal API lists, and the settings it keeps.
#include "store/sqlite/sqlite_store.h"

namespace portcullis::store::sqlite {

namespace {

struct Place {
  WallTime created;
  Sha256 blob;
};

Result<BlobEntry> read_entry(const Query& query) {
  return BlobEntry{TRY(query.digest(0)), TRY(read_details(query, 2)), query.time(1), {}};
}

// Blobs with aliases at `from` or older, newest first.
constexpr std::string_view kOlder =
    "SELECT sha256, created, width, height, frames, content_type, blurhash, bytes FROM blob "
    "WHERE state = 1 AND (created, sha256) <= (?, ?) "
    "AND EXISTS (SELECT 1 FROM alias WHERE alias.blob = blob.sha256) "
    "ORDER BY created DESC, sha256 DESC LIMIT ?";
// Those newer than `from`, the nearest first.
constexpr std::string_view kNewer =
    "SELECT sha256, created, width, height, frames, content_type, blurhash, bytes FROM blob "
    "WHERE state = 1 AND (created, sha256) > (?, ?) "
    "AND EXISTS (SELECT 1 FROM alias WHERE alias.blob = blob.sha256) "
    "ORDER BY created, sha256 LIMIT ?";

Result<std::vector<BlobEntry>> read_entries(Connection& connection, std::string_view sql,
                                            const Place& from, std::size_t most) {
  Query query = TRY(connection.prepare(sql));
  query.bind(from.created, from.blob, std::uint64_t{most});
  std::vector<BlobEntry> entries;
  while (TRY(query.step())) entries.push_back(TRY(read_entry(query)));
  return entries;
}

Result<std::optional<Place>> place_of(Connection& connection, const Sha256& blob) {
  Query query = TRY(connection.prepare("SELECT created FROM blob WHERE sha256 = ?"));
  if (!TRY(query.bind(blob).step())) return std::nullopt;
  return Place{query.time(0), blob};
}

Result<std::vector<std::string>> aliases_of(Connection& connection, const Sha256& blob) {
  Query query =
      TRY(connection.prepare("SELECT alias FROM alias WHERE blob = ? ORDER BY created, alias"));
  query.bind(blob);
  std::vector<std::string> aliases;
  while (TRY(query.step())) aliases.push_back(query.text(0));
  return aliases;
}

}  // namespace

Result<BlobPage> SqliteStore::blobs(std::size_t most, std::optional<Sha256> from,
                                    std::optional<WallTime> before) {
  return readers_.with_one([&](Connection& connection) -> Result<BlobPage> {
    Place first{WallTime::max(), {}};
    if (before) first.created = *before - std::chrono::microseconds(1);
    first.blob.bytes.fill(std::byte{0xFF});
    if (from)
      if (const auto known = TRY(place_of(connection, *from))) first = *known;
    BlobPage page;
    page.entries = TRY(read_entries(connection, kOlder, first, most + 1));
    if (page.entries.size() > most) {
      page.next = std::move(page.entries.back());
      page.entries.pop_back();
    }
    if (!page.entries.empty()) {
      const BlobEntry& top = page.entries.front();
      auto newer = TRY(read_entries(connection, kNewer, {top.created, top.blob}, most));
      if (!newer.empty()) page.previous = std::move(newer.back());
    }
    for (BlobEntry& entry : page.entries) entry.aliases = TRY(aliases_of(connection, entry.blob));
    return page;
  });
}

Result<std::vector<std::string>> SqliteStore::aliases_with(const std::string& alias) {
  using Aliases = std::vector<std::string>;
  return readers_.with_one([&](Connection& connection) -> Result<Aliases> {
    Sha256 blob;
    {
      Query query = TRY(connection.prepare("SELECT blob FROM alias WHERE alias = ?"));
      if (!TRY(query.bind(alias).step())) return Aliases();
      blob = TRY(query.digest(0));
    }
    return aliases_of(connection, blob);
  });
}

Result<std::vector<Sha256>> SqliteStore::stored_after(const std::optional<Sha256>& after,
                                                      std::size_t most) {
  return readers_.with_one([&](Connection& connection) -> Result<std::vector<Sha256>> {
    Query query = TRY(connection.prepare(
        "SELECT sha256 FROM blob WHERE state = 1 AND (? IS NULL OR sha256 > ?) ORDER BY sha256 "
        "LIMIT ?"));
    query.bind(after, after, std::uint64_t{most});
    std::vector<Sha256> blobs;
    while (TRY(query.step())) blobs.push_back(TRY(query.digest(0)));
    return blobs;
  });
}

Result<std::optional<std::string>> SqliteStore::setting(const std::string& name) {
  return readers_.with_one([&](Connection& connection) -> Result<std::optional<std::string>> {
    Query query = TRY(connection.prepare("SELECT value FROM setting WHERE name = ?"));
    if (!TRY(query.bind(name).step())) return std::nullopt;
    return query.text(0);
  });
}

Status SqliteStore::put_setting(const std::string& name, const std::string& value) {
  const auto done = run("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", name, value);
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace portcullis::store::sqlite

// Remote pictures, variants, and what of both may go.
#include "store/sqlite/sqlite_store.h"

namespace portcullis::store::sqlite {

namespace {

struct Candidate {
  std::string alias;  // empty: a variant
  Sha256 blob;        // what would be freed
  Sha256 of;
  std::string key;
  std::uint64_t bytes = 0;
};

Result<std::vector<Candidate>> read_candidates(Query query) {
  std::vector<Candidate> found;
  while (TRY(query.step())) {
    Candidate one{query.text(0),
                  TRY(query.digest(1)),
                  {},
                  query.text(3),
                  static_cast<std::uint64_t>(query.integer(4))};
    if (!query.is_null(2)) one.of = TRY(query.digest(2));
    found.push_back(std::move(one));
  }
  return found;
}

constexpr std::string_view kOldVariants =
    "SELECT NULL, blob, made_of, key, bytes FROM variant WHERE accessed < ? ORDER BY accessed "
    "LIMIT ?";
constexpr std::string_view kOldProxied =
    "SELECT remote.alias, blob.sha256, NULL, NULL, blob.bytes FROM remote "
    "JOIN alias ON alias.alias = remote.alias JOIN blob ON blob.sha256 = alias.blob "
    "WHERE remote.alias IS NOT NULL AND accessed < ? ORDER BY accessed LIMIT ?";
constexpr std::string_view kOldest =
    "SELECT * FROM (SELECT NULL, blob, made_of, key, bytes, accessed FROM variant "
    "ORDER BY accessed LIMIT ?1) UNION ALL "
    "SELECT * FROM (SELECT remote.alias, blob.sha256, NULL, NULL, blob.bytes, accessed FROM remote "
    "JOIN alias ON alias.alias = remote.alias JOIN blob ON blob.sha256 = alias.blob "
    "WHERE remote.alias IS NOT NULL ORDER BY accessed LIMIT ?1) ORDER BY 6 LIMIT ?1";

Status drop(Connection& connection, const Candidate& one, Store::Gone& gone) {
  gone.bytes += one.bytes;
  if (!one.alias.empty()) return remove_alias(connection, one.alias, one.blob, gone.aliases);
  TRY(TRY(connection.prepare("DELETE FROM variant WHERE made_of = ? AND key = ?"))
          .bind(one.of, one.key)
          .run());
  ++gone.variants;
  return release(connection, one.blob);
}

// When nobody was asked for when, the oldest go first.
Status drop_downloads(Connection& connection, std::uint64_t bytes, std::size_t most,
                      Store::Gone& gone) {
  std::vector<std::pair<std::string, std::string>> oldest;
  {
    Query query = TRY(connection.prepare(
        "SELECT alias, url FROM alias WHERE source = 'remote' AND url IS NOT NULL AND parent IS "
        "NULL AND NOT EXISTS (SELECT 1 FROM remote WHERE remote.alias = alias.alias) ORDER BY "
        "created LIMIT ?"));
    query.bind(std::uint64_t{most});
    while (TRY(query.step())) oldest.emplace_back(query.text(0), query.text(1));
  }
  for (const auto& [alias, url] : oldest) {
    if (gone.bytes >= bytes) return {};
    TRY(purge_one(connection, alias, url, gone));
  }
  return {};
}

}  // namespace

Result<std::optional<Remote>> SqliteStore::remote(const std::string& url) {
  return readers_.with_one([&](Connection& connection) -> Result<std::optional<Remote>> {
    Query query =
        TRY(connection.prepare("SELECT announced, sha256, sha1, md5, bytes, fetched, refused, "
                               "alias, purged FROM remote WHERE url = ?"));
    if (!TRY(query.bind(url).step())) return std::nullopt;
    Remote remote;
    remote.announced = !query.is_null(0);
    if (!query.is_null(1)) {
      const auto sha1 = Sha1::from(query.text(2));
      const auto md5 = Md5::from(query.text(3));
      if (!sha1 || !md5) return fail(Fault::storage, "the digests of {} are damaged", url);
      remote.fetch = {{TRY(query.digest(1)), *sha1, *md5},
                      static_cast<std::uint64_t>(query.integer(4)),
                      query.time(5),
                      query.integer(6) != 0};
    }
    remote.alias = query.text(7);
    remote.purged = query.integer(8) != 0;
    return remote;
  });
}

Status SqliteStore::announce(const std::string& url, WallTime now) {
  return announce_all({url}, now);
}

Status SqliteStore::announce_all(const std::vector<std::string>& urls, WallTime now) {
  return change([&](Connection& connection) -> Status {
    for (const std::string& url : urls)
      TRY(TRY(connection.prepare("INSERT INTO remote (url, announced) VALUES (?, ?) ON CONFLICT "
                                 "(url) DO UPDATE SET announced = coalesce(announced, "
                                 "excluded.announced)"))
              .bind(url, now)
              .run());
    return {};
  });
}

Status SqliteStore::remember_fetch(const std::string& url, const Fetch& fetch) {
  const auto done =
      run("INSERT INTO remote (url, sha256, sha1, md5, bytes, fetched, refused) VALUES (?, ?, ?, "
          "?, ?, ?, ?) ON CONFLICT (url) DO UPDATE SET sha256 = excluded.sha256, sha1 = "
          "excluded.sha1, md5 = excluded.md5, bytes = excluded.bytes, fetched = excluded.fetched, "
          "refused = excluded.refused",
          url, fetch.original.sha256, fetch.original.sha1.hex(), fetch.original.md5.hex(),
          fetch.bytes, fetch.when, fetch.refused);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<std::optional<Store::VariantAndDetails>> SqliteStore::variant(const Sha256& of,
                                                                     const std::string& key) {
  using Found = std::optional<VariantAndDetails>;
  return readers_.with_one([&](Connection& connection) -> Result<Found> {
    Query query = TRY(connection.prepare(
        "SELECT sha256, created, width, height, frames, content_type, blurhash, blob.bytes FROM "
        "variant JOIN blob ON blob.sha256 = variant.blob WHERE made_of = ? AND key = ?"));
    if (!TRY(query.bind(of, key).step())) return std::nullopt;
    return VariantAndDetails{TRY(query.digest(0)), TRY(read_details(query, 2)), query.time(1)};
  });
}

Status SqliteStore::touch(const std::vector<Access>& accesses) {
  return change([&](Connection& connection) -> Status {
    for (const Access& access : accesses) {
      if (access.url.empty())
        TRY(TRY(connection.prepare("UPDATE variant SET accessed = max(accessed, ?) WHERE made_of = "
                                   "? AND key = ?"))
                .bind(access.when, access.of, access.key)
                .run());
      else
        TRY(TRY(connection.prepare("UPDATE remote SET accessed = max(coalesce(accessed, 0), ?) "
                                   "WHERE url = ?"))
                .bind(access.when, access.url)
                .run());
    }
    return {};
  });
}

Result<Store::Gone> SqliteStore::expire_variants(WallTime before, std::size_t most) {
  return writer_.run<Gone>([&](Connection& connection) -> Result<Gone> {
    Query query = TRY(connection.prepare(kOldVariants));
    query.bind(before, std::uint64_t{most});
    Gone gone;
    for (const Candidate& one : TRY(read_candidates(std::move(query))))
      TRY(drop(connection, one, gone));
    return gone;
  });
}

Result<Store::Gone> SqliteStore::expire_proxied(WallTime before, std::size_t most) {
  return writer_.run<Gone>([&](Connection& connection) -> Result<Gone> {
    Query query = TRY(connection.prepare(kOldProxied));
    query.bind(before, std::uint64_t{most});
    Gone gone;
    for (const Candidate& one : TRY(read_candidates(std::move(query))))
      TRY(drop(connection, one, gone));
    return gone;
  });
}

Result<Store::Gone> SqliteStore::evict(std::uint64_t bytes, bool variants_alone, std::size_t most) {
  return writer_.run<Gone>([&](Connection& connection) -> Result<Gone> {
    Query query = TRY(connection.prepare(variants_alone ? kOldVariants : kOldest));
    if (variants_alone)
      query.bind(WallTime::max(), std::uint64_t{most});
    else
      query.bind(std::uint64_t{most});
    Gone gone;
    for (const Candidate& one : TRY(read_candidates(std::move(query)))) {
      if (gone.bytes >= bytes) return gone;
      TRY(drop(connection, one, gone));
    }
    if (!variants_alone) TRY(drop_downloads(connection, bytes, most, gone));
    return gone;
  });
}

Result<Usage> SqliteStore::usage() {
  return readers_.with_one([&](Connection& connection) -> Result<Usage> {
    const auto number = [&](std::string_view sql) -> Result<std::uint64_t> {
      return static_cast<std::uint64_t>(TRY(connection.number(sql)));
    };
    return Usage{TRY(number("SELECT bytes FROM total WHERE name = 'all'")),
                 TRY(number("SELECT bytes FROM total WHERE name = 'variants'"))};
  });
}

}  // namespace portcullis::store::sqlite

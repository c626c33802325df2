// pict-rs's tables: hashes, aliases, details, proxies.
#include <algorithm>
#include <map>

#include "base/id.h"
#include "pictrs/pictrs.h"
#include "postgres/postgres.h"

namespace portcullis::pictrs {

namespace {

constexpr std::chrono::seconds kConnect{10};
constexpr std::size_t kLongestToken = 128, kLongestUrl = 8 * 1024;

// What is read, so that missing tables, columns and rights show before anything begins.
constexpr const char* kProbes[] = {
    "SELECT hash, identifier, created_at FROM hashes LIMIT 0",
    "SELECT alias, hash, token FROM aliases LIMIT 0",
    "SELECT identifier, json FROM details LIMIT 0",
    "SELECT url, alias FROM proxies LIMIT 0",
};

Status probe(postgres::Connection& connection) {
  for (const char* sql : kProbes) {
    const auto rows = connection.run(sql);
    if (rows) continue;
    const Error& error = rows.error();
    const postgres::Target& target = connection.target();
    if (error.code == "42501")
      return fail(Fault::client,
                  "{} {} may not be read by {}: GRANT SELECT ON hashes, aliases, details, proxies "
                  "TO {};",
                  target.what, target.shown, target.user, postgres::quoted_name(target.user));
    if (error.code == "42P01" || error.code == "42703")
      return fail(Fault::client,
                  "{} is no database of a pict-rs 0.5 ({}): give the one in the configuration of "
                  "pict-rs, [repo] url",
                  target.shown, error.what);
    return std::unexpected(error);
  }
  return {};
}

}  // namespace

struct Database::Session {
  std::unique_ptr<postgres::Connection> connection;
};

Database::Database(std::unique_ptr<Session> session) : session_(std::move(session)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const std::string& url) {
  auto session = std::make_unique<Session>();
  session->connection = TRY(
      postgres::Connection::open(TRY(postgres::parse_target(url, "pict-rs's database")), kConnect));
  postgres::Connection& connection = *session->connection;
  TRY(connection.run("SET default_transaction_read_only = on"));
  TRY(connection.run("SET statement_timeout = '60s'"));
  TRY(probe(connection));
  return std::unique_ptr<Database>(new Database(std::move(session)));
}

const std::string& Database::shown() const { return session_->connection->target().shown; }

Result<std::uint64_t> Database::count() {
  const auto rows = TRY(session_->connection->run("SELECT count(*) FROM hashes"));
  return static_cast<std::uint64_t>(rows.integer(0, 0));
}

Result<FilePage> Database::files_after(const std::string& after, std::size_t most) {
  const auto rows = TRY(session_->connection->run(
      "SELECT h.hash, h.identifier, to_char(h.created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), "
      "d.json::text FROM hashes h LEFT JOIN details d ON d.identifier = h.identifier "
      "WHERE h.hash > $1::text ORDER BY h.hash LIMIT $2::bigint",
      {after, std::to_string(most)}));
  FilePage page;
  std::map<std::string, std::size_t, std::less<>> by_hash;
  std::vector<std::string> hashes;
  for (int row = 0; row < rows.count(); ++row) {
    const auto key = FileKey::from_base64(rows.text(row, 0));
    const auto created = parse_rfc3339(rows.text(row, 2));
    if (!key || !created || !is_identifier(rows.text(row, 1))) {
      ++page.skipped;
      continue;
    }
    File file{*key, rows.string(row, 1), *created, {}, {}};
    if (!rows.is_null(row, 3))
      if (auto details = parse_details(rows.text(row, 3))) file.details = *std::move(details);
    hashes.push_back(rows.string(row, 0));
    by_hash.emplace(hashes.back(), page.files.size());
    page.files.push_back(std::move(file));
  }
  if (static_cast<std::size_t>(rows.count()) == most) page.last = rows.string(rows.count() - 1, 0);
  const auto names = TRY(session_->connection->run(
      "SELECT a.hash, a.alias, a.token, p.url FROM aliases a LEFT JOIN proxies p ON p.alias = "
      "a.alias WHERE a.hash = ANY($1::text[]) ORDER BY a.hash, a.alias, p.url",
      {postgres::array_of(hashes)}));
  for (int row = 0; row < names.count(); ++row) {
    const auto found = by_hash.find(names.text(row, 0));
    const std::string_view alias = names.text(row, 1), token = names.text(row, 2),
                           url = names.text(row, 3);
    if (found == by_hash.end() || !is_alias(alias) || token.size() > kLongestToken ||
        url.size() > kLongestUrl) {
      ++page.skipped;
      continue;
    }
    auto& known = page.files[found->second].names;
    if (known.empty() || known.back().alias != alias)  // one picture may be served for two URLs
      known.push_back({std::string(alias), std::string(token), std::string(url)});
  }
  return page;
}

}  // namespace portcullis::pictrs

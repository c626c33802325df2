#include <algorithm>
#include <functional>

#include "egress/egress.h"
#include "lemmy/survey.h"

namespace portcullis::lemmy {

using postgres::array_of;
using postgres::parse_target;

namespace {

constexpr std::size_t kMostPosts = 4;  // of one thumbnail; somebody could make any number
constexpr int kAttempts = 3;           // when Lemmy was quicker

class PostgresDatabase final : public Database {
 public:
  PostgresDatabase(std::unique_ptr<Connection> connection, Options options, Schema schema,
                   OwnSite site)
      : connection_(std::move(connection)),
        options_(std::move(options)),
        schema_(std::move(schema)),
        site_(std::move(site)) {}

  Generation generation() const override { return schema_.generation; }
  const std::string& site_url() const override { return site_.url; }

  Result<std::uint64_t> count_announced() override;
  Result<std::vector<std::string>> announced_after(const std::string& after,
                                                   std::size_t most) override;
  Result<Survey> survey(const OnTable& on_table) override;
  Result<std::vector<Thumbnail>> federated_after(const std::string& after,
                                                 std::size_t most) override;
  Result<std::vector<Thumbnail>> without_row_after(const std::string& after,
                                                   std::size_t most) override;
  Result<std::uint64_t> rewrite_thumbnails(std::span<const Rewrite> rewrites) override;
  Result<std::uint64_t> remove_rows(std::span<const std::string> aliases) override;

 private:
  Status must_be_surveyed() const;
  Status must_be_for_writing() const;
  Result<std::vector<Thumbnail>> page(const std::string& aliases, const std::string& after,
                                      std::size_t most);
  Result<std::uint64_t> change(const std::function<Result<std::uint64_t>()>& statements);

  std::unique_ptr<Connection> connection_;
  Options options_;
  Schema schema_;
  OwnSite site_;
  std::string until_;  // rows older than this are given out; empty: no survey yet
};

Status PostgresDatabase::must_be_surveyed() const {
  if (until_.empty()) return fail(Fault::us, "survey() comes before this");
  return {};
}
Status PostgresDatabase::must_be_for_writing() const {
  if (options_.use != Use::rewriting)
    return fail(Fault::us, "Lemmy's database was opened for reading only");
  return {};
}

Result<std::uint64_t> PostgresDatabase::count_announced() {
  const Rows rows = TRY(connection_->run("SELECT count(*) FROM remote_image"));
  return static_cast<std::uint64_t>(rows.integer(0, 0));
}

Result<std::vector<std::string>> PostgresDatabase::announced_after(const std::string& after,
                                                                   std::size_t most) {
  const Rows rows = TRY(connection_->run(
      "SELECT link FROM remote_image WHERE link > $1::text ORDER BY link LIMIT $2::bigint",
      {after, std::to_string(most)}));
  std::vector<std::string> links;
  links.reserve(static_cast<std::size_t>(rows.count()));
  for (int row = 0; row < rows.count(); ++row) links.push_back(rows.string(row, 0));
  return links;
}

Result<Survey> PostgresDatabase::survey(const OnTable& on_table) {
  if (options_.use == Use::announced)
    return fail(Fault::us, "Lemmy's database was opened for announced URLs only");
  until_.clear();
  Surveyed surveyed =
      TRY(take_survey(*connection_, schema_,
                      {.site = site_, .timeout = options_.survey_timeout, .on_table = on_table}));
  until_ = std::move(surveyed.until);
  return surveyed.found;
}

// `aliases` selects alias, token and made_for, at most so many, in order; $1 is until_, $2 the
// cursor, $3 how many.
Result<std::vector<Thumbnail>> PostgresDatabase::page(const std::string& aliases,
                                                      const std::string& after, std::size_t most) {
  TRY(must_be_surveyed());
  const Rows rows = TRY(connection_->run(
      fmt::format(
          "WITH page AS MATERIALIZED ({}) SELECT page.alias, page.token, post.id, post.url, "
          "post.url_content_type, post.ap_id, post.local FROM page LEFT JOIN LATERAL "
          "(SELECT shown.post_id FROM {} shown WHERE shown.alias = page.alias AND "
          "coalesce(shown.post_id = page.made_for, true) ORDER BY shown.post_id LIMIT {}) "
          "shows ON true LEFT JOIN post ON post.id = shows.post_id "
          "ORDER BY page.alias, post.id",
          aliases, kShown, kMostPosts),
      {until_, after, std::to_string(most)}));
  std::vector<Thumbnail> thumbnails;
  for (int row = 0; row < rows.count();) {
    Thumbnail thumbnail{.alias = rows.string(row, 0), .delete_token = rows.string(row, 1)};
    std::vector<Shows> shows;
    for (; row < rows.count() && rows.text(row, 0) == thumbnail.alias; ++row)
      if (!rows.is_null(row, 2))
        shows.push_back({{.id = rows.integer(row, 2),
                          .url = rows.string(row, 3),
                          .ap_id = rows.string(row, 5),
                          .local = rows.boolean(row, 6)},
                         rows.string(row, 4)});
    trace(thumbnail, shows, site_);
    thumbnails.push_back(std::move(thumbnail));
  }
  return thumbnails;
}

Result<std::vector<Thumbnail>> PostgresDatabase::federated_after(const std::string& after,
                                                                 std::size_t most) {
  return page(fmt::format("SELECT image.pictrs_alias AS alias, {} AS token, {} AS made_for FROM "
                          "local_image image WHERE {} AND image.pictrs_alias > $2::text "
                          "ORDER BY image.pictrs_alias LIMIT $3::bigint",
                          schema_.delete_token(), schema_.made_for(), is_federated(schema_)),
              after, most);
}

Result<std::vector<Thumbnail>> PostgresDatabase::without_row_after(const std::string& after,
                                                                   std::size_t most) {
  return page(fmt::format("SELECT DISTINCT shown.alias, NULL AS token, NULL::integer AS made_for "
                          "FROM {} shown WHERE {} AND $1::timestamptz IS NOT NULL AND shown.alias "
                          "> $2::text ORDER BY shown.alias LIMIT $3::bigint",
                          kShown, is_federated_without_row()),
              after, most);
}

// A change, made again when Lemmy and we stood in each other's way.
Result<std::uint64_t> PostgresDatabase::change(
    const std::function<Result<std::uint64_t>()>& statements) {
  for (int attempt = 1;; ++attempt) {
    auto changed = connection_->transaction("READ WRITE", statements);
    if (changed) return changed;
    const std::string& state = changed.error().code;
    if (state == "42501")
      return fail(Fault::client,
                  "{}. Lemmy's own triggers touch further tables when a post changes: for writing "
                  "use the user that Lemmy itself uses",
                  changed.error().what);
    const bool is_passing = state == "40P01" || state == "40001" || state == "55P03";
    if (!is_passing || attempt == kAttempts) return changed;
  }
}

Result<std::uint64_t> PostgresDatabase::rewrite_thumbnails(std::span<const Rewrite> rewrites) {
  TRY(must_be_for_writing());
  TRY(must_be_surveyed());
  std::vector<std::string> aliases, origins;
  for (const Rewrite& rewrite : rewrites) {
    if (!is_foreign(rewrite.origin, site_))
      return fail(Fault::us, "\"{}\" is no address on another site, so no post may lead to it",
                  rewrite.origin);
    aliases.push_back(rewrite.alias);
    origins.push_back(rewrite.origin);
  }
  const std::string sql = fmt::format(
      "UPDATE post SET thumbnail_url = wanted.origin FROM unnest($1::text[], $2::text[]) AS wanted "
      "(alias, origin) JOIN {} shown ON shown.alias = wanted.alias WHERE post.id = shown.post_id "
      "AND post.thumbnail_url IN ({}, {})",
      kShown, address_of("wanted.alias", "/pictrs/image/", site_),
      address_of("wanted.alias", "/api/v4/image/", site_));
  return change([&]() -> Result<std::uint64_t> {
    return TRY(connection_->run(sql, {array_of(aliases), array_of(origins)})).changed();
  });
}

Result<std::uint64_t> PostgresDatabase::remove_rows(std::span<const std::string> aliases) {
  TRY(must_be_for_writing());
  const std::string array = array_of(aliases);
  const std::string of_images = fmt::format(
      "DELETE FROM local_image image WHERE image.pictrs_alias = ANY ($1::text[]) AND {}",
      schema_.is_thumbnail());
  const std::string of_details = fmt::format(
      "DELETE FROM image_details USING unnest($1::text[]) AS gone (alias) WHERE link IN ({}, {}) "
      "AND NOT EXISTS (SELECT FROM local_image image WHERE image.pictrs_alias = gone.alias)",
      address_of("gone.alias", "/pictrs/image/", site_),
      address_of("gone.alias", "/api/v4/image/", site_));
  return change([&]() -> Result<std::uint64_t> {
    const Rows removed = TRY(connection_->run(of_images, {array}));
    if (schema_.has_image_details) TRY(connection_->run(of_details, {array}));
    return removed.changed();
  });
}

Status prepare(Connection& connection, const Options& options) {
  for (const std::string& setting :
       {fmt::format("default_transaction_read_only = {}",
                    options.use == Use::rewriting ? "off" : "on"),
        fmt::format("statement_timeout = {}", options.statement_timeout.count()),
        std::string("lock_timeout = '10s'"), std::string("search_path = public, pg_temp"),
        std::string("standard_conforming_strings = on"),
        // A long statement ends when we are killed.
        std::string("client_connection_check_interval = '10s'")})
    TRY(connection.run("SET " + setting));
  if (options.use == Use::announced) return {};
  const Rows rows = TRY(connection.run("SELECT pg_is_in_recovery()"));
  if (rows.boolean(0, 0))
    return fail(Fault::client,
                "{} is a standby, where no temporary tables can be made: give the address of the "
                "primary",
                connection.target().shown);
  return {};
}

}  // namespace

Result<std::unique_ptr<Database>> open(const std::string& url, const Options& options) {
  auto connection =
      TRY(Connection::open(TRY(parse_target(url, "Lemmy's database")), options.connect_timeout));
  TRY(prepare(*connection, options));
  Schema schema = TRY(recognise(*connection, options.use));
  OwnSite site{TRY(read_site_url(*connection, schema)), options.hosts};
  const auto parsed = egress::parse_url(site.url);
  if (!parsed)
    return fail(Fault::client, "{} calls its site \"{}\", which is no address",
                connection->target().shown, site.url);
  const bool is_named = std::ranges::find(site.hosts, parsed->host) != site.hosts.end();
  if (!options.hosts.empty() && !is_named)
    return fail(Fault::client,
                "{} is the database of {}, but [site] hosts names {}: give the address of the "
                "right database, or add the name to [site] hosts",
                connection->target().shown, parsed->host, fmt::join(options.hosts, ", "));
  if (!is_named) site.hosts.push_back(parsed->host);
  return std::make_unique<PostgresDatabase>(std::move(connection), options, std::move(schema),
                                            std::move(site));
}

}  // namespace portcullis::lemmy

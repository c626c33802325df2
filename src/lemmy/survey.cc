#include "lemmy/survey.h"

namespace portcullis::lemmy {

using postgres::quoted_name;

namespace {

Status make_tables(Connection& connection) {
  return connection.transaction("READ WRITE", [&]() -> Status {
    for (const std::string_view table : {kShown, kSought, kElsewhere})
      TRY(connection.run(fmt::format("DROP TABLE IF EXISTS {}", table)));
    TRY(connection.run(fmt::format(
        "CREATE TABLE {} (alias text NOT NULL, post_id bigint NOT NULL, is_local boolean NOT NULL, "
        "is_own boolean NOT NULL)",
        kShown)));
    TRY(connection.run(fmt::format("CREATE INDEX ON {} (alias, post_id)", kShown)));
    for (const std::string_view table : {kSought, kElsewhere})
      TRY(connection.run(fmt::format("CREATE TABLE {} (stem text PRIMARY KEY)", table)));
    return {};
  });
}

// A post of another site shows only what Lemmy itself put there; in one of ours somebody may have
// written this site's address in another way.
Status fill_shown(Connection& connection, const OwnSite& site) {
  TRY(connection.run(fmt::format(
      "INSERT INTO {} SELECT {}, post.id, post.local, {} FROM post, "
      "LATERAL regexp_matches(post.thumbnail_url, {}) found "
      "WHERE post.thumbnail_url LIKE '%image%' AND (post.local OR {}) AND {} IS NOT NULL",
      kShown, alias_in("found[1]"), is_own("post.url", site), picture_pattern(),
      is_own("post.thumbnail_url", site), alias_in("found[1]"))));
  TRY(connection.run(fmt::format("ANALYZE {}", kShown)));
  return {};
}

Status fill_sought(Connection& connection, const Schema& schema) {
  TRY(connection.run(fmt::format(
      "INSERT INTO {} SELECT stem FROM (SELECT {} AS stem FROM local_image image WHERE {} UNION "
      "SELECT {} FROM {} shown) both_of_them WHERE stem IS NOT NULL",
      kSought, stem_of("image.pictrs_alias"), schema.is_thumbnail(), stem_of("shown.alias"),
      kShown)));
  TRY(connection.run(fmt::format("ANALYZE {}", kSought)));
  return {};
}

Status fill_elsewhere(Connection& connection, const Reference& reference) {
  const std::string text =
      reference.columns.size() == 1 ? quoted_name(reference.columns.front()) : [&] {
        std::string columns;
        for (const std::string& column : reference.columns) columns += ", " + quoted_name(column);
        return fmt::format("concat_ws(' '{})", columns);
      }();
  TRY(connection.run(fmt::format(
      "INSERT INTO {0} SELECT DISTINCT sought.stem FROM {1} CROSS JOIN LATERAL regexp_matches({2}, "
      "{3}, 'g') "
      "found JOIN {4} sought ON sought.stem = {5} WHERE {2} LIKE '%image%' ON CONFLICT DO NOTHING",
      kElsewhere, quoted_name(reference.table), text, picture_pattern(), kSought,
      stem_of(alias_in("found[1]")))));
  return {};
}

std::string is_shown_elsewhere(std::string_view alias) {
  return fmt::format(
      "coalesce({0} IS NULL OR EXISTS (SELECT FROM {1} elsewhere WHERE "
      "elsewhere.stem = {0}), true)",
      stem_of(alias), kElsewhere);
}

// Every post that shows it is about a picture of this site.
std::string is_of_own_picture(const Schema& schema) {
  return fmt::format(
      "(SELECT coalesce(bool_and(shown.is_own), false) FROM {} shown WHERE shown.alias = "
      "image.pictrs_alias AND coalesce(shown.post_id = {}, true))",
      kShown, schema.made_for());
}

Result<Survey> count(Connection& connection, const Schema& schema, const std::string& until) {
  const Rows rows = TRY(connection.run(
      fmt::format("SELECT count(*) FILTER (WHERE is_elsewhere), count(*) FILTER (WHERE is_own AND "
                  "NOT is_elsewhere), count(*) FILTER (WHERE NOT is_own AND NOT is_elsewhere), "
                  "(SELECT count(*) FROM local_image image WHERE NOT ({})), "
                  "(SELECT count(DISTINCT shown.alias) FROM {} shown WHERE {}) "
                  "FROM (SELECT {} AS is_elsewhere, {} AS is_own FROM local_image image WHERE {} "
                  "AND {} < $1::timestamptz) thumbnail",
                  schema.is_thumbnail(), kShown, is_federated_without_row(),
                  is_shown_elsewhere("image.pictrs_alias"), is_of_own_picture(schema),
                  schema.is_thumbnail(), schema.published()),
      {until}));
  const auto number = [&](int column) {
    return static_cast<std::uint64_t>(rows.integer(0, column));
  };
  return Survey{.federated = number(2),
                .without_row = number(4),
                .of_own_pictures = number(1),
                .shown_elsewhere = number(0),
                .uploads = number(3)};
}

}  // namespace

std::string is_federated(const Schema& schema) {
  return fmt::format("{} AND {} < $1::timestamptz AND NOT {} AND NOT {}", schema.is_thumbnail(),
                     schema.published(), is_shown_elsewhere("image.pictrs_alias"),
                     is_of_own_picture(schema));
}

std::string is_federated_without_row() {
  return fmt::format(
      "NOT shown.is_local AND NOT shown.is_own AND NOT {} AND NOT EXISTS (SELECT FROM local_image "
      "image WHERE image.pictrs_alias = shown.alias) AND NOT EXISTS (SELECT FROM {} other WHERE "
      "other.alias = shown.alias AND (other.is_local OR other.is_own))",
      is_shown_elsewhere("shown.alias"), kShown);
}

Result<Surveyed> take_survey(Connection& connection, const Schema& schema,
                             const SurveyOptions& options) {
  TRY(make_tables(connection));
  // One snapshot for all tables; temporary ones may be written in a transaction that reads.
  return connection.transaction(
      "ISOLATION LEVEL REPEATABLE READ READ ONLY", [&]() -> Result<Surveyed> {
        TRY(connection.run(
            fmt::format("SET LOCAL statement_timeout = {}", options.timeout.count())));
        TRY(connection.run("SET LOCAL work_mem = '64MB'"));
        const std::size_t total = schema.references.size() + 1;
        std::size_t done = 0;
        const auto tell = [&](std::string_view table) {
          if (options.on_table) options.on_table(table, done++, total);
        };
        const Rows now = TRY(connection.run("SELECT now() - interval '10 minutes'"));
        tell("post");
        TRY(fill_shown(connection, options.site));
        TRY(fill_sought(connection, schema));
        for (const Reference& reference : schema.references) {
          tell(reference.table);
          TRY(fill_elsewhere(connection, reference));
        }
        TRY(connection.run(fmt::format("ANALYZE {}", kElsewhere)));
        const std::string until = now.string(0, 0);
        return Surveyed{until, TRY(count(connection, schema, until))};
      });
}

}  // namespace portcullis::lemmy

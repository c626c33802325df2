#include "lemmy/rights.h"

#include <set>

namespace portcullis::lemmy {

using postgres::quoted_name;

namespace {

// What must be granted, as statements.
class Missing {
 public:
  explicit Missing(const Columns& columns) : columns_(columns) {}

  void want(std::string_view table, std::string_view column) {
    if (!columns_.at(std::string(table)).at(std::string(column)))
      read_[std::string(table)].insert(std::string(column));
  }
  void grant(std::string what) { others_.push_back(std::move(what)); }

  std::vector<std::string> grants() const {
    std::vector<std::string> grants;
    grants.reserve(read_.size() + others_.size());
    for (const auto& [table, names] : read_)
      grants.push_back(fmt::format("SELECT ({}) ON {}", fmt::join(names, ", "), table));
    grants.insert(grants.end(), others_.begin(), others_.end());
    return grants;
  }
  std::string tables() const {
    std::vector<std::string> names;
    names.reserve(read_.size());
    for (const auto& entry : read_) names.push_back(entry.first);
    return fmt::format("{}", fmt::join(names, ", "));
  }

 private:
  const Columns& columns_;
  std::map<std::string, std::set<std::string>> read_;
  std::vector<std::string> others_;
};

void want_thumbnails(const Schema& schema, Missing& missing) {
  for (const std::string_view column : kOfPost) missing.want("post", column);
  missing.want("local_image", "pictrs_alias");
  if (schema.generation == Generation::v0_19)
    for (const auto* column : {"local_user_id", "pictrs_delete_token", "published"})
      missing.want("local_image", column);
  else
    for (const auto* column : {"person_id", "thumbnail_for_post_id", "published_at"})
      missing.want("local_image", column);
  for (const Reference& reference : schema.references)
    for (const std::string& column : reference.columns) missing.want(reference.table, column);
}

// A table's name means nothing to a user who may not look into the schema; its number does.
std::string of_table(std::string_view table, std::string_view question) {
  return fmt::format(
      "(SELECT {} FROM pg_catalog.pg_class WHERE relname = '{}' AND relnamespace = "
      "to_regnamespace('public'))",
      question, table);
}

Status want_more(Connection& connection, const Schema& schema, Use use, Missing& missing) {
  if (use == Use::announced) return {};
  want_thumbnails(schema, missing);
  const Rows rows = TRY(connection.run(fmt::format(
      "SELECT current_database(), has_database_privilege(current_database(), 'TEMPORARY'), {}, {}, "
      "{}",
      of_table("post", "has_column_privilege(oid, 'thumbnail_url', 'UPDATE')"),
      of_table("local_image", "has_table_privilege(oid, 'DELETE')"),
      schema.has_image_details ? of_table("image_details",
                                          "has_table_privilege(oid, 'DELETE') AND "
                                          "has_column_privilege(oid, 'link', 'SELECT')")
                               : "true")));
  if (!rows.boolean(0, 1))
    missing.grant(fmt::format("TEMPORARY ON DATABASE {}", quoted_name(rows.text(0, 0))));
  if (use != Use::rewriting) return {};
  if (!rows.boolean(0, 2)) missing.grant("UPDATE (thumbnail_url) ON post");
  if (!rows.boolean(0, 3)) missing.grant("DELETE ON local_image");
  if (!rows.boolean(0, 4)) missing.grant("SELECT (link), DELETE ON image_details");
  return {};
}

}  // namespace

bool has(const Columns& columns, std::string_view table, std::string_view column) {
  const auto found = columns.find(std::string(table));
  return found != columns.end() && found->second.contains(std::string(column));
}

Status check_rights(Connection& connection, const Schema& schema, const Columns& columns, Use use) {
  Missing missing(columns);
  const Rows user = TRY(
      connection.run("SELECT current_user, has_schema_privilege(current_user, 'public', 'USAGE')"));
  if (!user.boolean(0, 1)) missing.grant("USAGE ON SCHEMA public");
  missing.want("remote_image", "link");
  missing.want("local_site", "site_id");
  missing.want("site", "id");
  missing.want("site", schema.site_address());
  TRY(want_more(connection, schema, use, missing));
  const auto grants = missing.grants();
  if (grants.empty()) return {};
  std::string statements;
  for (const std::string& grant : grants)
    statements += fmt::format("\n  GRANT {} TO {};", grant, quoted_name(user.text(0, 0)));
  const std::string tables = missing.tables();
  return fail(Fault::client,
              "the user {} of {} may not do all that is needed{}. As the owner of the database "
              "run{}\nor use Lemmy's own user",
              user.text(0, 0), connection.target().shown,
              tables.empty() ? "" : ": it may not read all of " + tables, statements);
}

}  // namespace portcullis::lemmy

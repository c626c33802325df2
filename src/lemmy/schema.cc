#include "lemmy/schema.h"

#include "lemmy/rights.h"

namespace portcullis::lemmy {

namespace {

// Everything in Lemmy that may show a stored picture: addresses, and texts in which pictures may
// stand. `must`: both generations have it, so a database without it is not one we know.
struct Known {
  std::string_view table, column;
  bool must;
};
constexpr Known kReferences[] = {
    {"post", "url", true},
    {"post", "body", true},
    {"comment", "content", true},
    {"private_message", "content", true},
    {"person", "avatar", true},
    {"person", "banner", true},
    {"person", "bio", true},
    {"community", "icon", true},
    {"community", "banner", true},
    {"community", "description", false},
    {"community", "sidebar", false},
    {"community", "summary", false},
    {"multi_community", "description", false},
    {"multi_community", "sidebar", false},
    {"multi_community", "summary", false},
    {"site", "icon", true},
    {"site", "banner", true},
    {"site", "sidebar", true},
    {"site", "description", false},
    {"site", "summary", false},
    {"site", "content_warning", false},
    {"local_site", "application_question", false},
    {"local_site", "legal_information", false},
    {"tagline", "content", true},
    {"custom_emoji", "image_url", true},
    {"post_report", "original_post_url", false},
    {"post_report", "original_post_body", false},
    {"comment_report", "original_comment_text", false},
    {"private_message_report", "original_pm_text", false},
    {"community_report", "original_community_icon", false},
    {"community_report", "original_community_banner", false},
    {"community_report", "original_community_description", false},
    {"community_report", "original_community_sidebar", false},
    {"community_report", "original_community_summary", false},
};

Result<Columns> read_columns(Connection& connection) {
  // Not information_schema: that hides what the user has no rights to.
  const Rows rows = TRY(connection.run(
      "SELECT c.relname, a.attname, has_column_privilege(c.oid, a.attnum, 'SELECT') "
      "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "
      "WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p') "
      "AND a.attnum > 0 AND NOT a.attisdropped"));
  Columns columns;
  for (int row = 0; row < rows.count(); ++row)
    columns[rows.string(row, 0)][rows.string(row, 1)] = rows.boolean(row, 2);
  return columns;
}

Result<Generation> generation_of(const Columns& columns, const std::string& shown) {
  const auto of_image = [&](std::string_view column) {
    return has(columns, "local_image", column);
  };
  const auto is_site = [&](std::string_view address) {
    return has(columns, "site", address) && has(columns, "site", "id") &&
           has(columns, "local_site", "site_id");
  };
  if (has(columns, "post", "url_content_type") && has(columns, "remote_image", "link")) {
    if (of_image("pictrs_alias") && of_image("local_user_id") && of_image("pictrs_delete_token") &&
        of_image("published") && is_site("actor_id"))
      return Generation::v0_19;
    if (of_image("pictrs_alias") && of_image("person_id") && of_image("thumbnail_for_post_id") &&
        of_image("published_at") && is_site("ap_id"))
      return Generation::v1_0;
  }
  if (!columns.contains("local_site"))
    return fail(Fault::client,
                "{} is not Lemmy's database: it has no table local_site. The right address stands "
                "in lemmy.hjson, or in the environment of its container as LEMMY_DATABASE_URL",
                shown);
  if (columns.contains("image_upload") || !columns.contains("local_image"))
    return fail(Fault::client,
                "{} is of a Lemmy older than 0.19.4, which does not write down which pictures are "
                "thumbnails: update Lemmy first",
                shown);
  return fail(Fault::client,
              "{} has tables of pictures as neither Lemmy 0.19 nor 1.0 has them: this version of "
              "Portcullis does not know that Lemmy. Update Portcullis, or Lemmy if it is a "
              "prerelease",
              shown);
}

Result<std::vector<Reference>> references_of(const Columns& columns, Connection& connection) {
  const auto unknown = [&](std::string_view table, std::string_view column) {
    return fail(Fault::client,
                "{} has no {}.{}, so this version of Portcullis does not know that Lemmy and "
                "cannot tell which pictures are in use: update Portcullis",
                connection.target().shown, table, column);
  };
  for (const std::string_view column : kOfPost)
    if (!has(columns, "post", column)) return unknown("post", column);
  std::vector<Reference> references;
  for (const Known& known : kReferences) {
    if (!has(columns, known.table, known.column)) {
      if (known.must) return unknown(known.table, known.column);
      continue;
    }
    if (references.empty() || references.back().table != known.table)
      references.push_back({std::string(known.table), {}});
    references.back().columns.emplace_back(known.column);
  }
  return references;
}

}  // namespace

std::string_view name(Generation generation) {
  return generation == Generation::v0_19 ? "0.19" : "1.0";
}

std::string Schema::is_thumbnail() const {
  // In 1.0 rows that were taken over from 0.19 have neither; a person's rows go with the person.
  return generation == Generation::v0_19
             ? "image.local_user_id IS NULL"
             : "(image.thumbnail_for_post_id IS NOT NULL OR image.person_id IS NULL)";
}
std::string Schema::delete_token() const {
  return generation == Generation::v0_19 ? "image.pictrs_delete_token" : "NULL";
}
std::string Schema::published() const {
  return generation == Generation::v0_19 ? "image.published" : "image.published_at";
}
std::string Schema::made_for() const {
  return generation == Generation::v0_19 ? "NULL::integer" : "image.thumbnail_for_post_id";
}
std::string Schema::site_address() const {
  return generation == Generation::v0_19 ? "actor_id" : "ap_id";
}

Result<Schema> recognise(Connection& connection, Use use) {
  const Columns columns = TRY(read_columns(connection));
  Schema schema;
  schema.generation = TRY(generation_of(columns, connection.target().shown));
  schema.has_image_details = has(columns, "image_details", "link");
  if (use != Use::announced) schema.references = TRY(references_of(columns, connection));
  TRY(check_rights(connection, schema, columns, use));
  return schema;
}

Result<std::string> read_site_url(Connection& connection, const Schema& schema) {
  const Rows rows = TRY(connection.run(fmt::format(
      "SELECT site.{} FROM local_site JOIN site ON site.id = local_site.site_id LIMIT 1",
      schema.site_address())));
  if (rows.count() == 0)
    return fail(Fault::client,
                "{} has no row in local_site, so it does not say which site it is of: is this the "
                "database of a Lemmy that was set up?",
                connection.target().shown);
  std::string url = rows.string(0, 0);
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace portcullis::lemmy

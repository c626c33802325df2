// Pictures that a pict-rs keeps.
#include "store/sqlite/sqlite_store.h"

namespace portcullis::store::sqlite {

namespace {

Result<HandedOn> read_row(const Query& query) {
  HandedOn row{query.text(0), query.text(1), TRY(query.digest(2)), query.time(3)};
  const auto source = policy::origin_from(query.text(4));
  if (!source) return fail(Fault::storage, "alias {} has no known source", row.alias);
  row.source = *source;
  row.parent = query.text(5);
  row.url = query.text(6);
  row.uploader = query.text(7);
  return row;
}

Result<std::vector<HandedOn>> read_rows(Query query) {
  std::vector<HandedOn> rows;
  while (TRY(query.step())) rows.push_back(TRY(read_row(query)));
  return rows;
}

}  // namespace

Status SqliteStore::hand_on(const HandedOn& picture, const VerdictRecord& verdict,
                            const std::string& proxied) {
  const std::string facts = policy::to_json(verdict.facts);
  const auto or_none = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
  };
  return change([&](Connection& connection) -> Status {
    if (picture.parent.empty()) TRY(may_come_in(connection, picture.source, clock_.now()));
    TRY(TRY(connection.prepare("INSERT OR REPLACE INTO handed_on (alias, delete_token, original, "
                               "created, source, parent, url, uploader) VALUES (?, ?, ?, ?, ?, ?, "
                               "?, ?)"))
            .bind(picture.alias, picture.delete_token, picture.original, picture.created,
                  policy::name(picture.source), or_none(picture.parent), or_none(picture.url),
                  or_none(picture.uploader))
            .run());
    TRY(insert_verdict(connection, verdict, facts));
    if (proxied.empty()) return {};
    return serve_for(connection, proxied, picture.alias, picture.created);
  });
}

Result<std::optional<HandedOn>> SqliteStore::handed_on(const std::string& alias) {
  return readers_.with_one([&](Connection& connection) -> Result<std::optional<HandedOn>> {
    Query query =
        TRY(connection.prepare("SELECT alias, delete_token, original, created, source, parent, "
                               "url, uploader FROM handed_on WHERE alias = ?"));
    if (!TRY(query.bind(alias).step())) return std::nullopt;
    return TRY(read_row(query));
  });
}

Result<std::vector<HandedOn>> SqliteStore::let_go(const std::string& alias) {
  using Rows = std::vector<HandedOn>;
  return writer_.run<Rows>([&](Connection& connection) -> Result<Rows> {
    TRY(TRY(connection.prepare("DELETE FROM handed_on WHERE alias = ?")).bind(alias).run());
    TRY(TRY(connection.prepare("UPDATE remote SET alias = NULL WHERE alias = ?"))
            .bind(alias)
            .run());
    Query query =
        TRY(connection.prepare("SELECT alias, delete_token, original, created, source, parent, "
                               "url, uploader FROM handed_on WHERE parent = ?"));
    query.bind(alias);
    return read_rows(std::move(query));
  });
}

Result<std::vector<HandedOn>> SqliteStore::unused_handed_on(WallTime before, std::size_t most) {
  using Rows = std::vector<HandedOn>;
  return readers_.with_one([&](Connection& connection) -> Result<Rows> {
    Query query = TRY(connection.prepare(
        "SELECT handed_on.alias, delete_token, original, created, source, parent, handed_on.url, "
        "uploader FROM remote JOIN handed_on ON handed_on.alias = remote.alias "
        "WHERE remote.alias IS NOT NULL AND accessed < ? ORDER BY accessed LIMIT ?"));
    query.bind(before, std::uint64_t{most});
    return read_rows(std::move(query));
  });
}

}  // namespace portcullis::store::sqlite

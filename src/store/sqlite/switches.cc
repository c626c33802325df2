// How switches were flipped, and what may flip one by itself.
#include <boost/json.hpp>

#include "store/sqlite/sqlite_store.h"

namespace portcullis::store::sqlite {

namespace {

constexpr char kColumns[] = "name, state, message, who, flipped, until, reason, before";

Switch read(const Query& query) {
  Switch value{query.text(0), query.text(1), query.text(2), query.text(3),
               query.time(4), std::nullopt,  query.text(6), query.text(7)};
  if (!query.is_null(5)) value.until = query.time(5);
  return value;
}

std::string audit_details(const Switch& value) {
  boost::json::object details;
  if (value.until) details["until"] = rfc3339(*value.until);
  if (!value.before.empty()) details["before"] = value.before;
  if (!value.reason.empty()) details["reason"] = value.reason;
  return boost::json::serialize(details);
}

}  // namespace

Result<std::optional<Switch>> read_switch(Connection& connection, const std::string& name) {
  Query query =
      TRY(connection.prepare(fmt::format("SELECT {} FROM switch WHERE name = ?", kColumns)));
  query.bind(name);
  if (!TRY(query.step())) return std::nullopt;
  return read(query);
}

Result<std::optional<Switch>> SqliteStore::get_switch(const std::string& name) {
  return readers_.with_one([&](Connection& connection) { return read_switch(connection, name); });
}

Result<std::vector<Switch>> SqliteStore::switches() {
  return readers_.with_one([&](Connection& connection) -> Result<std::vector<Switch>> {
    Query query =
        TRY(connection.prepare(fmt::format("SELECT {} FROM switch ORDER BY name", kColumns)));
    std::vector<Switch> found;
    while (TRY(query.step())) found.push_back(read(query));
    return found;
  });
}

Status SqliteStore::set_switch(const Switch& value) {
  return change([&](Connection& connection) -> Status {
    TRY(TRY(connection.prepare("INSERT OR REPLACE INTO switch (name, state, message, who, flipped, "
                               "until, reason, before) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"))
            .bind(value.name, value.state, value.message, value.who, value.when, value.until,
                  value.reason, value.before)
            .run());
    return append_audit(connection, value.when,
                        {.actor = value.who,
                         .action = fmt::format("switch {}", value.state),
                         .subject = value.name,
                         .details = audit_details(value)});
  });
}

Result<std::map<std::string, std::uint64_t>> SqliteStore::refusals_by_rule(WallTime since) {
  using Counts = std::map<std::string, std::uint64_t>;
  return readers_.with_one([&](Connection& connection) -> Result<Counts> {
    Query query = TRY(connection.prepare(
        "SELECT rule, count(*) FROM verdict WHERE decided > ? AND outcome IN ('refuse', 'hold') "
        "AND unanswered = 0 GROUP BY rule"));
    query.bind(since);
    Counts counts;
    while (TRY(query.step())) counts[query.text(0)] = static_cast<std::uint64_t>(query.integer(1));
    return counts;
  });
}

}  // namespace portcullis::store::sqlite

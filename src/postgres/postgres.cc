#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "postgres/postgres.h"

namespace portcullis::postgres {

namespace {

constexpr std::string_view kHow =
    "write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, with every character of the password "
    "that is no letter or digit as %XX";

// One line, without what must not be shown.
std::string harmless(std::string text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets)
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3))
      text.replace(at, secret.size(), "…");
  std::string line(trim(text));
  for (auto at = line.find('\n'); at != std::string::npos; at = line.find('\n', at))
    line.replace(at, line.find_first_not_of("\n\t ", at) - at, "; ");
  return line;
}

template <class Number>
Number number_from(std::string_view text) {
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void ignore_notice(void*, const PGresult*) {}

}  // namespace

std::int64_t Rows::integer(int row, int column) const {
  return number_from<std::int64_t>(text(row, column));
}
std::uint64_t Rows::changed() const {
  return number_from<std::uint64_t>(PQcmdTuples(result_.get()));
}

Result<Target> parse_target(const std::string& url, std::string what) {
  // libpq quotes what it does not understand, password and all, so its own words are not used.
  if (!url.starts_with("postgres://") && !url.starts_with("postgresql://"))
    return fail(Fault::client, "this is no address of a PostgreSQL database: {}", kHow);
  char* words = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(
      PQconninfoParse(url.c_str(), &words), PQconninfoFree);
  PQfreemem(words);
  if (!options) return fail(Fault::client, "the address of the database cannot be read: {}", kHow);
  Target target;
  target.what = std::move(what);
  std::string host, port, database;
  for (const PQconninfoOption* option = options.get(); option->keyword; ++option) {
    if (!option->val) continue;
    const std::string name = option->keyword;
    target.names.push_back(name);
    target.values.emplace_back(option->val);
    if (name == "user") target.user = option->val;
    if (name == "host") host = option->val;
    if (name == "port") port = option->val;
    if (name == "dbname") database = option->val;
    if (name.ends_with("password") && *option->val) target.secrets.emplace_back(option->val);
  }
  target.shown = fmt::format("postgres://{}{}{}{}/{}", target.user, target.user.empty() ? "" : "@",
                             host, port.empty() ? "" : ":" + port, database);
  return target;
}

std::string shown_url(const std::string& url) {
  const auto target = parse_target(url, {});
  return target ? target->shown : "an address that cannot be read";
}

Result<std::unique_ptr<Connection>> Connection::open(const Target& target,
                                                     std::chrono::seconds timeout) {
  std::vector<const char*> names{"application_name", "connect_timeout"};
  const std::string seconds = std::to_string(timeout.count());
  std::vector<const char*> values{"portcullis", seconds.c_str()};  // the address may say otherwise
  for (std::size_t i = 0; i < target.names.size(); ++i) {
    names.push_back(target.names[i].c_str());
    values.push_back(target.values[i].c_str());
  }
  names.insert(names.end(), {"client_encoding", nullptr});
  values.insert(values.end(), {"UTF8", nullptr});
  std::unique_ptr<Connection> connection(
      new Connection(PQconnectdbParams(names.data(), values.data(), 0), target));
  PGconn* raw = connection->connection_.get();
  if (PQstatus(raw) != CONNECTION_OK)
    return fail_with(Fault::upstream, "database-unreachable",
                     "{} {} cannot be used: {}. Is it running, does it listen where "
                     "this machine can reach it (a container's port is often not published), and "
                     "are user and password right?",
                     target.what, target.shown,
                     harmless(raw ? PQerrorMessage(raw) : "", target.secrets));
  PQsetNoticeReceiver(raw, ignore_notice, nullptr);
  return connection;
}

Result<Rows> Connection::run(const std::string& sql, std::span<const std::string> parameters) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  PGresult* raw = PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()),
                               nullptr, values.data(), nullptr, nullptr, 0);
  Rows rows(raw);
  const ExecStatusType status = PQresultStatus(raw);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return rows;
  const char* state = raw ? PQresultErrorField(raw, PG_DIAG_SQLSTATE) : nullptr;
  const char* words = raw ? PQresultErrorField(raw, PG_DIAG_MESSAGE_PRIMARY) : nullptr;
  const std::string why =
      harmless(words ? words : PQerrorMessage(connection_.get()), target_.secrets);
  if (PQstatus(connection_.get()) != CONNECTION_OK)
    return fail_with(Fault::upstream, "database-lost", "the connection to {} {} is gone: {}",
                     target_.what, target_.shown, why);
  return fail_with(Fault::upstream, state ? state : "", "{} {} says: {}", target_.what,
                   target_.shown, why);
}

std::string array_of(std::span<const std::string> texts) {
  std::string array = "{";
  for (const std::string& text : texts) {
    if (array.size() > 1) array += ',';
    array += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') array += '\\';
      array += c;
    }
    array += '"';
  }
  return array + '}';
}

std::string quoted_name(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

std::string sql_literal(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') result += '\'';
    result += c;
  }
  return result + '\'';
}

}  // namespace portcullis::postgres

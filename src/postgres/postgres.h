// postgres/postgres.h: somebody else's PostgreSQL: libpq's blocking interface with our errors.
//
// All parameters and values go as text; a parameter's type is said in the SQL ("$1::text[]"). A
// Connection belongs to one thread at a time.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portcullis::postgres {

// The rows of one answer, all in memory. Rows and columns are numbered from 0.
class Rows {
 public:
  explicit Rows(PGresult* result) : result_(result) {}

  int count() const { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  // Empty for NULL. Lives as long as the Rows.
  std::string_view text(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column),
            static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
  }
  std::string string(int row, int column) const { return std::string(text(row, column)); }
  bool boolean(int row, int column) const { return text(row, column) == "t"; }
  std::int64_t integer(int row, int column) const;  // 0 for what is none
  std::uint64_t changed() const;                    // how many rows a statement changed

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

// An address taken apart. `secrets` must not be shown.
struct Target {
  std::string what;                        // "Lemmy's database": how errors call it
  std::vector<std::string> names, values;  // of libpq's parameters
  std::string shown;                       // "postgres://user@host:5432/name"
  std::string user;                        // empty: libpq's default
  std::vector<std::string> secrets;
};
// `url` is postgres://USER:PASSWORD@HOST:PORT/DATABASE, or with a socket's folder
// postgres://USER@/DATABASE?host=/var/run/postgresql. Fault::client. Pure.
Result<Target> parse_target(const std::string& url, std::string what);
// For people and logs: the address without password or parameters. Pure.
std::string shown_url(const std::string& url);

class Connection {
 public:
  // Fault::upstream when it cannot be reached or refuses the user.
  static Result<std::unique_ptr<Connection>> open(const Target& target,
                                                  std::chrono::seconds timeout);

  // One statement. Errors: Fault::upstream, code "database-lost" when the connection is gone, the
  // SQLSTATE as code ("42501") for what the server refuses.
  Result<Rows> run(const std::string& sql, std::span<const std::string> parameters = {});
  Result<Rows> run(const std::string& sql, std::initializer_list<std::string> parameters) {
    return run(sql, std::span(parameters.begin(), parameters.size()));
  }
  // The same inside of BEGIN `how` and COMMIT; rolled back when `work` fails.
  template <class Work>
  auto transaction(const std::string& how, Work work) -> decltype(work()) {
    TRY(run("BEGIN " + how));
    auto result = work();
    if (!result) {
      (void)run("ROLLBACK");
      return result;
    }
    TRY(run("COMMIT"));
    return result;
  }

  int server_version() const { return PQserverVersion(connection_.get()); }  // 150018
  const Target& target() const { return target_; }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  Connection(PGconn* connection, Target target)
      : connection_(connection), target_(std::move(target)) {}

  std::unique_ptr<PGconn, Finish> connection_;
  Target target_;
};

// "{"a","b"}" for a parameter $1::text[]. Pure.
std::string array_of(std::span<const std::string> texts);
// A name in SQL, quoted. Pure.
std::string quoted_name(std::string_view name);
// A text in SQL, quoted. Pure; standard_conforming_strings must be on.
std::string sql_literal(std::string_view text);

}  // namespace portcullis::postgres

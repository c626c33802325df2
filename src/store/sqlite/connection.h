// store/sqlite/connection.h: sqlite3's C interface with our errors: connections, prepared
// statements, values.
//
// A Connection and its Querys belong to one thread at a time. Private to the room.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/result.h"

namespace portcullis::store::sqlite {

// One run of a prepared statement; gives the statement back when it goes. Parameters are numbered
// from 1, columns from 0.
class Query {
 public:
  explicit Query(sqlite3_stmt* statement) : statement_(statement) {}
  Query(Query&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
  Query& operator=(Query&&) = delete;
  ~Query();

  // Binds all parameters in order.
  template <class... Values>
  Query& bind(const Values&... values) {
    int place = 0;
    (bind_one(++place, values), ...);
    return *this;
  }

  // True: a row is there. False: done.
  Result<bool> step();
  // For statements without rows; gives how many rows were changed.
  Result<std::int64_t> run();

  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::string text(int column) const;
  // Fault::storage when the value has another length.
  Result<Sha256> digest(int column) const;
  Bytes bytes(int column) const;
  WallTime time(int column) const { return WallTime{std::chrono::microseconds{integer(column)}}; }

 private:
  void bind_one(int place, std::int64_t value) { sqlite3_bind_int64(statement_, place, value); }
  void bind_one(int place, std::uint64_t value) {
    bind_one(place, static_cast<std::int64_t>(value));
  }
  void bind_one(int place, std::uint32_t value) {
    bind_one(place, static_cast<std::int64_t>(value));
  }
  void bind_one(int place, int value) { bind_one(place, static_cast<std::int64_t>(value)); }
  template <std::same_as<bool> Bool>  // else a string literal would be one
  void bind_one(int place, Bool value) {
    bind_one(place, static_cast<std::int64_t>(value));
  }
  void bind_one(int place, std::string_view value);
  void bind_one(int place, const Sha256& value) { bind_one(place, ByteView(value.bytes)); }
  void bind_one(int place, const Bytes& value) { bind_one(place, ByteView(value)); }
  void bind_one(int place, ByteView value);
  void bind_one(int place, WallTime value) {
    bind_one(place, static_cast<std::int64_t>(value.time_since_epoch().count()));
  }
  template <class T>
  void bind_one(int place, const std::optional<T>& value) {
    if (value)
      bind_one(place, *value);
    else
      sqlite3_bind_null(statement_, place);
  }

  sqlite3_stmt* statement_;
};

class Connection {
 public:
  enum class Use { writing, reading };
  static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& file,
                                                  std::chrono::milliseconds busy_timeout,
                                                  Use use = Use::writing);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Several statements, without parameters or rows.
  Status execute(const std::string& sql);
  // `sql` must live as long as the connection; a literal does. Prepared once: the Query of the same
  // text before must be gone.
  Result<Query> prepare(std::string_view sql);
  Result<std::int64_t> number(std::string_view sql);  // first column of the first row
  // False after errors that made SQLite roll everything back by itself (disk full, I/O error).
  bool is_in_transaction() const { return sqlite3_get_autocommit(database_) == 0; }
  std::string file() const;
  std::int64_t last_id() const { return sqlite3_last_insert_rowid(database_); }

 private:
  explicit Connection(sqlite3* database) : database_(database) {}
  sqlite3* database_;
  std::unordered_map<std::string_view, sqlite3_stmt*> prepared_;
};

// What an sqlite3 result code means for an admin.
std::unexpected<Error> fail_sqlite(sqlite3* database, int code);

}  // namespace portcullis::store::sqlite

#include "store/sqlite/connection.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/fd.h"

namespace portcullis::store::sqlite {

namespace {

std::string name_of(sqlite3* database) {
  const char* file = database ? sqlite3_db_filename(database, "main") : nullptr;
  return file && *file ? file : "the database";
}

// Made here, since SQLite would let everybody read it; -wal and -shm get the same rights. A file
// that is there is not opened: closing it would drop the locks that this process holds on it.
Status make_private_file(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd || errno == EEXIST) return {};
  return fail(Fault::storage,
              "the database {} cannot be made ({}): look at the rights of the file and its folder",
              file.string(), std::generic_category().message(errno));
}

}  // namespace

std::unexpected<Error> fail_sqlite(sqlite3* database, int code) {
  const std::string name = name_of(database);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail_with(
          Fault::storage, "database-locked",
          "{} is locked by another program: close whatever else has it open (sqlite3, a backup)",
          name);
    case SQLITE_FULL:
      return fail(Fault::storage, "the disk of {} is full: make room", name);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return fail(Fault::storage,
                  "{} is damaged or not a database of Portcullis: restore it from a backup", name);
    case SQLITE_CANTOPEN:
      return fail(Fault::storage,
                  "{} cannot be opened: look at the rights of the file and its folder", name);
    case SQLITE_READONLY:
      return fail(Fault::storage, "{} cannot be written: give it to the user that runs Portcullis",
                  name);
    case SQLITE_IOERR:
      return fail(Fault::storage,
                  "reading or writing {} failed ({}): look at the disk and the system's log", name,
                  sqlite3_errstr(code));
    default:
      return fail(Fault::storage, "{}: {}", name,
                  database ? sqlite3_errmsg(database) : sqlite3_errstr(code));
  }
}

Query::~Query() {
  if (!statement_) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Result<bool> Query::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail_sqlite(sqlite3_db_handle(statement_), code);
}

Result<std::int64_t> Query::run() {
  while (TRY(step())) {
  }
  return sqlite3_changes64(sqlite3_db_handle(statement_));
}

std::string Query::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data
             ? std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
             : std::string();
}

Result<Sha256> Query::digest(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  Sha256 digest;
  if (!data || sqlite3_column_bytes(statement_, column) != static_cast<int>(Sha256::kSize))
    return fail(Fault::storage, "the database holds something else where a digest should be");
  std::memcpy(digest.bytes.data(), data, Sha256::kSize);
  return digest;
}

void Query::bind_one(int place, std::string_view value) {
  // A null pointer would bind NULL.
  sqlite3_bind_text64(statement_, place, value.data() ? value.data() : "", value.size(),
                      SQLITE_TRANSIENT, SQLITE_UTF8);
}

void Query::bind_one(int place, ByteView value) {
  // A null pointer would bind NULL.
  sqlite3_bind_blob64(statement_, place, value.data() ? static_cast<const void*>(value.data()) : "",
                      value.size(), SQLITE_TRANSIENT);
}

Bytes Query::bytes(int column) const {
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  return data ? Bytes(data, data + sqlite3_column_bytes(statement_, column)) : Bytes();
}

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& file,
                                                     std::chrono::milliseconds busy_timeout,
                                                     Use use) {
  TRY(make_private_file(file));
  sqlite3* database = nullptr;
  const int code =
      sqlite3_open_v2(file.c_str(), &database,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Connection> connection(new Connection(database));
  if (code != SQLITE_OK)
    return fail(
        Fault::storage,
        "the database {} cannot be opened ({}): look at the rights of the file and its folder",
        file.string(), sqlite3_errstr(code));
  sqlite3_extended_result_codes(database, 1);
  sqlite3_busy_timeout(database, static_cast<int>(busy_timeout.count()));
  // The file may be damaged, or not ours: what its schema says is not trusted.
  TRY(connection->execute("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"));
  {
    Query query = TRY(connection->prepare("PRAGMA journal_mode=WAL"));
    if (!TRY(query.step()) || query.text(0) != "wal")
      return fail(
          Fault::storage,
          "{} cannot have a write-ahead log: put it on a local disk, not on a network share",
          file.string());
  }
  TRY(connection->execute(
      "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=67108864;"));
  if (use == Use::reading) TRY(connection->execute("PRAGMA query_only=ON"));
  return connection;
}

std::string Connection::file() const { return name_of(database_); }

Connection::~Connection() {
  for (const auto& [sql, statement] : prepared_) sqlite3_finalize(statement);
  sqlite3_close_v2(database_);
}

Status Connection::execute(const std::string& sql) {
  const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail_sqlite(database_, code);
  return {};
}

Result<Query> Connection::prepare(std::string_view sql) {
  if (const auto found = prepared_.find(sql); found != prepared_.end()) {
    PORTCULLIS_CHECK(sqlite3_stmt_busy(found->second) ==
                     0);  // two runs of one would mix their rows
    return Query(found->second);
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return fail_sqlite(database_, code);
  prepared_.emplace(sql, statement);
  return Query(statement);
}

Result<std::int64_t> Connection::number(std::string_view sql) {
  Query query = TRY(prepare(sql));
  return TRY(query.step()) ? query.integer(0) : 0;
}

}  // namespace portcullis::store::sqlite

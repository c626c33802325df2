// pictrs/pictrs.h: somebody else's store: the HTTP API and the database of a pict-rs 0.5.
//
// A Client speaks to one pict-rs that the admin named, over plain HTTP on a private network, with
// the internal API's key. Any thread may ask; an answer comes back on the loop of whoever awaits
// it. What pict-rs says is read within bounds and is not believed: bytes have to be checked
// against their FileKey, and aliases and paths are vetted here.
//
// Errors, all of them sentences for the admin that name the server and never the key:
//   Fault::upstream, code "unreachable"        nobody answers there, or not in time
//   Fault::upstream, code "pict-rs-failed"     it answered 5xx, or something that is no pict-rs's
//   Fault::us,       code "invalid-api-token"  the key is wrong, or it has none configured
//   Fault::client,   code "alias-not-found"    it has no such alias
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/result.h"
#include "base/task.h"
#include "egress/egress.h"

namespace portcullis::pictrs {

// What pict-rs calls the hash of a stored file: SHA-256 of its bytes, its size, and a byte for its
// format.
struct FileKey {
  Sha256 sha256;
  std::uint64_t size = 0;
  std::uint8_t format = 0;
  bool operator==(const FileKey&) const = default;

  // 78 hexadecimal digits, as /internal/hashes has them; base64 of the 39 bytes, as its database
  // has them. Nothing for anything else. Pure.
  static std::optional<FileKey> from_hex(std::string_view text);
  static std::optional<FileKey> from_base64(std::string_view text);
};

struct Details {
  std::uint32_t width = 0, height = 0;
  std::optional<std::uint32_t> frames;  // none for a still
  std::string content_type;             // "image/jpeg"
  std::optional<WallTime> created;
  bool operator==(const Details&) const = default;
};

// A stored file and the names it has.
struct Entry {
  FileKey key;
  std::vector<std::string> aliases;  // may be empty: nothing needs the file any more
  std::optional<Details> details;    // none: pict-rs has not looked at it
  bool operator==(const Entry&) const = default;
};
struct Page {
  std::vector<Entry> entries;  // newest first
  std::string next;            // where the following page begins; empty: this was the last
  std::size_t skipped = 0;     // entries and aliases that could not be read
  bool operator==(const Page&) const = default;
};

// Bodies of pict-rs's answers. Strict in what we use, blind to the rest. Pure; Fault::upstream,
// code "pict-rs-failed".
Result<Page> parse_page(std::string_view json);
Result<Details> parse_details(std::string_view json);
Result<std::vector<std::string>> parse_aliases(std::string_view json);
// A path below the folder of files: relative, without "..", empty parts or control characters.
Result<std::string> parse_identifier(std::string_view json);
bool is_identifier(std::string_view path);

class Client {
 public:
  struct Options {
    std::string api_key;                              // of the internal API; a secret
    std::chrono::milliseconds timeout{30'000};        // of one answer
    std::chrono::milliseconds file_timeout{120'000};  // of one file
    std::size_t max_at_once = 8;
  };
  // `address`: "http://HOST:PORT[/PREFIX]". Fault::us when it is none, or the key holds control
  // characters. `http` must outlive it.
  static Result<std::unique_ptr<Client>> create(std::string_view address, Options options,
                                                egress::ConfiguredClient& http);

  const std::string& address() const { return endpoint_.text(); }

  // Whether it answers and says that it is well. The key is not tried: hashes() does that.
  Task<Status> health();

  // Stored files, newest first: at most `limit` (1 to 1,000) from `from` on, a Page::next; empty:
  // from the newest. Files that come meanwhile are not seen. If the file that `from` names was
  // deleted meanwhile, pict-rs begins anew: Page's first entry tells.
  Task<Result<Page>> hashes(std::size_t limit, std::string from);
  // All aliases of the alias's file, this one among them. For an alias that is_alias() refuses this
  // and the calls below say "alias-not-found" without asking.
  Task<Result<std::vector<std::string>>> aliases(std::string alias);
  // Where the alias's file lies, below the folder of files (of a file system store), or in the
  // bucket.
  Task<Result<std::string>> identifier(std::string alias);
  Task<Result<Details>> details(std::string alias);

  // The stored bytes, piece by piece, as egress::Sink says. Code "validate-file-size" beyond
  // `max_bytes`; an error of the sink comes back as it is.
  Task<Status> original(std::string alias, std::uint64_t max_bytes, egress::Sink sink);
  // What `process.EXTENSION?QUERY` answers; QUERY is encoded already and names the alias by src=.
  Task<Status> process(std::string extension, std::string query, std::uint64_t max_bytes,
                       egress::Sink sink);

  // Deletes this alias and no other; the file goes with its last one. pict-rs queues both: the
  // alias may still be there when this has come back. One that is not there is "alias-not-found";
  // whoever only wants it gone may take that for success.
  Task<Status> delete_alias(std::string alias);

 private:
  Client(egress::Endpoint endpoint, Options options, egress::ConfiguredClient& http)
      : endpoint_(std::move(endpoint)), options_(std::move(options)), http_(http) {}

  enum class Access { open, internal };
  Task<Result<egress::Reply>> ask(egress::Request request, Access access, std::uint64_t max_bytes,
                                  std::chrono::milliseconds timeout) const;
  Task<Result<std::string>> get(std::string target, Access access) const;
  Task<Status> get_file(std::string target, std::uint64_t max_bytes, egress::Sink sink) const;

  egress::Endpoint endpoint_;
  Options options_;
  egress::ConfiguredClient& http_;
};

// --- its own database, when that is PostgreSQL ---

// One name of a stored file.
struct Name {
  std::string alias;
  std::string delete_token;
  std::string url;  // the remote picture that it is served for; empty: none
  bool operator==(const Name&) const = default;
};
struct File {
  FileKey key;
  std::string identifier;  // where it lies below the folder of files; is_identifier()
  WallTime created;
  std::vector<Name> names;
  std::optional<Details> details;
  bool operator==(const File&) const = default;
};
struct FilePage {
  std::vector<File> files;
  std::string last;         // goes to files_after() for the next page; empty: this was the last
  std::size_t skipped = 0;  // rows that could not be read
};

// One session that can only read. Blocks; one thread at a time. Errors name the database without
// its password. After Fault::upstream, code "database-lost", it is of no use any more.
class Database {
 public:
  // `url` as postgres::parse_target() takes it. Fault::upstream when it cannot be reached;
  // Fault::client when it is no pict-rs's, or may not be read: with the GRANT that helps.
  static Result<std::unique_ptr<Database>> open(const std::string& url);
  ~Database();

  const std::string& shown() const;  // the address, without secrets
  Result<std::uint64_t> count();     // of stored files
  // In the order of their hashes, those after `after` (empty: from the first), at most `most`.
  Result<FilePage> files_after(const std::string& after, std::size_t most);

 private:
  struct Session;
  explicit Database(std::unique_ptr<Session> session);
  std::unique_ptr<Session> session_;
};

}  // namespace portcullis::pictrs

// media/media.h: the pict-rs API: uploads, remote pictures, serving, variants, deletion, the
// internal API.
//
// A Media answers requests of the media listener, on whichever loop they came in; it is
// thread-safe, and its collaborators must outlive it. Nothing is stored before the scanner has
// judged it, and nothing but renditions, and what was made of them, is ever served. Files and
// database are touched on their pools only.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/network.h"
#include "base/task.h"
#include "blob/blob.h"
#include "evidence/evidence.h"
#include "net/net.h"
#include "scan/scan.h"
#include "store/store.h"

namespace portcullis::media {

struct Options {
  std::string prefix;            // secret path prefix with both slashes, "/x1y2/"; empty: none
  std::string api_key;           // of the internal API; empty: it is off
  std::string pict_rs_key;       // of the internal API of Services::pict_rs; empty: unknown
  std::string validator_secret;  // path segment of the validator; empty: it is off
  std::filesystem::path
      spool;  // folder for unnamed temporary files; on the data folder's file system
  std::uint64_t max_file_size = 40 * 1024 * 1024;
  std::size_t max_file_count = 1;
  std::uint64_t spool_bytes = 512ull * 1024 * 1024;  // of all uploads together
  std::chrono::seconds cache_max_age{86'400};
  std::chrono::milliseconds upload_timeout{25'000};  // screening and storing of one upload
  // Refusals because of what a picture shows leave at whole multiples of this after the body was
  // read, so that timing does not tell which signal refused. Zero: at once.
  std::chrono::milliseconds refusal_step{1'000};

  std::vector<decoder::Operation> preprocess;  // of uploads that ask for no operations
  std::vector<std::string> filters{"blur", "crop", "identity", "resize", "thumbnail"};
  // By format; 0: what suits it.
  std::array<std::uint8_t, decoder::kFormats> quality{};
  std::chrono::milliseconds variant_timeout{8'000};  // waiting for a decoder included
  std::chrono::milliseconds fetch_timeout{8'000};    // fetching, screening and storing together
  std::vector<std::string> hosts;                    // this site's own, lower case
  std::uint64_t max_bytes = 0;                       // of everything stored; 0: no limit
  std::uint64_t max_variant_bytes = 10ull * 1024 * 1024 * 1024;
  std::chrono::seconds keep_variants{7 * 86'400}, keep_proxied{7 * 86'400};  // after last access
  std::vector<Network> trusted_proxies;       // believed when they say where a request is from
  std::vector<std::string> trusted_accounts;  // local_user.id
  // Different refused pictures of one account within `attempts_window`: after `slow_after` of them
  // answers take longer, after `close_after` uploads are closed for it for `close_for`.
  std::size_t slow_after = 3, close_after = 10;
  std::chrono::seconds attempts_window{86'400}, close_for{3'600};
  // Told of what a person should know now: a word for what it is, and a sentence. On any thread;
  // must be quick. Empty: nobody is.
  std::function<void(std::string_view what, std::string_view text)> on_alert;
  // Told of a refused picture that must not come again. Blocks; on the files pool. Empty: nobody
  // is.
  std::function<Status(const scan::Screening&)> ban;
  // Told the rule by which a picture was refused or held for what it shows; gives what a person
  // should know now, if anything. Blocks; on the db pool. Empty: nobody is.
  std::function<std::optional<std::string>(const std::string& rule)> on_refused;
  // Told the aliases that were deleted, on any thread; must be quick. Empty: nobody is.
  std::function<void(const std::vector<std::string>&)> on_deleted;
};

// What happened, since the start.
struct Counters {
  std::atomic<std::uint64_t> accepted{0}, refused{0}, unanswered{0}, not_taken{0}, closed{0},
      failed{0};
  std::atomic<std::uint64_t> served{0}, deleted{0};
  std::atomic<std::uint64_t> variants{0}, fetched{0}, evicted{0};
  std::atomic<std::uint64_t> held{0}, preserved{0}, not_kept{0};  // not_kept: should have been
  std::atomic<std::uint64_t> alerts{0};
  std::atomic<std::uint64_t> pict_rs_failures{0};  // it could not be asked, or answered 5xx
  std::atomic<std::uint64_t> validations{0};       // pictures that another server asked about
  std::atomic<std::uint64_t> spooled_bytes{0};     // right now
};

// Fetches what strangers' URLs name, guarded. Thread-safe.
class Fetcher {
 public:
  virtual ~Fetcher() = default;
  // The host of a URL that may be fetched, in lower case and without port. Fault::client otherwise.
  virtual Result<std::string> host_of(const std::string& url) const = 0;
  // GET; `sink` gets the body of a 2xx answer piece by piece, on any thread. Error codes:
  // "validate-file-size" over max_bytes; anything else is the origin's fault, or the URL's.
  using Sink = std::function<Status(ByteView)>;
  virtual Task<Status> fetch(std::string url, std::uint64_t max_bytes,
                             std::chrono::milliseconds timeout, Sink sink) = 0;
};

// The store that this one takes over from, for what has not come over yet. What it gives is not
// screened. Thread-safe.
class Before {
 public:
  virtual ~Before() = default;
  struct About {
    store::Details details;
    WallTime created;
  };
  // Code "alias-not-found": it has no such picture either.
  virtual Task<Result<About>> about(std::string alias) = 0;
  virtual Task<Status> original(std::string alias, std::uint64_t max_bytes, Fetcher::Sink sink) = 0;
  // `parameters` are operations that pict-rs knows.
  virtual Task<Status> process(std::string alias, std::string extension,
                               image::Parameters parameters, std::uint64_t max_bytes,
                               Fetcher::Sink sink) = 0;
};

struct Services {
  store::Store& store;
  blob::BlobStore& blobs;
  scan::Scanner& scanner;
  decoder::Pool& decoders;
  Fetcher& fetcher;
  evidence::Keeper& keeper;
  Pool& files;
  Pool& db;
  Pool& decode;  // blocks in decoder::Pool::decode
  const Clock& clock;
  // A pict-rs that keeps what was accepted, in place of `blobs`; null: none.
  net::Upstream* pict_rs = nullptr;
  Before* before = nullptr;  // null: there is none
};

class Media {
 public:
  Media(Options options, Services services);
  ~Media();

  Task<net::Response> handle(net::Request& request, net::BodyReader& body);
  // The same for the validator's listener.
  Task<net::Response> validate(net::Request& request, net::BodyReader& body);
  const Counters& counters() const;

  // Writes down what was asked for, and lets go of what nobody asks for or has room. Blocks; run it
  // on the db pool every few seconds.
  Status maintain();
  // The same for what a pict-rs keeps: does not block, and belongs on a loop.
  Task<void> tidy_up();
  // Drops the requests that wait for the work of others, before the loops they are on are
  // destroyed.
  void abandon();
  // Forgets what is remembered of stored pictures: another process took some off.
  void forget_stored();

 private:
  class Room;
  std::unique_ptr<Room> room_;
};

// Takes pictures over from another store of this API, one at a time, through the same door as
// uploads: screened, then stored under the name they have there, or refused. For a command that
// runs beside the server; it answers no requests. Thread-safe; its collaborators must outlive it.
class TakeOver {
 public:
  // Of the options those about space, quality and refusals count; the fetcher is not used.
  TakeOver(Options options, Services services);
  ~TakeOver();

  struct Name {
    std::string alias;
    std::string delete_token;  // empty: a new one, since nobody knows the old one
    WallTime created;
    std::string url;  // the remote picture that it is served for; empty: none
  };
  enum class End {
    taken,
    there_already,  // the same picture under the same name
    deleted,        // it was there, and somebody deleted it
    refused,        // by a verdict; the name is remembered as gone
    held,           // the same; a moderator may release it
    unanswered,     // it could not be judged: stays where it is
    no_picture,     // nothing that this site takes
    name_taken,     // by another picture of this site
    stopped,        // nothing may come in right now: `why` is for the admin
  };
  struct Outcome {
    End end = End::stopped;
    std::string why;
    std::string verdict;  // id, when there is one
  };
  // Whether it is stored under that name, was deleted, or was refused before and no moderator has
  // released it since; nothing when it is still to be looked at.
  Task<Result<std::optional<End>>> known(const Sha256& original, const std::string& alias);
  // `original` is borrowed until this has come back.
  Task<Outcome> take(scan::Original original, Name name);
  // The verdict on it, and nothing else happens.
  Task<Outcome> judge(scan::Original original);

 private:
  class Room;
  std::unique_ptr<Room> room_;
};

// The same API without looking at anything, for other programs' tests: takes any bytes as they are
// and keeps them in memory. No store, folder, decoder or model is in it, so it can neither serve
// what a site has stored nor store what it was given. Thread-safe.
class Dummy {
 public:
  struct Limits {
    std::uint64_t max_file_size = 40 * 1024 * 1024;
    std::uint64_t max_bytes = 512ull * 1024 * 1024;  // of all pictures together
    std::chrono::milliseconds fetch_timeout{8'000};
  };
  // `api_key` as in Options; the others must outlive the Dummy.
  Dummy(std::string api_key, Limits limits, Fetcher& fetcher, const Clock& clock);
  ~Dummy();
  Task<net::Response> handle(net::Request& request, net::BodyReader& body);
  std::size_t pictures() const;

 private:
  class Room;
  std::unique_ptr<Room> room_;
};

// scan's memory, kept in a store. An error reads as "not remembered": the picture is then looked at
// again. All must outlive it.
std::unique_ptr<scan::Memory> store_memory(store::Store& store, Pool& db, const Clock& clock);

// Removes blobs that no alias needs any more, a bounded number a call. Run it on the files pool,
// now and then.
Result<std::size_t> sweep(store::Store& store, blob::BlobStore& blobs, std::size_t most);
// At start-up: removes files that the store does not know. Gives their number.
Result<std::size_t> remove_orphans(store::Store& store, blob::BlobStore& blobs);

}  // namespace portcullis::media

// media/media.h: the pict-rs API: upload, serve, details, delete, health.
//
// A Media answers requests of the media listener, on whichever loop they came in; it is
// thread-safe, and its collaborators must outlive it. Nothing is stored before the scanner has
// judged it, and nothing but renditions is ever served. Files and database are touched on their
// pools only.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/task.h"
#include "blob/blob.h"
#include "net/net.h"
#include "scan/scan.h"
#include "store/store.h"

namespace portcullis::media {

struct Options {
  std::string prefix;  // secret path prefix with both slashes, "/x1y2/"; empty: none
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
};

// What happened, since the start.
struct Counters {
  std::atomic<std::uint64_t> accepted{0}, refused{0}, unanswered{0}, not_taken{0}, closed{0},
      failed{0};
  std::atomic<std::uint64_t> served{0}, deleted{0};
  std::atomic<std::uint64_t> spooled_bytes{0};  // right now
};

struct Services {
  store::Store& store;
  blob::BlobStore& blobs;
  scan::Scanner& scanner;
  Pool& files;
  Pool& db;
  const Clock& clock;
};

class Media {
 public:
  Media(Options options, Services services);
  ~Media();

  Task<net::Response> handle(net::Request& request, net::BodyReader& body);
  const Counters& counters() const { return counters_; }

 private:
  class Upload;
  class OpenFiles;

  Task<net::Response> serve(const net::Request& request, const std::string& alias, bool relayed);
  Task<net::Response> details(const std::string& alias);
  Task<net::Response> remove(const std::string& token, const std::string& alias);
  Task<net::Response> health();

  Options options_;
  Services services_;
  Counters counters_;
  std::unique_ptr<scan::Memory> memory_;
  std::unique_ptr<OpenFiles> open_files_;
};

// Removes blobs that no alias needs any more, a bounded number a call. Run it on the files pool,
// now and then.
Result<std::size_t> sweep(store::Store& store, blob::BlobStore& blobs, std::size_t most);
// At start-up: removes files that the store does not know. Gives their number.
Result<std::size_t> remove_orphans(store::Store& store, blob::BlobStore& blobs);

}  // namespace portcullis::media

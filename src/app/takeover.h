// app/takeover.h: everything that an old pict-rs holds, taken over: verified, screened, stored
// under the names it has there, or refused. Private to this room.
//
// Goes through the old store page by page, some pictures at once. Where it stands is written down
// after each page, so that it goes on after a kill; what is stored under a name is known and left
// alone, so a page or a whole import that is done again changes nothing. Nothing of the old store
// is ever changed.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "app/old_store.h"
#include "app/takeover_report.h"
#include "blob/blob.h"
#include "media/media.h"

namespace portcullis::app {

// Puts blobs as further names of the old store's files, where those hold the very same bytes.
// Thread-safe.
class LinkingBlobs final : public blob::BlobStore {
 public:
  explicit LinkingBlobs(blob::BlobStore& real) : real_(real) {}

  // `fd` is borrowed until withdraw().
  void offer(const Sha256& digest, int fd);
  void withdraw(const Sha256& digest);
  std::uint64_t linked() const { return linked_; }

  Status put(const Sha256& digest, ByteView bytes) override;
  Result<bool> put_link(const Sha256& digest, ByteView bytes, int fd) override {
    return real_.put_link(digest, bytes, fd);
  }
  Result<blob::Opened> open(const Sha256& digest) const override { return real_.open(digest); }
  Status remove(const Sha256& digest) override { return real_.remove(digest); }
  Status list(const std::function<void(const Sha256&)>& each) const override {
    return real_.list(each);
  }

 private:
  blob::BlobStore& real_;
  std::mutex mutex_;
  std::map<Sha256, int> offered_;
  std::atomic<std::uint64_t> linked_{0};
};

struct TakeoverOptions {
  double rate = 0;           // pictures a second at most; 0: as fast as it goes
  bool dry_run = false;      // judges and changes nothing, and does not remember where it stands
  bool refused_too = false;  // judges again what was refused before
  std::size_t at_once = 4;   // pictures being looked at
  std::uint64_t max_file_size = 0;  // larger files are not looked at
};

struct TakeoverProgress {
  std::uint64_t done = 0, total = 0;  // pictures; total 0: not known
  std::uint64_t taken = 0;            // names that came in, or would
  std::uint64_t there_already = 0;    // or had been, and were deleted
  std::uint64_t refused_before = 0;
  std::uint64_t nameless = 0;  // old files that nothing needs
  std::uint64_t skipped = 0;   // rows and names of the old store that could not be read
  std::map<std::string, std::uint64_t> reported;  // in this run, by TakeoverLine::what
};

struct Takeover {
  OldStore& old;
  media::TakeOver& door;
  LinkingBlobs& blobs;
  store::Store& store;
  TakeoverReport* report;  // null in a dry run
  const Clock& clock;
  TakeoverOptions options;
  std::function<void(const TakeoverProgress&)> on_progress;  // after each picture
  std::function<void(const TakeoverLine&)> on_line;

  // Blocks until all were looked at. An error ends it where it stands: the text says what to do,
  // and the next run goes on there.
  Result<TakeoverProgress> run();

 private:
  struct Place;
  Result<Place> begin(TakeoverProgress& progress);
  Status look_at_all(const OldPage& page, TakeoverProgress& progress);
  Task<Status> look_at(const OldPicture& picture, TakeoverProgress& progress);
  Task<Status> take(const OldPicture& picture, const OldFile& file,
                    const std::vector<pictrs::Name>& names, TakeoverProgress& progress);
  Status note(TakeoverLine line, TakeoverProgress& progress);
};

}  // namespace portcullis::app

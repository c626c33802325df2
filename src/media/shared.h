// media/shared.h: what the parts of this room have in common. Private to the room.
#pragma once

#include "media/access_log.h"
#include "media/answers.h"
#include "media/attempts.h"
#include "media/backend.h"
#include "media/backgrounded.h"
#include "media/hot_files.h"
#include "media/media.h"
#include "media/spool.h"

namespace portcullis::media {

struct Shared {
  Shared(Options given_options, Services given_services);

  const Options options;
  Services services;
  Counters counters;
  std::unique_ptr<scan::Memory> memory;
  std::unique_ptr<Backend> backend;
  SpoolBudget spool_budget;
  HotFiles hot;
  AccessLog accesses;
  Backgrounded backgrounded;
  Attempts attempts;
  // Nothing that could go is left, and max_bytes are used up.
  std::atomic<bool> is_full{false};
  // No more evidence can be kept, so nothing may come in that might have to be.
  std::atomic<bool> is_evidence_full{false};

  // Logs it, and tells whoever wants to know.
  void alert(std::string_view what, std::string_view text);

  // What was found out to be gone, or expired.
  void forget(const std::vector<std::string>& aliases) {
    for (const std::string& alias : aliases) hot.forget(alias);
  }
  // What somebody wanted gone: caches in front must hear of it.
  void deleted(const std::vector<std::string>& aliases) {
    forget(aliases);
    counters.deleted += aliases.size();
    if (options.on_deleted && !aliases.empty()) options.on_deleted(aliases);
  }
};

// Either what was asked for, or the answer that says why not.
template <class T>
using Answered = std::expected<T, net::Response>;

// A stored picture with its file open. Error codes: "alias-not-found", "lost-file"; Fault::storage.
Task<Result<StoredPointer>> stored_by_alias(Shared& shared, std::string alias);
// The answer for such an error.
net::Response answer_for_missing(const Error& error);

// Opens a blob that was found in the store.
Task<Result<StoredPointer>> open_stored(Shared& shared, StoredPicture picture);

// New bytes into the store: claims their digest, writes the blob, then runs `publish` with the
// claim on the db pool. Code "gone" from publish gives the claim up and comes back. Empty bytes
// mean a blob that is stored already; code "gone" when it is not any more.
Task<Status> write_blob(Shared& shared, Sha256 digest, store::Details details, ByteView bytes,
                        WallTime now, std::function<Status(std::int64_t claim)> publish);

store::Details details_of(const decoder::Rendition& made, std::uint64_t bytes);

// Reads a request's body to its end; `take` gets it in portions, on the files pool. A body over the
// server's bound is code "validate-file-size".
Task<Status> read_body(Shared& shared, net::BodyReader& body, std::function<Status(ByteView)> take);

// Waits on the awaiting coroutine's loop.
Task<void> pause(std::chrono::nanoseconds time);

}  // namespace portcullis::media

// app/purge.h: every stored picture that others host goes, and no post breaks.
//
// Goes over the aliases in their order, a batch a commit, and remembers in the same commit where it
// stands: after a kill it goes on there. Of each picture lists are asked first, by what is written
// down of it; one that is on a list is judged and sealed as evidence as `rescan` does, and answers
// 410 afterwards. The others leave a tombstone that leads to their origin. What is a user's own is
// never looked at; a user's upload of the same bytes stays.
#pragma once

#include "app/rescan.h"

namespace portcullis::app {

struct PurgeOptions {
  double rate = 0;                   // aliases a second at most; 0: as fast as it goes
  bool even_without_origin = false;  // those that then lead nowhere
};

struct PurgeProgress {
  std::uint64_t done = 0, total = 0;  // aliases
  std::uint64_t purged = 0;
  std::uint64_t preserved = 0;       // on a list, sealed and taken off
  std::uint64_t not_kept = 0;        // on a list and could not be sealed: they stay as they are
  std::uint64_t without_origin = 0;  // left, for want of an origin
  std::uint64_t bytes = 0;           // that are free now, or soon
};

struct Purge {
  static constexpr std::string_view kKind = "purge federated";

  Rescan& rescan;  // seals and takes off what is on a list
  PurgeOptions options;
  std::function<void(const PurgeProgress&)> on_progress;                   // after each batch
  std::function<void(const std::vector<std::string>& aliases)> on_gone;    // they went
  std::function<void(const store::Alias&, std::string_view why)> on_left;  // it was left

  // Blocks until all are gone. An error of the store ends it where it stands; a second call goes
  // on there.
  Result<PurgeProgress> run();

  // Whether a stored picture is on a list and so is not purged: it was sealed and taken off, or
  // stays because it could not be sealed, which on_left is told.
  Result<bool> is_kept_back(const store::Alias& alias, PurgeProgress& progress);

 private:
  using RemoteAlias = store::Store::RemoteAlias;
  Result<bool> may_go(const RemoteAlias& one, PurgeProgress& progress);
};

}  // namespace portcullis::app

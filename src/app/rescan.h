// app/rescan.h: what is stored, judged once more under today's ruleset.
//
// Goes over the stored pictures in the order of their digests. A hit is sealed first and then taken
// off the site; a picture that could not be judged stays, and is counted. Where it stands is
// written down, so that it goes on after a kill; a changed ruleset begins anew.
#pragma once

#include <functional>
#include <optional>

#include "app/engine.h"
#include "blob/blob.h"
#include "evidence/evidence.h"

namespace portcullis::app {

struct RescanOptions {
  double rate = 20;               // pictures a second at most; 0: as fast as it goes
  std::optional<WallTime> since;  // only pictures with an alias made since then
  bool dry_run = false;           // changes nothing, and does not remember where it stands
};

struct RescanProgress {
  std::uint64_t done = 0, total = 0;  // stored files: pictures, and what was made of them
  std::uint64_t judged = 0;
  std::uint64_t found = 0;       // taken off, or would be
  std::uint64_t not_judged = 0;  // a required signal had no answer, or the file could not be read
};

struct RescanHit {
  Sha256 blob;
  std::vector<std::string> aliases;
  std::string rule, reason;
  std::string evidence;  // id; empty in a dry run
};

struct Rescan {
  Engine& engine;
  blob::BlobStore& blobs;
  evidence::Keeper& keeper;
  RescanOptions options;
  std::function<void(const RescanProgress&)> on_progress;  // after each picture
  std::function<void(const RescanHit&)> on_hit;

  // Blocks until all are judged. An error of the store or of sealing ends it where it stands.
  Result<RescanProgress> run();

  // One picture alone: true when today's ruleset refuses it, and it was sealed and taken off.
  Result<bool> take_off_if_hit(const Sha256& blob);

 private:
  Status look_at(const Sha256& blob, RescanProgress& progress);
  Result<std::optional<scan::Screening>> judge(const Sha256& blob,
                                               const store::Store::Provenance& provenance);
  Result<std::string> take_off(const Sha256& blob, const store::Store::Provenance& provenance,
                               const scan::Screening& screening);
};

}  // namespace portcullis::app

// app/purging.h: what every purge works with. Private to this room.
#pragma once

#include "app/hook.h"
#include "app/rescan.h"

namespace portcullis::app {

// Only one at a time on a data folder.
struct Purging {
  static Result<Purging> open(const std::string& config_file);

  // Removes the files of what went, unless a running gate does.
  Status sweep();
  // Tells media.purge_hook.
  void tell(const std::vector<std::string>& aliases) {
    if (hook && !aliases.empty()) hook->tell(purge_lines(aliases, engine->config.site.hosts));
  }

  std::unique_ptr<Engine> engine;
  UniqueFd lock;
  std::unique_ptr<blob::FileSystem> files;
  std::unique_ptr<blob::BlobStore> blobs;
  std::unique_ptr<evidence::Keeper> keeper;
  std::unique_ptr<Hook> hook;
};

}  // namespace portcullis::app

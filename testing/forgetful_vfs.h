// testing/forgetful_vfs.h: a disk under SQLite that loses what was not synced when the power goes.
//
// While one exists it is SQLite's default VFS in this process. It works on real files through the
// usual VFS and remembers, for each database and log, what a sync made durable and what was written
// since. power_cut() puts the files into a state that a real disk might be found in: each write
// since the last sync kept, lost or torn by itself, names whose folder was not synced there or not.
// All connections must be closed by then; their writes fail from the moment the power is gone.
// Thread-safe. Shared memory (-shm) and temporary files are left alone: neither outlives a machine.
#pragma once

#include <sqlite3.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "testing/power.h"

namespace portcullis::testing {

class ForgetfulVfs {
 public:
  ForgetfulVfs(unsigned seed, std::shared_ptr<Power> power);
  ~ForgetfulVfs();
  ForgetfulVfs(const ForgetfulVfs&) = delete;
  ForgetfulVfs& operator=(const ForgetfulVfs&) = delete;

  // For tests of the tests: syncs return as if they had been done.
  bool ignore_syncs = false;

  void power_cut();

 private:
  // A write of `bytes` at `offset`, or a cut to `offset` bytes.
  struct Change {
    sqlite3_int64 offset;
    std::optional<Bytes> bytes;
  };
  struct Name {
    bool is_there = false;
    Bytes synced;                 // what a sync made durable
    std::vector<Change> changes;  // since then
    // The folder was not synced since the name was made or removed: this may still be what the disk
    // holds.
    bool is_unsettled = false;
    std::optional<Bytes> before;
  };
  struct File;
  struct Calls;  // what SQLite calls

  Bytes after_cut(const Name& name);
  void settle_names();
  bool heads() { return std::bernoulli_distribution(0.5)(coin_); }

  sqlite3_vfs* real_;
  sqlite3_vfs vfs_;
  std::shared_ptr<Power> power_;
  std::mutex mutex_;
  std::mt19937 coin_;
  std::map<std::string, Name> names_;
};

}  // namespace portcullis::testing

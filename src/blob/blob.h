// blob/blob.h: renditions by their SHA-256, in a folder: blobs/ab/cd/<sha256>.
//
// put() returns only when the bytes would survive a power cut: temporary file (O_TMPFILE, so that
// it has no name before it is whole), fsync, linkat, fsync of the folder and of folders it made.
// Nothing but screened renditions is ever given to this room. All calls block and are thread-safe;
// run them on the files pool. Two put() of one digest may overlap; put() and remove() of one digest
// must not: the store's row of that digest keeps them apart.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"

namespace portcullis::blob {

// The few calls that change a disk, so that tests can lose what was not synced. Paths are absolute.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Status make_folder(const std::filesystem::path& path) = 0;  // fine if it is there
  virtual Result<UniqueFd> create_unnamed(const std::filesystem::path& folder) = 0;
  virtual Status write(int fd, ByteView bytes) = 0;  // appends all
  virtual Status sync_file(int fd) = 0;
  virtual Status link(int fd, const std::filesystem::path& path) = 0;  // fine if it is there
  virtual Status remove(const std::filesystem::path& path) = 0;        // fine if it is not there
  virtual Status sync_folder(const std::filesystem::path& path) = 0;
};
std::unique_ptr<FileSystem> real_file_system();

struct Opened {
  UniqueFd fd;
  std::uint64_t size = 0;
};

class BlobStore {
 public:
  virtual ~BlobStore() = default;
  // Durable when it returns. Fine if the blob is there. `digest` must be the SHA-256 of `bytes`
  // (checked).
  virtual Status put(const Sha256& digest, ByteView bytes) = 0;
  // The same, without a copy where that is possible: as a further name of the file behind `fd`,
  // if that holds exactly `bytes` and lies on the same file system. Whoever may write to that file
  // can then change the blob. Gives whether it was linked.
  virtual Result<bool> put_link(const Sha256& digest, ByteView bytes, int fd) = 0;
  // Fault::client when there is none of that digest.
  virtual Result<Opened> open(const Sha256& digest) const = 0;
  virtual Status remove(const Sha256& digest) = 0;
  // Calls `each` for every stored digest, in any order, in flat memory.
  virtual Status list(const std::function<void(const Sha256&)>& each) const = 0;
};

// Makes `folder` if needed. `files` must outlive the store.
Result<std::unique_ptr<BlobStore>> open_folder(const std::filesystem::path& folder,
                                               FileSystem& files);

}  // namespace portcullis::blob

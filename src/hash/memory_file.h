// hash/memory_file.h: a file with a path in memory, for tests, fuzz targets and benchmarks.
// Private.
#pragma once

#include <sys/mman.h>

#include "base/fd.h"
#include "hash/list_file.h"

namespace portcullis::hash {

class MemoryFile {
 public:
  MemoryFile() { PORTCULLIS_CHECK(fd_); }
  explicit MemoryFile(ByteView bytes) : MemoryFile() {
    PORTCULLIS_CHECK(write_all(fd_.get(), bytes));
  }
  explicit MemoryFile(ListEntries entries, std::optional<Slots> slots = std::nullopt)
      : MemoryFile() {
    PORTCULLIS_CHECK(write_list(std::move(entries), slots, fd_.get()));
  }
  Bytes bytes() const { return read_file(path(), std::uint64_t{1} << 40).value(); }
  int fd() const { return fd_.get(); }
  std::string path() const { return fmt::format("/proc/self/fd/{}", fd_.get()); }

 private:
  UniqueFd fd_{::memfd_create("list", MFD_CLOEXEC)};
};

}  // namespace portcullis::hash

// hash/memory_file.h: bytes as a file with a path, for tests, fuzz targets and benchmarks. Private.
#pragma once

#include <sys/mman.h>

#include "base/fd.h"

namespace portcullis::hash {

class MemoryFile {
 public:
  explicit MemoryFile(ByteView bytes) : fd_(::memfd_create("list", MFD_CLOEXEC)) {
    PORTCULLIS_CHECK(fd_ && write_all(fd_.get(), bytes));
  }
  std::string path() const { return fmt::format("/proc/self/fd/{}", fd_.get()); }

 private:
  UniqueFd fd_;
};

}  // namespace portcullis::hash

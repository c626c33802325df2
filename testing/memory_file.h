// testing/memory_file.h: a file that holds given bytes and has no name.
#pragma once

#include <sys/mman.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"

namespace portcullis::testing {

inline UniqueFd memory_file(ByteView bytes) {
  UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
  PORTCULLIS_CHECK(write_all(fd.get(), bytes).has_value());
  return fd;
}

}  // namespace portcullis::testing

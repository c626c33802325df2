// testing/lists.h: a list of hashes that lies in memory.
#pragma once

#include <sys/mman.h>

#include <memory>

#include "base/fd.h"
#include "hash/hash.h"

namespace portcullis::testing {

inline std::shared_ptr<const hash::HashList> list_of(const hash::ListEntries& entries) {
  const UniqueFd fd(::memfd_create("list", MFD_CLOEXEC));
  PORTCULLIS_CHECK(fd && hash::write_list(entries, fd.get()));
  auto opened = hash::HashList::open(fmt::format("/proc/self/fd/{}", fd.get()));
  PORTCULLIS_CHECK(opened);
  return std::make_shared<const hash::HashList>(std::move(*opened));
}

}  // namespace portcullis::testing

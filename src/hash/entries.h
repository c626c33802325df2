// hash/entries.h: entries of a list in the order of its file. Private.
#pragma once

#include <algorithm>

#include "hash/hash.h"

namespace portcullis::hash {

inline void sort_and_collapse(ListEntries& entries) {
  const auto one = [](auto& list) {
    std::ranges::sort(list);
    const auto rest = std::ranges::unique(list);
    list.erase(rest.begin(), rest.end());
  };
  one(entries.sha256);
  one(entries.sha1);
  one(entries.md5);
  one(entries.pdq);
}

}  // namespace portcullis::hash

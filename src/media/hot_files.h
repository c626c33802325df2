// media/hot_files.h: stored pictures that were asked for lately, with their files open, so that
// serving one again asks neither the database nor the file system. Private to the room.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/fd.h"
#include "store/store.h"

namespace portcullis::media {

struct StoredPicture {
  Sha256 blob;
  store::Details details;
  WallTime created;
  std::shared_ptr<const UniqueFd> fd;
  std::uint64_t size = 0;
  // The alias under which the pict-rs behind this gate keeps it; nothing else of it is known here
  // then. Empty: it is in the own store.
  std::string elsewhere = {};
};
using StoredPointer = std::shared_ptr<const StoredPicture>;

// Thread-safe. Keys are aliases, or variant_key() for variants.
class HotFiles {
 public:
  StoredPointer find(const std::string& key);
  // `epoch` is what epoch() gave before the store was asked: a picture that may have been deleted
  // since is not kept.
  std::uint64_t epoch();
  void keep(const std::string& key, StoredPointer picture, std::uint64_t epoch);
  void forget(const std::string& key);
  void clear();

 private:
  static constexpr std::size_t kMost = 512;  // open files; below the usual limit of 1,024
  using Order = std::list<std::pair<std::string, StoredPointer>>;

  std::mutex mutex_;
  std::uint64_t epoch_ = 0;  // counts what was forgotten
  Order order_;              // newest first
  std::unordered_map<std::string, Order::iterator> by_key_;
};

// No alias holds a slash.
inline std::string variant_key(const Sha256& of, const std::string& key) {
  return of.hex() + '/' + key;
}

}  // namespace portcullis::media

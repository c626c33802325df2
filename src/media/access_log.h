// media/access_log.h: what was asked for since it was last written down. Private to the room.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"

namespace portcullis::media {

// Thread-safe. Bounded: beyond kMost different ones, the rest of an interval is not noted.
class AccessLog {
 public:
  void note_proxied(const std::string& url, WallTime now) { note({url, {}, {}, now}); }
  void note_variant(const Sha256& of, const std::string& key, WallTime now) {
    note({{}, of, key, now});
  }
  std::vector<store::Access> take() {
    std::map<Key, store::Access> noted;
    {
      const std::scoped_lock lock(mutex_);
      noted.swap(noted_);
    }
    std::vector<store::Access> accesses;
    accesses.reserve(noted.size());
    for (auto& [key, access] : noted) accesses.push_back(std::move(access));
    return accesses;
  }

 private:
  static constexpr std::size_t kMost = 50'000;
  using Key = std::pair<std::string, std::string>;

  void note(store::Access access) {
    Key key = access.url.empty() ? Key(access.of.hex(), access.key) : Key(access.url, {});
    const std::scoped_lock lock(mutex_);
    if (const auto found = noted_.find(key); found != noted_.end())
      found->second.when = access.when;
    else if (noted_.size() < kMost)
      noted_.emplace(std::move(key), std::move(access));
  }

  std::mutex mutex_;
  std::map<Key, store::Access> noted_;
};

}  // namespace portcullis::media

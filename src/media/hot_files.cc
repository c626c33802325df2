#include "media/hot_files.h"

namespace portcullis::media {

StoredPointer HotFiles::find(const std::string& key) {
  const std::scoped_lock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return found->second->second;
}

std::uint64_t HotFiles::epoch() {
  const std::scoped_lock lock(mutex_);
  return epoch_;
}

void HotFiles::keep(const std::string& key, StoredPointer picture, std::uint64_t epoch) {
  const std::scoped_lock lock(mutex_);
  if (epoch != epoch_ || by_key_.contains(key)) return;
  order_.emplace_front(key, std::move(picture));
  by_key_.emplace(key, order_.begin());
  if (order_.size() <= kMost) return;
  by_key_.erase(order_.back().first);
  order_.pop_back();
}

void HotFiles::forget(const std::string& key) {
  const std::scoped_lock lock(mutex_);
  ++epoch_;
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  order_.erase(found->second);
  by_key_.erase(found);
}

void HotFiles::clear() {
  const std::scoped_lock lock(mutex_);
  ++epoch_;
  by_key_.clear();
  order_.clear();
}

}  // namespace portcullis::media

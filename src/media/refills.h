// media/refills.h: how fast purged pictures may be fetched again. Private to the room.
#pragma once

#include <chrono>
#include <mutex>

#include "base/clock.h"

namespace portcullis::media {

// After a purge the old posts still name what was purged: a crawler that walks through them must
// not bring it all back. A bucket of tokens; thread-safe.
class Refills {
 public:
  static constexpr int kMost = 20;
  static constexpr std::chrono::seconds kEach{3};

  explicit Refills(SteadyTime now) : full_at_(now) {}

  bool may_refill(SteadyTime now) {
    const std::scoped_lock lock(mutex_);
    const SteadyTime full_at = std::max(full_at_, now) + kEach;
    if (full_at - now > kEach * kMost) return false;
    full_at_ = full_at;
    return true;
  }

 private:
  std::mutex mutex_;
  SteadyTime full_at_;  // when the bucket is full again
};

}  // namespace portcullis::media

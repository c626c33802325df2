// testing/power.h: whether a simulated machine still has power. Each change to a disk takes a step;
// when the steps are used up nothing happens any more, as for a machine that went dark.
// Thread-safe.
#pragma once

#include <mutex>

namespace portcullis::testing {

class Power {
 public:
  void stop_after(int steps) {
    const std::scoped_lock lock(mutex_);
    left_ = steps;
  }
  void restore() { stop_after(-1); }

  bool is_on() const {
    const std::scoped_lock lock(mutex_);
    return left_ != 0;
  }
  // False: the power is gone.
  bool take_step() {
    const std::scoped_lock lock(mutex_);
    if (left_ == 0) return false;
    if (left_ > 0) --left_;
    return true;
  }

 private:
  mutable std::mutex mutex_;
  int left_ = -1;  // without end
};

}  // namespace portcullis::testing

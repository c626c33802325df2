// app/pace.h: how fast a long work may go. Private to this room.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace portcullis::app {

// At most so many a second; 0: as fast as it goes.
class Pace {
 public:
  static constexpr std::size_t kBatch = 500;

  explicit Pace(double rate) : rate_(rate) {}

  // How many to take at once.
  std::size_t batch() const {
    if (rate_ <= 0) return kBatch;
    return std::clamp<std::size_t>(static_cast<std::size_t>(rate_ / 4), 1, kBatch);
  }
  // Waits until the next may be taken.
  void did(std::size_t count) {
    if (rate_ <= 0) return;
    const std::chrono::duration<double> worth(static_cast<double>(count) / rate_);
    next_ = std::max(next_, Clock::now()) + std::chrono::duration_cast<Clock::duration>(worth);
    std::this_thread::sleep_until(next_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  const double rate_;
  Clock::time_point next_ = Clock::now();
};

}  // namespace portcullis::app

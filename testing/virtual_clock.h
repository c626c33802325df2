// testing/virtual_clock.h: a clock that moves only when a test says so. Thread-safe.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace portcullis::testing {

class VirtualClock final : public Clock {
 public:
  // Starts at 2026-01-01T00:00:00Z.
  WallTime now() const override { return WallTime{std::chrono::seconds{1'767'225'600}} + passed(); }
  SteadyTime steady() const override { return SteadyTime{} + passed(); }
  void advance(std::chrono::microseconds by) { passed_ += by.count(); }

 private:
  std::chrono::microseconds passed() const { return std::chrono::microseconds{passed_.load()}; }
  std::atomic<std::int64_t> passed_{0};
};

}  // namespace portcullis::testing

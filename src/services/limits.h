// services/limits.h: whether a service is asked at all: its budget and its breaker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace portcullis::services {

enum class Admission { yes, over_budget, resting };

// Budget: a bucket that holds a minute's worth and fills evenly. Breaker: after `failures` in a row
// nothing is asked for `rest`; then one picture is, and what becomes of it decides; if nothing is
// heard of it, another one after a further `rest`. Thread-safe. Times never go back.
class Limits {
 public:
  struct Options {
    std::uint32_t per_minute = 1;
    std::uint32_t failures = 1;
    SteadyTime::duration rest{};
  };
  Limits(Options options, SteadyTime now);

  // For a picture that needs so many requests; takes them off the budget if the answer is yes.
  Admission admit(std::size_t requests, SteadyTime now);
  // How the asking for one picture ended: the service answered, in whatever way; or it did not.
  void succeeded();
  void failed(SteadyTime now);

  bool is_resting() const;

 private:
  const Options options_;
  const SteadyTime::duration interval_;  // in which one request's worth flows in
  mutable std::mutex mutex_;
  SteadyTime full_at_;          // when the bucket is full again
  std::uint32_t failures_ = 0;  // in a row
  SteadyTime rests_until_;      // while failures_ has reached the limit
};

}  // namespace portcullis::services

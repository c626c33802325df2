#include "services/limits.h"

#include <algorithm>

namespace portcullis::services {

namespace {

using Duration = SteadyTime::duration;

Duration interval(std::uint32_t per_minute) {
  return Duration(std::chrono::minutes(1)) / per_minute;
}

}  // namespace

Limits::Limits(Options options, SteadyTime now)
    : options_(options),
      interval_(interval(std::max(options.per_minute, 1u))),
      full_at_(now),
      rests_until_(now) {}

// The bucket is kept as the time at which it is full again: all in whole numbers.
Admission Limits::admit(std::size_t requests, SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  if (failures_ >= options_.failures && now < rests_until_) return Admission::resting;
  if (requests > options_.per_minute) return Admission::over_budget;
  const SteadyTime full_at =
      std::max(full_at_, now) + interval_ * static_cast<Duration::rep>(requests);
  if (full_at - now > interval_ * options_.per_minute) return Admission::over_budget;
  full_at_ = full_at;
  if (failures_ >= options_.failures) rests_until_ = now + options_.rest;  // this one tries it
  return Admission::yes;
}

void Limits::succeeded() {
  const std::scoped_lock lock(mutex_);
  failures_ = 0;
}

void Limits::failed(SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  failures_ = std::min(failures_ + 1, options_.failures);
  if (failures_ == options_.failures) rests_until_ = now + options_.rest;
}

bool Limits::is_resting() const {
  const std::scoped_lock lock(mutex_);
  return failures_ >= options_.failures;
}

}  // namespace portcullis::services

// base/clock.h: time is a parameter. Product code asks the Clock& it was given; tests hand in
// testing/virtual_clock.h.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace portcullis {

using WallTime = std::chrono::sys_time<std::chrono::microseconds>;  // UTC
using SteadyTime = std::chrono::steady_clock::time_point;  // for deadlines; never goes back
using Deadline = SteadyTime;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;
  virtual SteadyTime steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime now() const override;
  SteadyTime steady() const override;
};

// "2026-11-24T18:10:59.123456Z"
std::string rfc3339(WallTime time);
// The same backwards, with or without a fraction, and with an offset if need be. Pure.
std::optional<WallTime> parse_rfc3339(std::string_view text);
// "Tue, 24 Nov 2026 18:10:59 GMT", as HTTP's dates are written (RFC 9110 §5.6.7).
std::string http_date(WallTime time);

}  // namespace portcullis

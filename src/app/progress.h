// app/progress.h: how far a long work is, on a terminal: done, total, rate, time left. Elsewhere a
// plain line now and then.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace portcullis::app {

// "Rescan  1,200 of 5,000  24 %  80/s  48 s left  3 found"; `per_second` 0: not known yet.
std::string progress_line(std::string_view what, std::uint64_t done, std::uint64_t total,
                          double per_second, std::string_view more);

// Writes to standard error. Not thread-safe.
class ProgressBar {
 public:
  // `is_wanted` false: says nothing at all.
  ProgressBar(std::string what, bool is_wanted);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(std::uint64_t done, std::uint64_t total, std::string_view more = {});
  // Takes the line away, before something else is written.
  void clear();

 private:
  using Time = std::chrono::steady_clock::time_point;
  const std::string what_;
  const bool is_wanted_, is_terminal_;
  Time begun_{}, shown_{};
  std::uint64_t done_at_begin_ = 0;
  bool is_shown_ = false;
};

}  // namespace portcullis::app

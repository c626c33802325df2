#include "app/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace portcullis::app {

namespace {

constexpr std::chrono::milliseconds kOnTerminal{100};
constexpr std::chrono::seconds kElsewhere{30};

// 1234567 as "1,234,567"
std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string time_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
  if (whole < 120) return fmt::format("{} s", whole);
  if (whole < 7200) return fmt::format("{} min", whole / 60);
  return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

}  // namespace

std::string progress_line(std::string_view what, std::uint64_t done, std::uint64_t total,
                          double per_second, std::string_view more) {
  std::string line = fmt::format("{}  {} of {}", what, grouped(done), grouped(total));
  if (total > 0) line += fmt::format("  {} %", 100 * std::min(done, total) / total);
  if (per_second > 0) {
    line += fmt::format("  {:.3g}/s", per_second);
    if (done < total)
      line += fmt::format("  {} left", time_text(static_cast<double>(total - done) / per_second));
  }
  if (!more.empty()) line += fmt::format("  {}", more);
  return line;
}

ProgressBar::ProgressBar(std::string what, bool is_wanted)
    : what_(std::move(what)), is_wanted_(is_wanted), is_terminal_(::isatty(STDERR_FILENO) != 0) {}

void ProgressBar::show(std::uint64_t done, std::uint64_t total, std::string_view more) {
  if (!is_wanted_) return;
  const Time now = std::chrono::steady_clock::now();
  if (begun_ == Time{}) {
    begun_ = shown_ = now;
    done_at_begin_ = done;
    if (!is_terminal_) return;
  } else if (now - shown_ < (is_terminal_ ? std::chrono::seconds::zero() + kOnTerminal
                                          : std::chrono::milliseconds(kElsewhere))) {
    return;
  }
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - done_at_begin_) / seconds : 0;
  const std::string line = progress_line(what_, done, total, rate, more);
  if (is_terminal_)
    std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
  else
    std::fprintf(stderr, "%s\n", line.c_str());
  is_shown_ = is_terminal_;
}

void ProgressBar::clear() {
  if (is_shown_) std::fputs("\r\x1b[K", stderr);
  is_shown_ = false;
}

}  // namespace portcullis::app

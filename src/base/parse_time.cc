#include <optional>
#include <string_view>

#include "base/clock.h"

namespace portcullis {

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  const auto number = [&](std::size_t at, std::size_t digits) -> std::optional<int> {
    if (text.size() < at + digits) return std::nullopt;
    const auto part = text.substr(at, digits);
    if (part.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    int value = 0;
    for (const char digit : part) value = value * 10 + (digit - '0');
    return value;
  };
  const auto is = [&](std::size_t at, std::string_view any) {
    return at < text.size() && any.find(text[at]) != std::string_view::npos;
  };
  const auto year = number(0, 4), month = number(5, 2), day = number(8, 2), hour = number(11, 2),
             minute = number(14, 2), second = number(17, 2);
  if (!year || !month || !day || !hour || !minute || !second || !is(4, "-") || !is(7, "-") ||
      !is(10, "Tt ") || !is(13, ":") || !is(16, ":"))
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::size_t at = 19;
  std::int64_t micros = 0;
  if (is(at, ".")) {
    std::int64_t unit = 100'000;
    const std::size_t first = ++at;
    for (; is(at, "0123456789"); ++at, unit /= 10) micros += unit * (text[at] - '0');
    if (at == first) return std::nullopt;
  }
  int offset = 0;  // minutes
  if (is(at, "Zz")) {
    ++at;
  } else if (is(at, "+-")) {
    const auto hours = number(at + 1, 2), minutes = number(at + 4, 2);
    if (!hours || !minutes || !is(at + 3, ":") || *hours > 23 || *minutes > 59) return std::nullopt;
    offset = (*hours * 60 + *minutes) * (text[at] == '-' ? -1 : 1);
    at += 6;
  } else {
    return std::nullopt;
  }
  if (at != text.size()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute - offset) + std::chrono::seconds(*second) +
         std::chrono::microseconds(micros);
}

}  // namespace portcullis

#include "media/range.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>

#include "base/bytes.h"

namespace portcullis::media {

namespace {

// All digits, and no more than a file can have.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return UINT64_MAX;
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

}  // namespace

Range parse_range(std::string_view value, std::uint64_t size) {
  value = trim(value);
  if (value.empty()) return {};
  const auto equals = value.find('=');
  if (equals == std::string_view::npos) return {};
  if (!ascii_equal_ignoring_case(trim(value.substr(0, equals)), "bytes"))
    return {Range::Kind::several, 0, 0};
  const std::string_view set = trim(value.substr(equals + 1));
  if (set.find(',') != std::string_view::npos) return {Range::Kind::several, 0, 0};
  const auto dash = set.find('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view first = trim(set.substr(0, dash)), last = trim(set.substr(dash + 1));

  if (first.empty()) {  // the last `n` bytes
    const auto n = number(last);
    if (!n) return {};
    if (*n == 0 || size == 0) return {Range::Kind::unsatisfiable, 0, 0};
    const std::uint64_t length = std::min(*n, size);
    return {Range::Kind::part, size - length, length};
  }
  const auto begin = number(first);
  const auto end = last.empty() ? std::optional(UINT64_MAX) : number(last);
  if (!begin || !end || *end < *begin) return {};
  if (*begin >= size) return {Range::Kind::unsatisfiable, 0, 0};
  return {Range::Kind::part, *begin, std::min(*end, size - 1) - *begin + 1};
}

bool etag_listed(std::string_view value, std::string_view etag) {
  if (trim(value) == "*") return true;
  while (!value.empty()) {
    const auto comma = value.find(',');
    std::string_view one = trim(value.substr(0, comma));
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == etag) return true;
    if (comma == std::string_view::npos) break;
    value.remove_prefix(comma + 1);
  }
  return false;
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  const std::string copy(trim(text));
  std::tm parts{};
  const char* end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (!end || *end != '\0') return std::nullopt;
  return WallTime{std::chrono::seconds{::timegm(&parts)}};
}

}  // namespace portcullis::media

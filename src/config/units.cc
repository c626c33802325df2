#include "config/units.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <span>

#include "config/config.h"

namespace portcullis::config {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit kSizes[] = {
    {"B", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40}};
constexpr Unit kTimes[] = {
    {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr std::uint64_t kLongestMilliseconds = 1'000'000'000'000;

std::optional<std::uint64_t> amount(std::string_view text, std::span<const Unit> units) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{}) return std::nullopt;
  std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const auto& [name, factor] : units) {
    if (unit != name) continue;
    if (number > UINT64_MAX / factor) return std::nullopt;
    return number * factor;
  }
  return std::nullopt;
}

// The largest unit that divides `number`; the smallest for 0.
Unit best_unit(std::uint64_t number, std::span<const Unit> units) {
  Unit best = units.front();
  for (const Unit& unit : units)
    if (number != 0 && number % unit.factor == 0) best = unit;
  return best;
}

}  // namespace

std::optional<std::uint64_t> bytes_from(std::string_view text) { return amount(text, kSizes); }

std::string bytes_text(std::uint64_t bytes) {
  const Unit unit = best_unit(bytes, kSizes);
  return fmt::format("{} {}", bytes / unit.factor, unit.name);
}

std::optional<std::chrono::milliseconds> duration_from(std::string_view text) {
  const auto milliseconds = amount(text, kTimes);
  if (!milliseconds || *milliseconds > kLongestMilliseconds) return std::nullopt;
  return std::chrono::milliseconds(*milliseconds);
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  if (const auto duration = duration_from(text)) return *duration;
  return fail(Fault::client, "\"{}\" is no length of time: write e.g. 90s, 30m, 2h or 7d", text);
}

std::string duration_text(std::chrono::milliseconds duration) {
  const auto milliseconds = static_cast<std::uint64_t>(duration.count());
  const Unit unit = best_unit(milliseconds, kTimes);
  return fmt::format("{}{}", milliseconds / unit.factor, unit.name);
}

}  // namespace portcullis::config

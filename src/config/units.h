// config/units.h: sizes and times with their units. Private to the room.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace portcullis::config {

// "40 MiB", "512KiB", "0 B": a whole number and a unit. Nothing when it is anything else or does
// not fit.
std::optional<std::uint64_t> bytes_from(std::string_view text);
// In the largest unit that leaves a whole number.
std::string bytes_text(std::uint64_t bytes);

// "250ms", "30s", "15 m", "25h", "1d": likewise; at most some 30 years.
std::optional<std::chrono::milliseconds> duration_from(std::string_view text);
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace portcullis::config

// base/bytes.h: spans of bytes, hexadecimal, constant-time comparison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis {

using ByteView = std::span<const std::byte>;
using Bytes = std::vector<std::byte>;

inline ByteView as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);
// Either case; nothing else, and only an even number of digits.
std::optional<Bytes> from_hex(std::string_view text);

// Equal or not, in a time that depends only on the lengths. For keys and tokens.
bool equal_constant_time(std::string_view a, std::string_view b);

// ASCII only, whatever the locale.
std::string ascii_lower(std::string_view text);
bool ascii_equal_ignoring_case(std::string_view a, std::string_view b);
std::string_view trim(std::string_view text);

}  // namespace portcullis

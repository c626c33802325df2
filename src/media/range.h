// media/range.h: byte ranges and conditional requests (RFC 9110 §13, §14), as pict-rs's clients use
// them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace portcullis::media {

struct Range {
  enum class Kind {
    whole,          // none asked for, or a value that is not understood
    part,           // offset, length
    unsatisfiable,  // begins after the end
    several,        // more than one, or another unit
  };
  Kind kind = Kind::whole;
  std::uint64_t offset = 0, length = 0;
  bool operator==(const Range&) const = default;
};
// `value` of the Range header for something of `size` bytes.
Range parse_range(std::string_view value, std::uint64_t size);

// Whether an If-None-Match value names `etag` (with its quotes); weak comparison.
bool etag_listed(std::string_view value, std::string_view etag);

// "Tue, 24 Nov 2026 18:10:59 GMT"; other forms are not understood.
std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace portcullis::media

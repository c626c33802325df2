// policy/exact_json.h: JSON to values, strictly. Private to the room.
#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "base/result.h"

namespace portcullis::policy {

// boost::json::parse would read some numbers off by one in the last digit (it does before
// Boost 1.83) and would take the last of two equal keys. Here numbers are the nearest double, and a
// doubled key is an error.
Result<boost::json::value> parse_json_exactly(std::string_view json);

}  // namespace portcullis::policy

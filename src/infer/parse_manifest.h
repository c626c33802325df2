// infer/parse_manifest.h: model.toml's text as a Manifest. Private to this room.
#pragma once

#include <string>
#include <string_view>

#include "infer/infer.h"

namespace portcullis::infer {

// Strict: unknown keys, missing keys and wrong types are errors that say source:line:column.
Result<Manifest> parse_manifest(std::string_view text, const std::string& source);

// Output values as scores, if they can be trusted: as many as labels, all finite and within 0..1 (a
// little beyond is rounding and is cut off).
Result<Scores> checked_scores(std::span<const float> values,
                              const std::vector<std::string>& labels);

}  // namespace portcullis::infer

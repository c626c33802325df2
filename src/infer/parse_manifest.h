// infer/parse_manifest.h: model.toml's text as a Manifest. Private to this room.
#pragma once

#include <string>
#include <string_view>

#include "infer/infer.h"

namespace portcullis::infer {

// Strict: unknown keys, missing keys and wrong types are errors that say source:line:column.
Result<Manifest> parse_manifest(std::string_view text, const std::string& source);

}  // namespace portcullis::infer

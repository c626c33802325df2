// app/secret.h: secrets that stand elsewhere than in the config.
#pragma once

#include <string>

#include "base/result.h"

namespace portcullis::app {

// `where` is "env:NAME" or "file:PATH", a file that holds the secret alone and that not everybody
// may read; empty: no secret. An error never tells it. Blocks.
Result<std::string> load_secret(const std::string& where);

}  // namespace portcullis::app

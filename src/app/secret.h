// app/secret.h: secrets that stand elsewhere than in the config or on a command line. Private to
// this room.
#pragma once

#include <string>

#include "base/result.h"

namespace portcullis::app {

// What "env:NAME" or "file:PATH" stands for, whole. A file that anybody may read is refused. No
// error repeats it. Fault::client. Blocks.
Result<std::string> read_secret(const std::string& where);
// The same, trimmed; or the text itself when it is neither.
Result<std::string> secret_or_text(const std::string& text);
// The same as read_secret() for one word of visible ASCII characters, trimmed; empty for an empty
// `where`.
Result<std::string> load_secret(const std::string& where);

}  // namespace portcullis::app

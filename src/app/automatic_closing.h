// app/automatic_closing.h: uploads close by themselves when too much is refused.
#pragma once

#include "config/config.h"
#include "store/store.h"

namespace portcullis::app {

// After a refusal by `rule`: closes uploads if one of `limits` that is for this rule is reached.
// Gives the sentence for whoever should know; nothing when nothing was closed. Blocks.
Result<std::optional<std::string>> close_if_too_many(
    store::Store& store, const std::vector<config::CloseUploads>& limits, const std::string& rule,
    WallTime now);

}  // namespace portcullis::app

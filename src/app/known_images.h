// app/known_images.h: whether a stored picture is on a list, by what is written down of it.
#pragma once

#include "app/engine.h"

namespace portcullis::app {

// The detail of the first match ("exact match in csam/x") that some list signal of today's policy
// has for one of the originals; nothing when none has, or when nothing is written down of them.
// Looks at no file and asks nobody outside. Blocks.
std::optional<std::string> on_a_list(const scan::Ruleset& ruleset,
                                     const std::vector<store::RenditionRecord>& originals);

bool has_lists(const policy::Policy& policy);

}  // namespace portcullis::app

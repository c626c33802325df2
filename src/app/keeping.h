// app/keeping.h: the keeper of sealed originals, as the config wants it.
#pragma once

#include "app/places.h"
#include "evidence/evidence.h"

namespace portcullis::app {

// An error names the key that is wrong.
Result<evidence::Keeper::Options> keeper_options(const config::Config& config,
                                                 const DataFolder& data);

}  // namespace portcullis::app

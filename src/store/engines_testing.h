// store/engines_testing.h: the databases that the conformance suites run on. A new one is one more
// line.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "store/store.h"

namespace portcullis::store {

struct Engine {
  const char* name;
  std::function<Result<std::unique_ptr<Store>>(const std::filesystem::path& folder,
                                               const Clock& clock)>
      open;
};

inline const auto kEngines =
    ::testing::Values(Engine{"sqlite", [](const std::filesystem::path& folder, const Clock& clock) {
                               return open_sqlite({.file = folder / "store.sqlite"}, clock);
                             }});
inline const auto kEngineName = [](const auto& info) { return std::string(info.param.name); };

}  // namespace portcullis::store

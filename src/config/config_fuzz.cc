// Any text either fails to parse with a place in the error, or gives a config that comes back the
// same from what to_toml() writes.
#include <cstdint>
#include <cstdlib>

#include "config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis::config;
  const auto config = parse({reinterpret_cast<const char*>(data), size}, "/c");
  if (!config) {
    if (!config.error().what.starts_with("/c:")) std::abort();
    return 0;
  }
  const auto again = parse(to_toml(*config), "/c");
  if (!again || *again != *config) std::abort();
  return 0;
}

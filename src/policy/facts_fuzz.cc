// Any text either fails to be read, or gives facts that come back the same from their own record.
#include <cstdint>
#include <cstdlib>

#include "policy/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis::policy;
  const auto facts = facts_from_json({reinterpret_cast<const char*>(data), size});
  if (!facts) return 0;
  const std::string json = to_json(*facts);
  const auto back = facts_from_json(json);
  if (!back || *back != *facts || to_json(*back) != json) std::abort();
  return 0;
}

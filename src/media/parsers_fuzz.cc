// What stands in an address of this site is an alias or another address, not both; a time that was
// read is written as one that reads the same.
#include <cstdint>
#include <cstdlib>

#include "media/internal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const media::OwnUrl own = media::own_url(text);
  if (!own.alias.empty() && (!own.remote.empty() || !is_alias(own.alias))) std::abort();
  const auto time = parse_rfc3339(text);
  if (time && parse_rfc3339(rfc3339(*time)) != time) std::abort();
  return 0;
}

// A range that is served lies within the file, whatever was asked.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "media/range.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis::media;
  std::uint64_t file = 0;
  if (size < sizeof file) return 0;
  std::memcpy(&file, data, sizeof file);
  const std::string_view value(reinterpret_cast<const char*>(data) + sizeof file,
                               size - sizeof file);
  for (const std::uint64_t length : {file, file % 1000, std::uint64_t{0}}) {
    const Range range = parse_range(value, length);
    if (range.kind != Range::Kind::part) continue;
    if (range.length == 0 || range.offset >= length || range.length > length - range.offset)
      std::abort();
  }
  etag_listed(value, "\"0123\"");
  parse_http_date(value);
  return 0;
}

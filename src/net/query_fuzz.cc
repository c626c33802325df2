// Decoding percent escapes and queries: encoding again gives the same bytes, and no value appears
// from nowhere.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "net/net.h"
#include "net/parameters.h"

using namespace portcullis;
using namespace portcullis::net;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  PORTCULLIS_CHECK(percent_decode(percent_encode(text)) == text);
  if (const auto decoded = percent_decode(text)) {
    const auto escapes = static_cast<std::size_t>(std::ranges::count(text, '%'));
    PORTCULLIS_CHECK(decoded->size() + 2 * escapes == text.size());
  }
  const std::string_view key = text.substr(0, std::min<std::size_t>(text.size(), 3));
  const auto values = query_values(text, key);
  PORTCULLIS_CHECK(values.size() <= static_cast<std::size_t>(std::ranges::count(text, '&')) + 1);
  const auto own = query_values(percent_encode(key) + "=" + percent_encode(text), key);
  PORTCULLIS_CHECK(own.size() == 1 && own[0] == text);

  if (const auto parameters = parse_parameters(text))
    for (const auto& [name, value] : parameters->named)
      PORTCULLIS_CHECK(parameters->find(name) == value && value.size() <= text.size());
  return 0;
}

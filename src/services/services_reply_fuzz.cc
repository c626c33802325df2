// The first byte says whose reply the rest is. A reply is read or is an error; what is read holds
// together.
#include <cstddef>
#include <cstdint>

#include "services/replies.h"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto found = [&]() -> Result<services::Finding> {
    switch (data[0]) {
      case 'h':
        return services::read_hma_lookup(text);
      case 'p':
        return services::read_arachnid_pdq(text, {"a", "b"});
      case 'm':
        return services::read_arachnid_media(text);
      default:
        return services::read_photodna_match(text);
    }
  }();
  if (!found) {
    PORTCULLIS_CHECK(!found.error().what.empty());
    PORTCULLIS_CHECK(found.error().fault == Fault::upstream ||
                     found.error().fault == Fault::client);
    return 0;
  }
  PORTCULLIS_CHECK(found->detail.size() <= 1'000);
  if (!found->match)
    PORTCULLIS_CHECK(!found->exact && found->labels.empty() && found->detail.empty());
  return 0;
}

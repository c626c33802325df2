// A reply is read or is an error; whatever is read may be put into an address or a path.
#include <cstddef>
#include <cstdint>

#include "base/id.h"
#include "pictrs/pictrs.h"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto page = pictrs::parse_page(text))
    for (const pictrs::Entry& entry : page->entries)
      for (const std::string& alias : entry.aliases) PORTCULLIS_CHECK(is_alias(alias));
  if (const auto aliases = pictrs::parse_aliases(text))
    for (const std::string& alias : *aliases) PORTCULLIS_CHECK(is_alias(alias));
  if (const auto path = pictrs::parse_identifier(text)) {
    PORTCULLIS_CHECK(pictrs::is_identifier(*path));
    PORTCULLIS_CHECK(!path->starts_with('/') && !("/" + *path + "/").contains("/../"));
  }
  if (const auto details = pictrs::parse_details(text))
    PORTCULLIS_CHECK(details->content_type.size() <= 100);
  if (const auto key = pictrs::FileKey::from_base64(text))
    PORTCULLIS_CHECK(key->size < (std::uint64_t{1} << 48));
  return 0;
}

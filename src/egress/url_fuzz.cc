// Whatever is taken for a URL leads somewhere over http, carries no credentials, and means the same
// when it is read again.
#include <cstdint>
#include <cstdlib>

#include "egress/egress.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis::egress;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)Network::parse(text);
  const auto url = parse_url(text);
  if (!url) return 0;
  if (url->host.empty() || url->text.find('#') != std::string::npos) std::abort();
  if (!url->text.starts_with("http://") && !url->text.starts_with("https://")) std::abort();
  const auto authority = url->text.substr(0, url->text.find('/', 8));
  if (authority.find('@') != std::string::npos) std::abort();
  const auto again = parse_url(url->text);
  if (!again || *again != *url) std::abort();
  return 0;
}

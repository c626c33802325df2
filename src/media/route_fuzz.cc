// What a stranger writes into a request line never becomes an alias with a path in it, and a
// relayed request never reaches more than a direct one.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "media/routes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis::media;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto mark = text.find('?');
  const std::string_view path = text.substr(0, mark);
  const std::string_view query =
      mark == std::string_view::npos ? std::string_view() : text.substr(mark + 1);
  for (const std::string_view method : {"GET", "HEAD", "POST", "DELETE"}) {
    const Route direct = route(method, path, query, "", false);
    const Route relayed = route(method, path, query, "", true);
    for (const Route& found : {direct, relayed}) {
      if (!found.alias.empty() && !portcullis::is_alias(found.alias)) std::abort();
      if (found.alias.find('/') != std::string::npos || found.alias == "..") std::abort();
    }
    if (relayed.action != Action::nothing && relayed != direct) std::abort();
    switch (relayed.action) {
      case Action::nothing:
      case Action::original:
      case Action::process:
      case Action::upload:
      case Action::health:
        break;
      default:
        std::abort();
    }
    if (!relayed.alias.empty() && !relayed.url.empty()) std::abort();
  }
  return 0;
}

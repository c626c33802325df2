// A network contains the address that it is written with; an address that is written again is the
// same; what a network of one family contains is of that family.
#include <cstdint>
#include <cstdlib>

#include "egress/egress.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis;
  using egress::is_public;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto address = IpAddress::parse(text)) {
    (void)is_public(*address);
    if (IpAddress::parse(address->text()) != address) std::abort();
  }
  const auto network = Network::parse(text);
  if (!network) return 0;
  const auto address = IpAddress::parse(text.substr(0, text.find('/')));
  if (!address || !network->contains(*address)) std::abort();
  const auto other = IpAddress::parse(address->is_v4() ? "2001:db8::1" : "127.0.0.1");
  if (!other || network->contains(*other)) std::abort();
  return 0;
}

// However a head is put together: what was taken is no longer than a head may be, and one that was
// refused for its length stays refused.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "egress/head.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using portcullis::egress::Head;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Head head;
  std::size_t taken = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
    text.remove_prefix(line.size());
    if (!head.add(line)) return 0;
    taken += line.size();
    if (taken > Head::kMostBytes || head.location().size() > taken) std::abort();
    if (line == "\n") head.begin_again();
  }
  return 0;
}

// Whatever a page holds: what is found is no longer than the page, and is found again in a page
// that says just that.
#include <cstdint>
#include <cstdlib>

#include "lemmy/lemmy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis::lemmy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string image = page_image(text);
  if (image.size() > size) std::abort();
  if (activity_image(text).size() > size) std::abort();
  if (!image.empty() && image.find_first_of("\"&") == std::string::npos &&
      page_image("<meta property=\"og:image\" content=\"" + image + "\">") != image)
    std::abort();
  return 0;
}

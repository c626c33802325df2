// Whatever is asked for, what is taken keeps to its bounds and names one variant.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "image/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  image::Parameters parameters;
  while (!text.empty()) {
    const auto pair = text.substr(0, text.find('&'));
    const auto equals = std::min(pair.find('='), pair.size());
    parameters.emplace_back(pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size())));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
  }
  (void)image::wishes_from(parameters);
  const auto variant =
      image::variant_from("webp", parameters, {"blur", "crop", "identity", "resize", "thumbnail"});
  if (!variant) return 0;
  const auto& operations = variant->rendering.operations;
  if (operations.size() > decoder::kMaxOperations) std::abort();
  const decoder::Size before{1200, 800}, after = decoder::size_after(operations, before);
  if (after.width == 0 || after.height == 0 || after.width > before.width ||
      after.height > before.height)
    std::abort();
  return 0;
}

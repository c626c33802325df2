// A stranger's animation is decoded or refused; what is made of it has the same frames.
#include "decoder/worker/apng.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis;
  using namespace portcullis::decoder;
  static const bool started = (start_vips(), true);
  (void)started;
  const auto apng = read_apng({reinterpret_cast<const std::byte*>(data), size}, 20);
  if (!apng || std::uint64_t{apng->width} * apng->height > 100'000) return 0;
  try {
    const Frames frames = decode_apng(*apng);
    const auto again = read_apng(encode_apng(frames), 20);
    if (!again || again->delays.size() != apng->delays.size()) std::abort();
  } catch (const NotTaken&) {
  }
  return 0;
}

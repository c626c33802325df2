// Walking a stranger's file ends, and says nothing that its bytes cannot bear out.
#include <cstdint>
#include <cstdlib>

#include "decoder/containers.h"
#include "decoder/sniff.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis;
  using namespace portcullis::decoder;
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  sniff(bytes);
  is_animated_png(bytes);
  is_progressive_jpeg(bytes);
  is_lossless_webp(bytes);
  holds_only_av1(bytes);
  for (std::size_t place = 2, end = 0; (end = jpeg_segment_end(bytes, place)) != 0; place = end)
    if (end > size || end < place + 4) std::abort();
  const GifBlocks gif = walk_gif(bytes);
  if (gif.frames > size / 11 || (gif.whole && size < 14)) std::abort();
  return 0;
}

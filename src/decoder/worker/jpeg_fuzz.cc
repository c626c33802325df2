// A stranger's JPEG is put together anew, or it is not. What is: has the same coefficients, holds a
// beginning, an end and no segment but those that a decoder needs, and becomes itself when that is
// done to it again.
#include "decoder/worker/jpeg.h"

#include <turbojpeg.h>

#include <cstdlib>
#include <vector>

#include "decoder/containers.h"

namespace {

using namespace portcullis;
using namespace portcullis::decoder;

bool is_small(ByteView bytes) {
  void* handle = tjInitDecompress();
  int width = 0, height = 0, sampling = 0, colours = 0;
  const int failed = tjDecompressHeader3(
      handle, reinterpret_cast<const unsigned char*>(bytes.data()),
      static_cast<unsigned long>(bytes.size()), &width, &height, &sampling, &colours);
  tjDestroy(handle);
  return failed == 0 && std::int64_t{width} * height <= 65'536;
}

// JFIF's or Adobe's, whose few bytes libjpeg writes itself, and what coded data need.
bool is_needed(unsigned marker) {
  return marker == 0xE0 || marker == 0xEE || (marker >= 0xC0 && marker <= 0xC4) || marker == 0xDB ||
         marker == 0xDA || marker == 0xDD;
}

// All coefficients in order.
std::vector<short> coefficients_of(ByteView bytes) {
  std::vector<short> all;
  tjtransform transform{};
  transform.options = TJXOPT_NOOUTPUT;
  transform.data = &all;
  transform.customFilter = [](short* row, tjregion place, tjregion, int, int, tjtransform* self) {
    auto& into = *static_cast<std::vector<short>*>(self->data);
    into.insert(into.end(), row, row + std::ptrdiff_t{place.w} * place.h);
    return 0;
  };
  void* handle = tjInitTransform();
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  (void)tjTransform(handle, reinterpret_cast<const unsigned char*>(bytes.data()),
                    static_cast<unsigned long>(bytes.size()), 1, &buffer, &size, &transform,
                    TJFLAG_LIMITSCANS);
  tjFree(buffer);
  tjDestroy(handle);
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const int orientation = 1 + data[size - 1] % 8;
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size - 1);
  if (!is_small(bytes)) return 0;
  const auto rebuilt = rebuild_jpeg(bytes, orientation);
  if (!rebuilt) return 0;
  if (!as_text(*rebuilt).starts_with("\xFF\xD8") || !as_text(*rebuilt).ends_with("\xFF\xD9"))
    std::abort();
  std::size_t place = 2;
  while (const std::size_t end = jpeg_segment_end(*rebuilt, place)) {
    const auto marker = std::to_integer<unsigned>((*rebuilt)[place + 1]);
    if (!is_needed(marker) || ((marker == 0xE0 || marker == 0xEE) && end - place > 18))
      std::abort();
    if (marker == 0xDA) break;
    place = end;
  }
  if (rebuild_jpeg(*rebuilt, 1) != rebuilt) std::abort();
  if (orientation == 1 && coefficients_of(bytes) != coefficients_of(*rebuilt)) std::abort();
  if (!as_text(with_profile(*rebuilt, bytes.first(std::min<std::size_t>(bytes.size(), 500))))
           .ends_with("\xFF\xD9"))
    std::abort();
  return 0;
}

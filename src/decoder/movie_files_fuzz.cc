// Walking a stranger's film, its samples and an animation's chunks ends, and takes nothing that the
// bytes cannot bear out.
#include "decoder/movie_files.h"

#include <cstdint>
#include <cstdlib>

#include "decoder/apng_chunks.h"
#include "decoder/coded_video.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis;
  using namespace portcullis::decoder;
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  if (const auto outline = read_mp4_outline(bytes, 900);
      outline && (outline->end > size || outline->movie_size > size))
    std::abort();
  if (const auto end = webm_end(bytes); end && *end > size) std::abort();
  if (const auto apng = read_apng(bytes, 900)) {
    if (apng->bytes.size() > size || apng->delays.empty()) std::abort();
    // What was kept is read the same way again.
    const auto again = read_apng(apng->bytes, 900);
    if (!again || again->bytes != apng->bytes) std::abort();
  }
  if (const auto sets = read_avcc(bytes)) {
    if (!read_avcc(write_avcc(*sets))) std::abort();
    (void)clean_h264(bytes, *sets);
  }
  if (const auto clean = clean_av1(bytes); clean && *clean_av1(*clean) != *clean) std::abort();
  (void)clean_av1c(bytes);
  (void)clean_vorbis_headers(bytes);
  return 0;
}

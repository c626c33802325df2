// A stranger's picture of any format of libvips is decoded and built anew, or refused; what is
// built is taken as the same kind of picture. Films have video_fuzz, and animated PNGs apng_fuzz.
//
// libvips and its codecs are Debian's: no coverage guides the fuzzer within them, and of their
// mistakes the address sanitizer sees those with memory that they allocate and copy.
#include <cstdlib>

#include "decoder/worker/views.h"

namespace {

using namespace portcullis;
using namespace portcullis::decoder;

// Small, because AVIF and JPEG XL are slow to write.
WireJob small_job() {
  WireJob job;
  job.formats = 0x3F;
  job.want_fingerprints = job.want_rendition = 1;
  job.view_count = 1;
  job.views[0] = {16, 16, 12, 12};
  job.image = job.animation = {160, 160, 16'384, 1u << 16, 8};
  return job;
}

std::optional<Done> done_of(ByteView bytes) {
  try {
    return do_job(bytes, small_job());
  } catch (const NotTaken&) {
  } catch (const vips::VError&) {
    vips_error_clear();
  }
  return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool started = (start_vips(), true);
  (void)started;
  const auto done = done_of({reinterpret_cast<const std::byte*>(data), size});
  if (!done || done->rendition.bytes.size() > small_job().image.max_file_size) return 0;
  const auto again = done_of(done->rendition.bytes);
  if (!again || again->head.format != done->head.format || again->width != done->width ||
      again->height != done->height || again->head.frames != done->head.frames)
    std::abort();
  return 0;
}

#include "decoder/worker/jpeg.h"

#include <turbojpeg.h>

#include <algorithm>
#include <memory>
#include <span>

#include "decoder/containers.h"
#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

namespace {

using namespace std::string_view_literals;

struct DestroyHandle {
  void operator()(void* handle) const { tjDestroy(handle); }
};
struct FreeBuffer {
  void operator()(unsigned char* buffer) const { tjFree(buffer); }
};

// EXIF's orientation as the turn that makes the picture upright.
int turn_for(int orientation) {
  constexpr int kTurns[] = {TJXOP_NONE,   TJXOP_NONE,       TJXOP_HFLIP,
                            TJXOP_ROT180, TJXOP_VFLIP,      TJXOP_TRANSPOSE,
                            TJXOP_ROT90,  TJXOP_TRANSVERSE, TJXOP_ROT270};
  return kTurns[orientation];
}

// Differences of DC have codes for 11 bits, AC coefficients for 10 (ITU-T T.81, F.1.2). A file
// whose own codes go further can be read, but libjpeg-turbo's fast encoder would write such a
// coefficient without looking and without a code, and all that follows would be read as something
// else than what was screened. `transform->data` is told.
int check_row(short* coefficients, tjregion row, tjregion, int, int, tjtransform* transform) {
  constexpr int kMost = 1023;
  const auto count = static_cast<std::ptrdiff_t>(row.w) * row.h;
  const auto [least, most] = std::ranges::minmax(std::span(coefficients, coefficients + count));
  if (least >= -kMost && most <= kMost) return 0;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const bool is_dc = i % 64 == 0;
    if (coefficients[i] > kMost || coefficients[i] < (is_dc ? -kMost - 1 : -kMost)) {
      *static_cast<bool*>(transform->data) = false;
      return -1;
    }
  }
  return 0;
}

}  // namespace

std::optional<Bytes> rebuild_jpeg(ByteView bytes, int orientation) {
  const std::unique_ptr<void, DestroyHandle> handle(tjInitTransform());
  if (!handle) return std::nullopt;
  tjtransform transform{};
  transform.op = turn_for(orientation);
  transform.options = TJXOPT_COPYNONE | TJXOPT_PERFECT;
  if (is_progressive_jpeg(bytes)) transform.options |= TJXOPT_PROGRESSIVE;
  bool can_be_coded = true;
  transform.customFilter = check_row;
  transform.data = &can_be_coded;
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  const int failed = tjTransform(handle.get(), reinterpret_cast<const unsigned char*>(bytes.data()),
                                 bytes.size(), 1, &buffer, &size, &transform, TJFLAG_LIMITSCANS);
  const std::unique_ptr<unsigned char, FreeBuffer> owned(buffer);
  if (!can_be_coded) return std::nullopt;
  // A warning (stray bytes between segments, as some cameras write) leaves a whole new stream of
  // what could be read, which is also what was looked at. Without its end there is none, e.g. when
  // a turn would lose pixels at an edge.
  const bool whole = size > 4 && buffer[size - 2] == 0xFF && buffer[size - 1] == 0xD9;
  if (!whole || (failed != 0 && tjGetErrorCode(handle.get()) != TJERR_WARNING)) return std::nullopt;
  const auto* data = reinterpret_cast<const std::byte*>(buffer);
  return Bytes(data, data + size);
}

Bytes with_profile(const Bytes& jpeg, ByteView profile) {
  const std::string_view name = "ICC_PROFILE\0\x01\x01"sv;  // the first of one part
  const std::size_t length = 2 + name.size() + profile.size();
  const std::size_t first_end = std::max<std::size_t>(2, jpeg_segment_end(jpeg, 2));
  if (length > 0xFFFF) return jpeg;
  Bytes result(jpeg.begin(), jpeg.begin() + static_cast<std::ptrdiff_t>(first_end));
  for (const unsigned value :
       {0xFFu, 0xE2u, static_cast<unsigned>(length >> 8), static_cast<unsigned>(length & 0xFF)})
    result.push_back(static_cast<std::byte>(value));
  const ByteView text = as_bytes(name);
  result.insert(result.end(), text.begin(), text.end());
  result.insert(result.end(), profile.begin(), profile.end());
  result.insert(result.end(), jpeg.begin() + static_cast<std::ptrdiff_t>(first_end), jpeg.end());
  return result;
}

}  // namespace portcullis::decoder

// A list file is a list or an error, whatever the bytes. The digest is put right first, as
// otherwise nearly nothing would pass it; the first byte says whether.
#include <cstdint>

#include "hash/hash.h"
#include "hash/memory_file.h"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto raw = std::as_bytes(std::span(data, size));
  Bytes bytes(raw.begin() + 1, raw.end());
  constexpr std::size_t kBody = 8 + Sha256::kSize;
  if (data[0] % 2 == 1 && bytes.size() >= kBody) {
    const Sha256 digest = sha256_of(ByteView(bytes).subspan(kBody));
    std::ranges::copy(digest.bytes, bytes.begin() + 8);
  }
  const hash::MemoryFile file(bytes);
  const auto list = hash::HashList::open(file.path());
  if (!list) return 0;
  const bool found = list->contains(digests_of(bytes)) ||
                     list->nearest({.pdq = {}, .quality = 100}, 31).has_value();
  if (found && list->size() == 0) std::abort();
  return 0;
}

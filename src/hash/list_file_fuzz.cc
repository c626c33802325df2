// A list file is a list or an error, whatever the bytes. The digest is put right first, as
// otherwise nearly nothing would pass it.
//
// The lowest bits of the first byte say what the input is:
//   0  a file
//   1  a file whose digest is to be put right
//   2  changes to a good file with an index, whose digest is then put right: the second byte is the
//      number of its PDQ entries, which come next; then 6 bytes for each change (where, modulo the
//      file's size, and a 16-bit word)
//   3  as 2, but the index is searched in memory of its exact size, where the sanitizer sees
//      whatever is read beyond it
#include <cstdint>
#include <cstring>

#include "hash/hash.h"
#include "hash/memory_file.h"

using namespace portcullis;

namespace {

constexpr std::size_t kBody = 8 + Sha256::kSize, kEntries = kBody + 7 * 8;

template <class T>
T take(ByteView& left) {
  T value{};
  const std::size_t size = std::min(left.size(), sizeof value);
  std::memcpy(&value, left.data(), size);
  left = left.subspan(size);
  return value;
}

Bytes changed(ByteView left) {
  hash::ListEntries entries;
  for (auto count = take<std::uint8_t>(left); count > 0; --count)
    entries.pdq.push_back(take<hash::PdqHash>(left));
  Bytes file = hash::MemoryFile(entries, hash::Slots(hash::Slots::kMost)).bytes();
  while (!left.empty()) {
    const std::size_t at = take<std::uint32_t>(left) % (file.size() - 1);
    const auto word = take<std::uint16_t>(left);
    std::memcpy(file.data() + at, &word, sizeof word);
  }
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView raw = std::as_bytes(std::span(data, size)).subspan(1);
  const int mode = data[0] % 4;
  Bytes bytes = mode >= 2 ? changed(raw) : Bytes(raw.begin(), raw.end());
  hash::Dihedral query{.pdq = {}, .quality = 100};
  if (raw.size() > sizeof(hash::PdqHash))  // the first entry of modes 2 and 3, turned about
    for (std::size_t i = 0; i < query.pdq.size(); ++i) {
      std::memcpy(&query.pdq[i], raw.data() + 1, sizeof(hash::PdqHash));
      query.pdq[i].words[i % 4] ^= (std::uint64_t{1} << (i * 5)) - 1;
    }
  if (mode == 3) {
    std::vector<hash::PdqHash> entries(
        std::to_integer<std::size_t>(raw.empty() ? std::byte{} : raw[0]));
    constexpr hash::Slots kSlots(hash::Slots::kMost);
    std::vector<std::uint32_t> tables(kSlots.words(entries.size()));
    ByteView left = ByteView(bytes).subspan(kEntries);
    if (left.size() < entries.size() * sizeof(hash::PdqHash) + tables.size() * 4) return 0;
    for (auto& entry : entries) entry = take<hash::PdqHash>(left);
    for (auto& word : tables) word = take<std::uint32_t>(left);
    const auto index = hash::NearIndex::over(entries, kSlots, tables);
    for (const int radius : {0, 7, 31})
      if (index && index->nearest(query.pdq, radius) && entries.empty()) std::abort();
    return 0;
  }
  if (mode != 0 && bytes.size() >= kBody) {
    const Sha256 digest = sha256_of(ByteView(bytes).subspan(kBody));
    std::ranges::copy(digest.bytes, bytes.begin() + 8);
  }
  const hash::MemoryFile file(bytes);
  const auto list = hash::HashList::open(file.path());
  if (!list) return 0;
  bool found = list->contains(digests_of(bytes));
  for (const int radius : {0, 7, 31}) found = list->nearest(query, radius) || found;
  if (found && list->size() == 0) std::abort();
  return 0;
}

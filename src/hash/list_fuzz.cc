// A list is entries or an error, whatever the text; its entries written out again are the same
// list.
#include <cstdint>
#include <cstdlib>

#include "hash/hash.h"
#include "hash/memory_file.h"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::optional<hash::Kind> kind;
  if (data[0] % 5 < 4) kind = static_cast<hash::Kind>(data[0] % 5);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto entries = hash::parse_list(text, kind, "list");
  if (!entries) return 0;
  std::string again;
  for (const auto& one : entries->sha256) again += "sha256," + one.hex() + "\n";
  for (const auto& one : entries->sha1) again += "sha1," + one.hex() + "\n";
  for (const auto& one : entries->md5) again += "md5," + one.hex() + "\n";
  for (const auto& one : entries->pdq) again += "pdq," + hash::to_hex(one) + "\n";
  const auto second = hash::parse_list(again, std::nullopt, "again");
  if (!second || hash::MemoryFile(*second).bytes() != hash::MemoryFile(*entries).bytes())
    std::abort();
  return 0;
}

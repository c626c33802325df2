// A list in any format is entries or an error, whatever the text, and what is found in it can be
// written down plainly and read again. The first byte chooses the format; where the second page
// begins, if the format has pages, is marked by a byte 0.
#include <cstdint>
#include <cstdlib>

#include "hash/hash.h"
#include "hash/memory_file.h"

using namespace portcullis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto format =
      data[0] % 6 < 5 ? static_cast<hash::ListFormat>(data[0] % 6) : hash::detect_format(text);
  const bool has_pages = format != hash::ListFormat::plain && format != hash::ListFormat::csv;
  const auto end = has_pages ? text.find('\0') : std::string_view::npos;
  std::vector<std::string_view> pages{text.substr(0, end)};
  if (end != std::string_view::npos) pages.push_back(text.substr(end + 1));
  (void)hash::next_page(pages.front(), format, "list");
  const auto parsed = hash::parse_list(pages, format, std::nullopt, "list");
  if (!parsed) {
    if (parsed.error().what.empty() || parsed.error().what.size() > 2'000) std::abort();
    return 0;
  }
  const hash::ListEntries& entries = parsed->entries;
  std::string again;
  for (const auto& one : entries.sha256) again += "sha256," + one.hex() + "\n";
  for (const auto& one : entries.sha1) again += "sha1," + one.hex() + "\n";
  for (const auto& one : entries.md5) again += "md5," + one.hex() + "\n";
  for (const auto& one : entries.pdq) again += "pdq," + hash::to_hex(one) + "\n";
  const auto second = hash::parse_list(again, std::nullopt, "again");
  if (!second || hash::MemoryFile(*second).bytes() != hash::MemoryFile(entries).bytes())
    std::abort();
  return 0;
}

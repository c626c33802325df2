// app/list_source.h: the text of a list, from a file or from its server. Private to this room.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/places.h"
#include "hash/hash.h"

namespace portcullis::app {

// Pages that lie in files without a name, so that neither their size is in memory nor can anybody
// change them while they are read. Movable.
class ListText {
 public:
  ListText() = default;
  ListText(ListText&&) noexcept = default;
  ListText& operator=(ListText&&) noexcept = default;
  ~ListText();

  // Takes what was written to `page`.
  Status add(UniqueFd page);
  const std::vector<std::string_view>& pages() const { return pages_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::vector<std::string_view> pages_;  // mapped
  std::uint64_t bytes_ = 0;
};

struct ReadList {
  hash::ListFormat format = hash::ListFormat::plain;
  hash::ParsedList parsed;
};
struct ListSource {
  std::string where;  // path or address
  std::string credentials;
  std::string format;  // empty or "auto": by its content
  std::string kind;    // empty: entries say it
};
// Reads it whole, all pages, and parses it. An address must be https, but for this machine's own;
// it may be on a private network, because an admin named it. At most 2 GiB, 20,000 pages, an hour.
// Says on a terminal how far it is.
Result<ReadList> read_list(const ListSource& source, const std::string& name,
                           const DataFolder& data);

}  // namespace portcullis::app

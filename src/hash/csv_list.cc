// The admin's own table: a header, then a row an entry.
#include <algorithm>

#include "hash/csv_rows.h"
#include "hash/list_reader.h"

namespace portcullis::hash {

namespace {

constexpr std::string_view kTypeNames[] = {"type", "kind", "signal_type", "hash_type"};
constexpr std::string_view kHashNames[] = {"hash", "digest", "signal", "value"};

std::optional<std::size_t> column(const std::vector<std::string>& header,
                                  std::span<const std::string_view> names) {
  for (std::size_t i = 0; i < header.size(); ++i)
    if (std::ranges::find(names, ascii_lower(header[i])) != names.end()) return i;
  return std::nullopt;
}

}  // namespace

Result<ParsedList> parse_csv(std::string_view text, std::optional<Kind> kind,
                             std::string_view source) {
  OwnList list;
  CsvRows rows(without_byte_order_mark(text));
  std::vector<std::string> fields;
  const auto next = [&]() -> Result<bool> {
    auto row = rows.next(fields);
    if (!row) return fail_at({source, rows.line()}, "{}", row.error().what);
    return row;
  };
  if (!TRY(next())) return list.finish(source);
  const auto type = column(fields, kTypeNames);
  const auto hash = column(fields, kHashNames);
  if (!hash || (!type && !kind))
    return fail_at({source, rows.line()},
                   "the first line must name the columns, `type` and `hash` among them, e.g. "
                   "type,hash,label,source,note");
  while (TRY(next())) {
    const Place place{source, rows.line()};
    if (fields.size() <= std::max(*hash, type.value_or(0)))
      return fail_at(place, "this row has {} columns, too few for those the first line names",
                     fields.size());
    std::optional<Kind> own = kind;
    if (type && !(kind && fields[*type].empty())) {
      own = kind_from(ascii_lower(fields[*type]));
      if (!own)
        return fail_at(place, "\"{}\" is no type: write sha256, sha1, md5 or pdq",
                       shown(fields[*type]));
      if (kind && own != kind)
        return fail_at(place, "this row says {}, but --kind says {}", name(*own), name(*kind));
    }
    TRY(list.add(*own, fields[*hash], place));
  }
  return list.finish(source);
}

}  // namespace portcullis::hash

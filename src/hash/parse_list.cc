// The plain format, and which reader a format has.
#include "hash/list_reader.h"

namespace portcullis::hash {

namespace {

struct FormatName {
  ListFormat format;
  std::string_view name;
};
constexpr FormatName kFormats[] = {{ListFormat::plain, "plain"},
                                   {ListFormat::csv, "csv"},
                                   {ListFormat::threatexchange, "threatexchange"},
                                   {ListFormat::ncmec, "ncmec"},
                                   {ListFormat::stopncii, "stopncii"}};

bool is_digest(std::string_view text) {
  return text.size() >= 2 * Md5::kSize && from_hex(text).has_value();
}

// The first line that says something.
std::string_view first_line(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (!line.empty() && !line.starts_with('#')) return line;
  }
  return {};
}

}  // namespace

std::string_view name(ListFormat format) {
  for (const FormatName& one : kFormats)
    if (one.format == format) return one.name;
  return "unknown";
}

std::optional<ListFormat> list_format_from(std::string_view text) {
  for (const FormatName& one : kFormats)
    if (one.name == text) return one.format;
  return std::nullopt;
}

ListFormat detect_format(std::string_view text) {
  constexpr std::size_t kEnough = 64 * 1024;
  const std::string_view start = trim(without_byte_order_mark(text).substr(0, kEnough));
  if (start.starts_with('<')) return ListFormat::ncmec;
  if (start.starts_with('{') || start.starts_with('['))
    return start.contains("\"hashRecords\"") || start.contains("\"hashValue\"")
               ? ListFormat::stopncii
               : ListFormat::threatexchange;
  const std::string_view line = first_line(start);
  const std::string_view first = line.substr(0, line.find_first_of(", \t;"));
  const std::string_view rest = trim(line.substr(first.size()));
  if (!rest.starts_with(',')) {
    const bool has_type = !rest.empty() && !first.empty() && !is_digest(first);
    return has_type ? ListFormat::threatexchange : ListFormat::plain;
  }
  if (is_digest(trim(rest.substr(1)))) return ListFormat::plain;
  const std::string header = ascii_lower(line);
  if (header.contains("hashvalue")) return ListFormat::stopncii;
  return header.contains("hash") || header.contains("digest") || is_digest(first)
             ? ListFormat::csv
             : ListFormat::plain;
}

Result<ParsedList> parse_plain(std::string_view text, std::optional<Kind> kind,
                               std::string_view source) {
  OwnList list;
  text = without_byte_order_mark(text);
  for (Place place{source, 1}; !text.empty(); ++place.number) {
    const std::string_view line = take_line(text);
    if (line.empty() || line.starts_with('#')) continue;

    std::optional<Kind> own = kind;
    std::string_view digest = line;
    const auto comma = line.find(',');
    const auto blank = line.find(' ');
    if (comma != std::string_view::npos) {
      own = kind_from(ascii_lower(trim(line.substr(0, comma))));
      digest = trim(line.substr(comma + 1));
      if (!own)
        return fail_at(place, "\"{}\" is no kind: write sha256, sha1, md5 or pdq before the comma",
                       shown(line.substr(0, comma)));
    } else if (const auto before = kind_from(ascii_lower(line.substr(0, blank))); before) {
      own = before;
      digest = blank == std::string_view::npos ? std::string_view() : trim(line.substr(blank));
    }
    if (own && kind && own != kind)
      return fail_at(place, "this line says {}, but --kind says {}", name(*own), name(*kind));
    if (!own) {
      if (digest.size() == 64)
        return fail_at(place,
                       "64 digits may be a SHA-256 or a PDQ hash, which look alike: write "
                       "`sha256,` or `pdq,` before "
                       "them, or give --kind");
      return fail_at(place,
                     "the kind is missing: write e.g. `md5,` before the digest, or give --kind");
    }
    TRY(list.add(*own, digest, place));
  }
  return list.finish(source);
}

Result<ListEntries> parse_list(std::string_view text, std::optional<Kind> kind,
                               std::string_view source) {
  return std::move(TRY(parse_plain(text, kind, source)).entries);
}

Result<ParsedList> parse_list(std::span<const std::string_view> pages, ListFormat format,
                              std::optional<Kind> kind, std::string_view source) {
  const bool is_feed = format != ListFormat::plain && format != ListFormat::csv;
  if (is_feed && kind)
    return fail(Fault::client, "{}: entries of the format {} say their kind: leave --kind out",
                source, name(format));
  if (!is_feed && pages.size() != 1)
    return fail(Fault::us, "{}: a list of this format has no pages", source);
  switch (format) {
    case ListFormat::plain:
      return parse_plain(pages.front(), kind, source);
    case ListFormat::csv:
      return parse_csv(pages.front(), kind, source);
    case ListFormat::threatexchange:
      return parse_threatexchange(pages, source);
    case ListFormat::ncmec:
      return parse_ncmec(pages, source);
    case ListFormat::stopncii:
      return parse_stopncii(pages, source);
  }
  return fail(Fault::us, "no such format");
}

Result<std::string> next_page(std::string_view page, ListFormat format, std::string_view source) {
  switch (format) {
    case ListFormat::plain:
    case ListFormat::csv:
      break;
    case ListFormat::threatexchange:
      return next_page_of_threatexchange(page, source);
    case ListFormat::ncmec:
      return next_page_of_ncmec(page, source);
    case ListFormat::stopncii:
      return next_page_of_stopncii(page, source);
  }
  return std::string();
}

}  // namespace portcullis::hash

#include <algorithm>

#include "hash/hash.h"

namespace portcullis::hash {

namespace {

struct Place {
  std::string_view source;
  std::size_t line;
};

template <class... Args>
std::unexpected<Error> fail_at(const Place& place, fmt::format_string<Args...> text,
                               Args&&... args) {
  return fail(Fault::client, "{}:{}: {}", place.source, place.line,
              fmt::format(text, std::forward<Args>(args)...));
}

std::string_view shown(std::string_view text) { return text.substr(0, 80); }

std::size_t digits_of(Kind kind) {
  switch (kind) {
    case Kind::sha256:
      return 2 * Sha256::kSize;
    case Kind::sha1:
      return 2 * Sha1::kSize;
    case Kind::md5:
      return 2 * Md5::kSize;
    case Kind::pdq:
      return 64;
  }
  return 0;
}

Status add(ListEntries& entries, Kind kind, std::string_view digest, const Place& place) {
  const auto wrong = [&] {
    return fail_at(place, "\"{}\" is no {}: that is {} hexadecimal digits", shown(digest),
                   name(kind), digits_of(kind));
  };
  const auto into = [&](auto& list, auto value) -> Status {
    if (!value) return wrong();
    list.push_back(*value);
    return {};
  };
  switch (kind) {
    case Kind::sha256:
      return into(entries.sha256, Sha256::from(digest));
    case Kind::sha1:
      return into(entries.sha1, Sha1::from(digest));
    case Kind::md5:
      return into(entries.md5, Md5::from(digest));
    case Kind::pdq:
      break;
  }
  const auto hash = pdq_from_hex(digest);
  if (!hash) return wrong();
  if (*hash == PdqHash{})
    return fail_at(place,
                   "a PDQ hash of all zeros is that of any flat picture and would match them all: "
                   "remove the line");
  entries.pdq.push_back(*hash);
  return {};
}

template <class T>
void sort_and_collapse(std::vector<T>& list) {
  std::ranges::sort(list);
  const auto rest = std::ranges::unique(list);
  list.erase(rest.begin(), rest.end());
}

}  // namespace

Result<ListEntries> parse_list(std::string_view text, std::optional<Kind> kind,
                               std::string_view source) {
  ListEntries entries;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark
  for (Place place{source, 1}; !text.empty(); ++place.line) {
    const auto end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.starts_with('#')) continue;

    const auto comma = line.find(',');
    std::optional<Kind> own = kind;
    std::string_view digest = line;
    if (comma != std::string_view::npos) {
      own = kind_from(ascii_lower(trim(line.substr(0, comma))));
      digest = trim(line.substr(comma + 1));
      if (!own)
        return fail_at(place, "\"{}\" is no kind: write sha256, sha1, md5 or pdq before the comma",
                       shown(line.substr(0, comma)));
      if (kind && own != kind)
        return fail_at(place, "this line says {}, but --kind says {}", name(*own), name(*kind));
    }
    if (!own) {
      if (digest.size() == 64)
        return fail_at(place,
                       "64 digits may be a SHA-256 or a PDQ hash, which look alike: write "
                       "`sha256,` or `pdq,` before "
                       "them, or give --kind");
      return fail_at(place,
                     "the kind is missing: write e.g. `md5,` before the digest, or give --kind");
    }
    TRY(add(entries, *own, digest, place));
  }
  sort_and_collapse(entries.sha256);
  sort_and_collapse(entries.sha1);
  sort_and_collapse(entries.md5);
  sort_and_collapse(entries.pdq);
  return entries;
}

}  // namespace portcullis::hash

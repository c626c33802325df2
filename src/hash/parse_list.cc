#include <algorithm>
#include <bit>

#include "hash/entries.h"
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

// Lists come from others: what is shown of one must not move a terminal's cursor or fill its
// screen.
std::string shown(std::string_view text) {
  std::string safe(text.substr(0, 80));
  for (char& letter : safe)
    if (letter < ' ' || letter > '~') letter = '?';
  return safe;
}

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

// A PDQ hash has 128 bits set, but for ties; one SHA-256 in twenty has. A list of the one kind
// taken for the other would never match anything, which nobody would notice.
template <class T>
bool looks_like_pdq(const std::vector<T>& list) {
  const auto is_balanced = [](const T& entry) {
    int bits = 0;
    for (const std::byte byte : std::as_bytes(std::span(&entry, 1)))
      bits += std::popcount(std::to_integer<unsigned>(byte));
    return bits == 128;
  };
  return std::cmp_greater(std::ranges::count_if(list, is_balanced), list.size() / 2);
}

Status check_for_a_mix_up(const ListEntries& entries, std::string_view source) {
  constexpr std::size_t kEnoughToTell = 16;
  const auto says = [&](std::string_view said, std::string_view seems) {
    return fail(
        Fault::client,
        "{}: the {} entries seem to be {} hashes (both have 64 digits): find out which they "
        "are and say so",
        source, said, seems);
  };
  if (entries.pdq.size() >= kEnoughToTell && !looks_like_pdq(entries.pdq))
    return says("pdq", "SHA-256");
  if (entries.sha256.size() >= kEnoughToTell && looks_like_pdq(entries.sha256))
    return says("sha256", "PDQ");
  return {};
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
  sort_and_collapse(entries);
  TRY(check_for_a_mix_up(entries, source));
  return entries;
}

}  // namespace portcullis::hash

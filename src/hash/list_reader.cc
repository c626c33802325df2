#include "hash/list_reader.h"

#include <algorithm>
#include <bit>

namespace portcullis::hash {

namespace {

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

int bits_set(const PdqHash& hash) { return distance(hash, PdqHash{}); }

Status check_pdq(const PdqHash& hash, const Place& place) {
  if (is_plausible(hash)) return {};
  return fail_at(place,
                 "{} of the 256 bits of this PDQ hash are set, of a whole one {} are: it is "
                 "damaged or no PDQ; get it anew or remove it",
                 bits_set(hash), kPdqBits);
}

// Anything that cannot be a digest of that kind, but for bits that are too unevenly set.
Status add_digest(ListEntries& entries, Kind kind, std::string_view digest, const Place& place) {
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
    return bits == kPdqBits;
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

std::string key_of(Kind kind, std::string_view digest) {
  return fmt::format("{},{}", name(kind), ascii_lower(digest));
}

}  // namespace

bool is_plausible(const PdqHash& hash) {
  return std::abs(bits_set(hash) - kPdqBits) <= kPdqBitsTolerance;
}

std::string shown(std::string_view text) {
  std::string safe(text.substr(0, 80));
  for (char& letter : safe)
    if (letter < ' ' || letter > '~') letter = '?';
  return safe;
}

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string_view line = trim(text.substr(0, end));
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

Status OwnList::add(Kind kind, std::string_view digest, const Place& place) {
  TRY(add_digest(entries_, kind, digest, place));
  if (kind == Kind::pdq && first_implausible_)
    first_implausible_ = check_pdq(entries_.pdq.back(), place);
  return {};
}

Result<ParsedList> OwnList::finish(std::string_view source) {
  sort_and_collapse(entries_);
  TRY(check_for_a_mix_up(entries_, source));
  TRY(first_implausible_);
  return ParsedList{.entries = std::move(entries_)};
}

void Feed::add(Kind kind, std::string_view digest, const Place& place) {
  Status added = add_digest(parsed_.entries, kind, digest, place);
  if (added && kind == Kind::pdq) {
    added = check_pdq(parsed_.entries.pdq.back(), place);
    if (!added) parsed_.entries.pdq.pop_back();
  }
  if (added) {
    if (!withdrawn_.empty()) withdrawn_.erase(key_of(kind, digest));
  } else if (parsed_.damaged++ == 0) {
    parsed_.first_damaged = added.error().what;
  }
}

void Feed::withdraw(Kind kind, std::string_view digest) {
  ++parsed_.withdrawn;
  // What is no digest was never in, and must not fill the memory.
  if (digest.size() == digits_of(kind)) withdrawn_.insert(key_of(kind, digest));
}

Result<ParsedList> Feed::finish(std::string_view source) {
  ListEntries& entries = parsed_.entries;
  sort_and_collapse(entries);
  if (!withdrawn_.empty()) {
    const auto drop = [&](auto& list, Kind kind, auto text) {
      std::erase_if(list,
                    [&](const auto& one) { return withdrawn_.contains(key_of(kind, text(one))); });
    };
    const auto hex = [](const auto& digest) { return digest.hex(); };
    drop(entries.sha256, Kind::sha256, hex);
    drop(entries.sha1, Kind::sha1, hex);
    drop(entries.md5, Kind::md5, hex);
    drop(entries.pdq, Kind::pdq, [](const PdqHash& hash) { return to_hex(hash); });
  }
  TRY(check_for_a_mix_up(entries, source));
  constexpr std::uint64_t kOneIn = 100;
  if (parsed_.damaged * kOneIn > entries.size() + parsed_.damaged)
    return fail(Fault::client,
                "{}: {} of {} entries are damaged, too many for a feed; the first: {}", source,
                parsed_.damaged, entries.size() + parsed_.damaged, parsed_.first_damaged);
  return std::move(parsed_);
}

}  // namespace portcullis::hash

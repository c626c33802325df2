#include "hash/hash.h"

#include <bit>

namespace portcullis::hash {

int distance(const PdqHash& a, const PdqHash& b) {
  int bits = 0;
  for (std::size_t i = 0; i < a.words.size(); ++i) bits += std::popcount(a.words[i] ^ b.words[i]);
  return bits;
}

std::string to_hex(const PdqHash& hash) {
  return fmt::format("{:016x}{:016x}{:016x}{:016x}", hash.words[3], hash.words[2], hash.words[1],
                     hash.words[0]);
}

std::optional<PdqHash> pdq_from_hex(std::string_view text) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != 32) return std::nullopt;
  PdqHash hash;
  for (std::size_t i = 0; i < 32; ++i)
    hash.words[3 - i / 8] =
        hash.words[3 - i / 8] << 8 | std::to_integer<std::uint64_t>((*bytes)[i]);
  return hash;
}

std::string_view name(Kind kind) {
  switch (kind) {
    case Kind::sha256:
      return "sha256";
    case Kind::sha1:
      return "sha1";
    case Kind::md5:
      return "md5";
    case Kind::pdq:
      return "pdq";
  }
  return "unknown";
}

std::optional<Kind> kind_from(std::string_view text) {
  for (const Kind kind : {Kind::sha256, Kind::sha1, Kind::md5, Kind::pdq})
    if (name(kind) == text) return kind;
  return std::nullopt;
}

}  // namespace portcullis::hash

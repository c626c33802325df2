// hash/hash.h: perceptual hashes of pictures, exact and near look-up, and the formats of hash
// lists.
//
// A PdqHash is a value. An ExactIndex or NearIndex is immutable once built: any thread may query
// it, and a change of lists builds a new one (app/ swaps the pointer). Nothing here decodes
// pictures (decoder/) or knows what a match means (policy/). No I/O, except that an index may be
// mapped from a file that the caller names.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"

namespace portcullis::hash {

// PDQ, 256 bits (ThreatExchange, pdq/README.md). Bit k of the hash is bit k % 64 of words[k / 64].
struct PdqHash {
  std::array<std::uint64_t, 4> words{};
  auto operator<=>(const PdqHash&) const = default;
};

// Number of bits that differ: 0..256.
int distance(const PdqHash& a, const PdqHash& b);
// 64 lower-case hexadecimal digits, the highest bit first, as every PDQ tool writes it.
std::string to_hex(const PdqHash& hash);
// Nothing unless the text is exactly 64 hexadecimal digits of either case.
std::optional<PdqHash> pdq_from_hex(std::string_view text);

// Below this quality a hash is noise (flat or tiny pictures) and must not match (ThreatExchange,
// PdqSignal).
inline constexpr int kMinQuality = 50;

// `quality` is PDQ's 0..100.
struct Fingerprint {
  PdqHash pdq;
  int quality = 0;
  bool operator==(const Fingerprint&) const = default;
};

// The eight dihedral variants in this order: original, rotated by 90, 180 and 270 degrees, mirrored
// left-right (flipX), top-bottom (flipY), transposed (flipPlus1), and transposed the other way
// (flipMinus1), from one DCT.
struct Dihedral {
  std::array<PdqHash, 8> pdq;
  int quality = 0;
  bool operator==(const Dihedral&) const = default;
};

// `rgb` holds width * height * 3 bytes, row by row, 8 bits a channel, sRGB. Either side below 5
// pixels gives all-zero hashes of quality 0. The caller has shrunk pictures larger than 512 on
// either side to 512 x 512 (pdq_input_size). Bit for bit what the float reference gives for the
// same array at quality >= 50 (reference: detection of PDQ §1.1-1.2 as published in ThreatExchange
// pdq/cpp/hashing).
Dihedral pdq_dihedral(std::span<const std::uint8_t> rgb, int width, int height);

// PDQ's own input rule: a picture of at most 512 on both sides stays, any other becomes 512 x 512,
// aspect not kept.
struct Size {
  int width = 0, height = 0;
};
Size pdq_input_size(int width, int height);

enum class Kind { sha256, sha1, md5, pdq };
std::string_view name(Kind kind);                      // "sha256"
std::optional<Kind> kind_from(std::string_view name);  // exactly those four names

// Parses a list: one entry a line, `digest` or `kind,digest`; blank lines and lines that start with
// '#' are skipped; CR LF is taken. Without `kind` each line must say its own, because a SHA-256 and
// a PDQ look alike (both have 64 digits), as may a later entry and a comment. Errors name `source`,
// line and what to do. Duplicates collapse. Memory grows with the number of entries only. PDQ
// entries of all zeros are refused (they match flat pictures).
struct ListEntries {
  std::vector<Sha256> sha256;
  std::vector<Sha1> sha1;
  std::vector<Md5> md5;
  std::vector<PdqHash> pdq;
  std::size_t size() const { return sha256.size() + sha1.size() + md5.size() + pdq.size(); }
};
Result<ListEntries> parse_list(std::string_view text, std::optional<Kind> kind,
                               std::string_view source);

// The flat file a list is kept in: a header with a magic word, format version, counts and the
// SHA-256 of what follows, then the sorted entries of each kind. serialise() gives the bytes;
// HashList::open() maps them and verifies everything; a truncated, changed or foreign file is an
// error, never an empty list.
Bytes serialise(const ListEntries& entries);

// One list, mapped read-only and searched in place. Immutable; any thread.
class HashList {
 public:
  static Result<HashList> open(const std::string& path);
  HashList(HashList&&) noexcept;
  HashList& operator=(HashList&&) noexcept;
  ~HashList();

  // The digest in the file's header: changes whenever an entry does.
  const Sha256& version() const;
  std::size_t count(Kind kind) const;
  std::size_t size() const;

  bool contains(const Digests& digests) const;

  struct Near {
    int distance = 0;     // of the nearest entry
    int orientation = 0;  // index into Dihedral::pdq
  };
  // The nearest entry within `radius` (0..31; 31 is PDQ's own advice) of any of the eight; nothing
  // when the query's quality is below kMinQuality. Exact, not approximate.
  std::optional<Near> nearest(const Dihedral& query, int radius) const;

 private:
  struct Map;
  explicit HashList(std::unique_ptr<Map> map);
  std::unique_ptr<Map> map_;
};

}  // namespace portcullis::hash

// hash/hash.h: perceptual hashes of pictures, exact and near look-up, and the formats of hash
// lists.
//
// A PdqHash is a value. A HashList is immutable: any thread may query it, and a change of lists
// opens a new one (app/ swaps the pointer). Nothing here decodes pictures (decoder/) or knows what
// a match means (policy/). No I/O, except that a list is written to and mapped from a file that the
// caller names.
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

// The hashes of a picture turned and mirrored in eight ways, from one DCT, in PDQ's order and under
// its names: original, turned counter-clockwise by 90, 180 and 270 degrees, upside down (flipX),
// left and right swapped (flipY), transposed (flipPlus1), transposed along the other diagonal
// (flipMinus1). They are very near, not always equal, to the hashes of such pictures themselves.
struct Dihedral {
  std::array<PdqHash, 8> pdq;
  int quality = 0;
  bool operator==(const Dihedral&) const = default;
};

// `rgb` holds width * height * 3 bytes, row by row, 8 bits a channel, sRGB. Either side below 5
// pixels gives all-zero hashes of quality 0. The caller has shrunk pictures larger than 512 on
// either side (pdq_input_size). Bit for bit what the package pdqhash, and so ThreatExchange's
// pdq/cpp, gives for the same array.
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

// What a list holds; no order is meant.
struct ListEntries {
  std::vector<Sha256> sha256;
  std::vector<Sha1> sha1;
  std::vector<Md5> md5;
  std::vector<PdqHash> pdq;
  std::size_t size() const { return sha256.size() + sha1.size() + md5.size() + pdq.size(); }
};

// Parses a plain list: one entry a line, `digest`, `kind,digest` or `kind digest`; blank lines and
// lines that start with '#' are skipped; CR LF and a byte order mark are taken. With `kind`, lines
// may leave theirs out but may not say another. Without it each must say its own, because a SHA-256
// and a PDQ look alike (both have 64 digits); a list of 16 or more of one that by its bits seems to
// be of the other is an error too. Errors name `source`, line and what to do. Duplicates collapse.
// PDQ entries of all zeros are refused (they match flat pictures), and those whose bits are too
// unevenly set (is_plausible). A text without entries gives none: it is the caller who knows
// whether a list may be empty.
Result<ListEntries> parse_list(std::string_view text, std::optional<Kind> kind,
                               std::string_view source);

// Whether a PDQ can be one. Half of its 256 bits are set, because the threshold is their median;
// only coefficients that equal the median leave more of them unset, and such ties hardly occur
// beyond some few in a picture of structure (all of the reference's test pictures have 128). 16
// either way leaves room for ties and for tools that threshold a little differently, and refuses
// what was cut, padded or mistyped.
inline constexpr int kPdqBits = 128, kPdqBitsTolerance = 16;
bool is_plausible(const PdqHash& hash);

// plain: above. csv: with a header that names at least the columns `type` and `hash`, quoted as in
// RFC 4180. threatexchange: JSON of Meta's threat_updates and of HMA's exchanges, or lines `<type>
// <signal>` of HMA's file exchange. ncmec: XML of NCMEC hash sharing v2. stopncii: JSON of its
// FetchHashes, or CSV with its field names. (detection.md §3.2-3.5)
enum class ListFormat { plain, csv, threatexchange, ncmec, stopncii };
std::string_view name(ListFormat format);
std::optional<ListFormat> list_format_from(std::string_view name);
// By how the text begins; plain when it begins like none of the others.
ListFormat detect_format(std::string_view text);

// What was read, and what was left out of it.
struct ParsedList {
  ListEntries entries;
  std::uint64_t withdrawn = 0;  // entries that their source has taken back
  std::uint64_t foreign = 0;    // of kinds that nothing here looks for: PhotoDNA, texts, addresses
  std::uint64_t damaged = 0;    // entries of a feed that are no digests
  std::string first_damaged;    // where, and what is wrong
};
// A list in one text or several pages. Plain and csv are an admin's own: one bad line is an error.
// The others are feeds to which many contribute: damaged entries are left out and counted, and more
// than one in a hundred is an error. What a feed withdraws (`should_delete`, deletedImage,
// Withdrawn, Deleted) is left out, unless a later record of it is active again. With `kind` only
// plain and csv may leave the kind out; feeds say it themselves. Memory: the entries and one
// record, not the text. Never expands entities or fetches what a document refers to.
Result<ParsedList> parse_list(std::span<const std::string_view> pages, ListFormat format,
                              std::optional<Kind> kind, std::string_view source);
// Where a feed says its next page lies: a URL or path (ncmec, threatexchange), a page token
// (stopncii); empty when this is the last.
Result<std::string> next_page(std::string_view page, ListFormat format, std::string_view source);

// The PDQs under which copies of a picture are found whose edges were cut or to which a border was
// added, up to a tenth of a side: the picture itself and crops and borders of it, at most kMostBans
// (docs/screening.md says how they were chosen). Without those whose quality is below
// `min_quality`; none at all for a picture that has no structure. `rgb` as for pdq_dihedral(),
// both sides 64 to 512. Pure; some 60 ms.
inline constexpr std::size_t kMostBans = 100;
std::vector<PdqHash> ban_hashes(std::span<const std::uint8_t> rgb, int width, int height,
                                int min_quality = kMinQuality);

// Writes the flat file a list is kept in: a magic word with the format's version, the SHA-256 of
// what follows, counts, the sorted entries of each kind, and an index for near look-up
// (list_file.cc). The same set of entries gives the same bytes. `fd` is an empty file, open for
// reading and writing and borrowed; after an error it holds nothing of use. The caller syncs it and
// gives it its name. Besides the entries this needs 8 bytes for each PDQ entry and some 20 MB. A
// PDQ entry has 32 bytes in the file; from 8,000 of them on each has 64 bytes more and the file 4
// MB for the index, from 2,000,000 on 48 bytes and 134 MB.
Status write_list(ListEntries entries, int fd);

// One list, mapped read-only and searched in place. Immutable; any thread.
class HashList {
 public:
  // Maps and verifies everything; a truncated, changed or foreign file is an error, never an empty
  // list. Reads the whole file once (10 million PDQ entries: 0.9 GB), so it belongs on a pool. The
  // file must not be written to while it is mapped; it may be replaced or removed.
  static Result<HashList> open(const std::string& path);
  HashList(HashList&&) noexcept;
  HashList& operator=(HashList&&) noexcept;
  ~HashList();

  // The digest in the file's header: changes whenever an entry does.
  const Sha256& version() const;
  std::size_t count(Kind kind) const;
  std::size_t size() const;

  // Whether any of the three is listed.
  bool contains(const Digests& digests) const;

  struct Near {
    int distance = 0;     // of the nearest entry
    int orientation = 0;  // index into Dihedral::pdq
  };
  // The nearest entry within `radius` (0..31; 31 is PDQ's own advice) of any of the eight; nothing
  // when the query's quality is below `min_quality`. Exact, not approximate. Of several that are
  // equally near, the one of the first orientation.
  std::optional<Near> nearest(const Dihedral& query, int radius,
                              int min_quality = kMinQuality) const;

 private:
  struct Map;
  explicit HashList(std::unique_ptr<Map> map);
  std::unique_ptr<Map> map_;
};

}  // namespace portcullis::hash

// The flat file of a list. All numbers are little-endian 64-bit words, as is the machine:
//
//   magic "PCLIST01", SHA-256 of everything after it, four counts (sha256, sha1, md5, pdq), then
//   the sorted entries
//
// Entries are as long as their kind; PDQ entries are four words.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>

#include "base/fd.h"
#include "hash/entries.h"
#include "hash/hash.h"

namespace portcullis::hash {

static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::string_view kMagic = "PCLIST01";
constexpr std::size_t kHead = 8 + Sha256::kSize + 4 * 8;
constexpr std::size_t kPdqSize = 32;

template <class T>
void append(Bytes& bytes, const std::vector<T>& list) {
  const auto raw = std::as_bytes(std::span(list));
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

// Ascending, each once.
template <class T>
bool in_order(std::span<const T> list) {
  return std::ranges::adjacent_find(list, std::greater_equal()) == list.end();
}

}  // namespace

static_assert(sizeof(Sha256) == 32 && sizeof(Sha1) == 20 && sizeof(Md5) == 16 &&
              sizeof(PdqHash) == kPdqSize);

Bytes serialise(ListEntries entries) {
  sort_and_collapse(entries);
  Bytes body;
  const std::array<std::uint64_t, 4> counts{entries.sha256.size(), entries.sha1.size(),
                                            entries.md5.size(), entries.pdq.size()};
  const auto raw = std::as_bytes(std::span(counts));
  body.insert(body.end(), raw.begin(), raw.end());
  append(body, entries.pdq);  // first, so that its words are aligned
  append(body, entries.sha256);
  append(body, entries.sha1);
  append(body, entries.md5);
  const ByteView magic = as_bytes(kMagic);
  const Sha256 digest = sha256_of(body);
  Bytes file(magic.begin(), magic.end());
  file.insert(file.end(), digest.bytes.begin(), digest.bytes.end());
  file.insert(file.end(), body.begin(), body.end());
  return file;
}

struct HashList::Map {
  const std::byte* data = nullptr;
  std::size_t size = 0;
  Sha256 version;
  std::span<const Sha256> sha256;
  std::span<const Sha1> sha1;
  std::span<const Md5> md5;
  std::span<const PdqHash> pdq;

  ~Map() {
    if (data) ::munmap(const_cast<std::byte*>(data), size);
  }
};

HashList::HashList(std::unique_ptr<Map> map) : map_(std::move(map)) {}
HashList::HashList(HashList&&) noexcept = default;
HashList& HashList::operator=(HashList&&) noexcept = default;
HashList::~HashList() = default;

Result<HashList> HashList::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open the list file " + path);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno("cannot look at the list file " + path);
  const auto damaged = [&](std::string_view why) {
    return fail(Fault::storage, "the list file {} is damaged ({}): add the list again", path, why);
  };
  auto map = std::make_unique<Map>();
  map->size = static_cast<std::size_t>(info.st_size);
  if (map->size < kHead) return damaged("too short");
  void* mapped = ::mmap(nullptr, map->size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (mapped == MAP_FAILED) return fail_errno("cannot map the list file " + path);
  map->data = static_cast<const std::byte*>(mapped);
  const ByteView file(map->data, map->size);
  if (as_text(file.first(8)) != kMagic) return damaged("not a list of this version");
  std::ranges::copy(file.subspan(8, Sha256::kSize), map->version.bytes.begin());
  if (sha256_of(file.subspan(8 + Sha256::kSize)) != map->version)
    return damaged("its digest is wrong");

  std::array<std::uint64_t, 4> counts;
  std::memcpy(counts.data(), map->data + 8 + Sha256::kSize, sizeof counts);
  const std::array<std::size_t, 4> sizes{sizeof(Sha256), sizeof(Sha1), sizeof(Md5), kPdqSize};
  std::size_t left = map->size - kHead;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > left / sizes[i]) return damaged("its counts are wrong");
    left -= counts[i] * sizes[i];
  }
  if (left != 0) return damaged("its counts are wrong");

  const std::byte* at = map->data + kHead;
  const auto take = [&at]<class T>(std::span<const T>& into, std::uint64_t count) {
    into = {reinterpret_cast<const T*>(at), count};
    at += count * sizeof(T);
  };
  take(map->pdq, counts[3]);
  take(map->sha256, counts[0]);
  take(map->sha1, counts[1]);
  take(map->md5, counts[2]);
  if (!in_order(map->pdq) || !in_order(map->sha256) || !in_order(map->sha1) || !in_order(map->md5))
    return damaged("its entries are not sorted");
  return HashList(std::move(map));
}

const Sha256& HashList::version() const { return map_->version; }

std::size_t HashList::count(Kind kind) const {
  switch (kind) {
    case Kind::sha256:
      return map_->sha256.size();
    case Kind::sha1:
      return map_->sha1.size();
    case Kind::md5:
      return map_->md5.size();
    case Kind::pdq:
      return map_->pdq.size();
  }
  return 0;
}

std::size_t HashList::size() const {
  return map_->sha256.size() + map_->sha1.size() + map_->md5.size() + map_->pdq.size();
}

bool HashList::contains(const Digests& digests) const {
  return std::ranges::binary_search(map_->sha256, digests.sha256) ||
         std::ranges::binary_search(map_->sha1, digests.sha1) ||
         std::ranges::binary_search(map_->md5, digests.md5);
}

std::optional<HashList::Near> HashList::nearest(const Dihedral& query, int radius,
                                                int min_quality) const {
  if (query.quality < min_quality) return std::nullopt;
  std::optional<Near> best;
  int bound = radius + 1;
  for (const PdqHash& entry : map_->pdq)
    for (std::size_t i = 0; i < query.pdq.size(); ++i) {
      const int bits = distance(query.pdq[i], entry);
      if (bits >= bound) continue;
      bound = bits;
      best = Near{bits, static_cast<int>(i)};
    }
  return best;
}

}  // namespace portcullis::hash

// The flat file of a list. All numbers are little-endian, as is the machine, of 64 bits unless said
// otherwise:
//
//   magic "PCLIST02", SHA-256 of everything after it, four counts (sha256, sha1, md5, pdq), the
//   number of slots of the near index (0: it has none), two words of zeros; then the sorted PDQ
//   entries (four words each), the tables of the near index (near_index.h; 32 bits), and the sorted
//   entries of the other kinds
//
// Entries are as long as their kind. PDQ entries start at a multiple of their size, so that none
// lies in two cache lines.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>

#include "base/fd.h"
#include "hash/entries.h"
#include "hash/hash.h"
#include "hash/list_file.h"
#include "hash/near_index.h"

namespace portcullis::hash {

static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::string_view kMagic = "PCLIST02";
constexpr std::size_t kDigested = 8 + Sha256::kSize;  // where that which is digested starts
constexpr std::size_t kPdqSize = 32;

struct Head {
  std::uint64_t sha256 = 0, sha1 = 0, md5 = 0, pdq = 0, slots = 0;
  std::array<std::uint64_t, 2> zeros{};
};
constexpr std::size_t kEntries = kDigested + sizeof(Head);
static_assert(kEntries % kPdqSize == 0);

template <class T>
Status append(int fd, const std::vector<T>& list) {
  return write_all(fd, std::as_bytes(std::span(list)));
}

// A part of a file, read-only.
class Mapping {
 public:
  static Result<Mapping> of(int fd, std::size_t size, const std::string& path) {
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) return fail_errno("cannot map the list file " + path);
    return Mapping(static_cast<const std::byte*>(data), size);
  }
  Mapping(Mapping&& other) noexcept : view_(std::exchange(other.view_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(view_, other.view_);
    return *this;
  }
  ~Mapping() {
    if (view_.data()) ::munmap(const_cast<std::byte*>(view_.data()), view_.size());
  }
  ByteView view() const { return view_; }

 private:
  Mapping(const std::byte* data, std::size_t size) : view_(data, size) {}
  ByteView view_;
};

// Ascending, each once.
template <class T>
bool in_order(std::span<const T> list) {
  return std::ranges::adjacent_find(list, std::greater_equal()) == list.end();
}

}  // namespace

static_assert(sizeof(Sha256) == 32 && sizeof(Sha1) == 20 && sizeof(Md5) == 16 &&
              sizeof(PdqHash) == kPdqSize);

Status write_list(ListEntries entries, std::optional<Slots> wanted, int fd) {
  sort_and_collapse(entries);
  if (entries.pdq.size() > Slots::kMostEntries)
    return fail(Fault::limits, "a list can hold {} PDQ entries: make two lists of it",
                Slots::kMostEntries);
  const Slots slots = wanted.value_or(Slots::for_entries(entries.pdq.size()));
  const Head head{entries.sha256.size(), entries.sha1.size(), entries.md5.size(),
                  entries.pdq.size(), slots.count()};
  TRY(write_all(fd, as_bytes(kMagic)));
  TRY(write_all(fd, Sha256{}.bytes));  // not known yet
  TRY(write_all(fd, std::as_bytes(std::span(&head, 1))));
  TRY(append(fd, entries.pdq));
  TRY(write_near_index(entries.pdq, slots, fd));
  TRY(append(fd, entries.sha256));
  TRY(append(fd, entries.sha1));
  TRY(append(fd, entries.md5));

  const auto end = ::lseek(fd, 0, SEEK_CUR);
  if (end < 0) return fail_errno("cannot write a list file");
  const Mapping written = TRY(Mapping::of(fd, static_cast<std::size_t>(end), "just written"));
  const Sha256 digest = sha256_of(written.view().subspan(kDigested));
  if (::lseek(fd, 8, SEEK_SET) < 0) return fail_errno("cannot write a list file");
  return write_all(fd, digest.bytes);
}

Status write_list(ListEntries entries, int fd) {
  return write_list(std::move(entries), std::nullopt, fd);
}

struct HashList::Map {
  Mapping file;
  Sha256 version{};
  std::span<const Sha256> sha256{};
  std::span<const Sha1> sha1{};
  std::span<const Md5> md5{};
  std::span<const PdqHash> pdq{};
  NearIndex near{};
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
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size < kEntries) return damaged("too short");
  auto map = std::make_unique<Map>(TRY(Mapping::of(fd.get(), size, path)));
  const ByteView file = map->file.view();
  if (as_text(file.first(kMagic.size())) != kMagic) return damaged("not a list of this version");
  std::ranges::copy(file.subspan(kMagic.size(), Sha256::kSize), map->version.bytes.begin());
  if (sha256_of(file.subspan(kDigested)) != map->version) return damaged("its digest is wrong");

  Head head;
  std::memcpy(&head, file.data() + kDigested, sizeof head);
  if (head.zeros != Head{}.zeros) return damaged("not a list of this version");
  const bool is_indexed = head.slots >= Slots::kFewest && head.slots <= Slots::kMost;
  if (!is_indexed && head.slots != 0) return damaged("its index is wrong");
  if (head.pdq > Slots::kMostEntries) return damaged("its counts are wrong");
  const Slots slots(static_cast<unsigned>(head.slots));

  ByteView left = file.subspan(kEntries);
  const auto take = [&left]<class T>(std::span<const T>& into, std::uint64_t count) {
    if (count > left.size() / sizeof(T)) return false;
    into = {reinterpret_cast<const T*>(left.data()), count};
    left = left.subspan(count * sizeof(T));
    return true;
  };
  std::span<const std::uint32_t> tables;
  if (!take(map->pdq, head.pdq) || !take(tables, slots.words(head.pdq)) ||
      !take(map->sha256, head.sha256) || !take(map->sha1, head.sha1) || !take(map->md5, head.md5) ||
      !left.empty())
    return damaged("its counts are wrong");
  if (!in_order(map->pdq) || !in_order(map->sha256) || !in_order(map->sha1) || !in_order(map->md5))
    return damaged("its entries are not sorted");
  const auto near = NearIndex::over(map->pdq, slots, tables);
  if (!near) return damaged("its index is wrong");
  map->near = *near;
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
  return map_->near.nearest(query.pdq, radius);
}

}  // namespace portcullis::hash

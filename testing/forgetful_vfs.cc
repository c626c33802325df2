#include "testing/forgetful_vfs.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace portcullis::testing {

namespace {

constexpr int kTracked =
    SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
constexpr int kSyncsItsFolder = kTracked & ~SQLITE_OPEN_MAIN_DB;
constexpr std::size_t kSector = 512;

void write_into(Bytes& file, std::size_t offset, ByteView bytes) {
  if (file.size() < offset + bytes.size()) file.resize(offset + bytes.size());
  std::ranges::copy(bytes, file.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace

// What SQLite holds for an open file; the real VFS's own lies behind it.
struct ForgetfulVfs::File {
  sqlite3_file base;
  ForgetfulVfs* disk;
  std::string* path;  // null: not tracked
  // SQLite syncs the folder with the first sync of a log that it opened to create (unixSync).
  bool syncs_folder;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

struct ForgetfulVfs::Calls {
  static File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static sqlite3_file* real(sqlite3_file* file) { return of(file)->real(); }

  static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* got) {
    auto* disk = static_cast<ForgetfulVfs*>(vfs->pAppData);
    File* own = of(file);
    new (own) File{{}, disk, nullptr, false};
    const std::scoped_lock lock(disk->mutex_);
    const bool is_tracked = path && (flags & kTracked) != 0;
    const bool was_there = is_tracked && std::filesystem::exists(path);
    if (is_tracked && !was_there && (flags & SQLITE_OPEN_CREATE) && !disk->power_->take_step())
      return SQLITE_CANTOPEN;
    const int code = disk->real_->xOpen(disk->real_, path, own->real(), flags, got);
    if (code != SQLITE_OK) return code;
    own->base.pMethods = &kMethods;
    if (!is_tracked) return code;
    own->path = new std::string(path);
    own->syncs_folder = (flags & kSyncsItsFolder) && (flags & SQLITE_OPEN_CREATE);
    const auto [entry, is_new] = disk->names_.try_emplace(path);
    Name& name = entry->second;
    if (is_new && was_there)
      name = {true, read_file(path, UINT64_MAX).value(), {}, false, {}};
    else if (!was_there)
      name = {true, {}, {}, true, is_new ? std::nullopt : name.before};
    return code;
  }

  static int remove(sqlite3_vfs* vfs, const char* path, int sync_folder) {
    auto* disk = static_cast<ForgetfulVfs*>(vfs->pAppData);
    const std::scoped_lock lock(disk->mutex_);
    if (!disk->power_->take_step()) return SQLITE_IOERR_DELETE;
    if (const auto found = disk->names_.find(path); found != disk->names_.end()) {
      Name& name = found->second;
      if (!name.is_unsettled) name.before = disk->after_cut(name);
      name = {false, {}, {}, true, std::move(name.before)};
    }
    const int code = disk->real_->xDelete(disk->real_, path, 0);
    if (sync_folder) disk->settle_names();
    return code;
  }

  static int close(sqlite3_file* file) {
    delete of(file)->path;
    return real(file)->pMethods->xClose(real(file));
  }

  // Remembers the change, or says that the power is gone.
  static bool remember(sqlite3_file* file, Change change) {
    File* own = of(file);
    if (!own->path) return true;
    const std::scoped_lock lock(own->disk->mutex_);
    if (!own->disk->power_->take_step()) return false;
    own->disk->names_.at(*own->path).changes.push_back(std::move(change));
    return true;
  }

  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    const auto* bytes = static_cast<const std::byte*>(data);
    if (!remember(file, {offset, Bytes(bytes, bytes + size)})) return SQLITE_IOERR_WRITE;
    return real(file)->pMethods->xWrite(real(file), data, size, offset);
  }

  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (!remember(file, {size, std::nullopt})) return SQLITE_IOERR_TRUNCATE;
    return real(file)->pMethods->xTruncate(real(file), size);
  }

  static int sync(sqlite3_file* file, int) {
    File* own = of(file);
    if (!own->path) return SQLITE_OK;
    const std::scoped_lock lock(own->disk->mutex_);
    if (!own->disk->power_->take_step()) return SQLITE_IOERR_FSYNC;
    if (own->disk->ignore_syncs) return SQLITE_OK;
    Name& name = own->disk->names_.at(*own->path);
    for (const Change& change : name.changes) {
      if (change.bytes)
        write_into(name.synced, static_cast<std::size_t>(change.offset), *change.bytes);
      else
        name.synced.resize(static_cast<std::size_t>(change.offset));
    }
    name.changes.clear();
    if (std::exchange(own->syncs_folder, false)) own->disk->settle_names();
    return SQLITE_OK;
  }

  static const sqlite3_io_methods kMethods;
};

// Everything else goes to the real file as it is.
const sqlite3_io_methods ForgetfulVfs::Calls::kMethods = {
    .iVersion = 2,
    .xClose = close,
    .xRead = [](sqlite3_file* f, void* to, int size,
                sqlite3_int64 at) { return real(f)->pMethods->xRead(real(f), to, size, at); },
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize = [](sqlite3_file* f,
                    sqlite3_int64* size) { return real(f)->pMethods->xFileSize(real(f), size); },
    .xLock = [](sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); },
    .xUnlock = [](sqlite3_file* f,
                  int level) { return real(f)->pMethods->xUnlock(real(f), level); },
    .xCheckReservedLock =
        [](sqlite3_file* f, int* is_held) {
          return real(f)->pMethods->xCheckReservedLock(real(f), is_held);
        },
    .xFileControl =
        [](sqlite3_file* f, int what, void* argument) {
          return real(f)->pMethods->xFileControl(real(f), what, argument);
        },
    .xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
    .xDeviceCharacteristics =
        [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
    .xShmMap =
        [](sqlite3_file* f, int page, int size, int extend, void volatile** at) {
          return real(f)->pMethods->xShmMap(real(f), page, size, extend, at);
        },
    .xShmLock =
        [](sqlite3_file* f, int offset, int count, int flags) {
          return real(f)->pMethods->xShmLock(real(f), offset, count, flags);
        },
    .xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); },
    .xShmUnmap = [](sqlite3_file* f,
                    int is_delete) { return real(f)->pMethods->xShmUnmap(real(f), is_delete); },
};

ForgetfulVfs::ForgetfulVfs(unsigned seed, std::shared_ptr<Power> power)
    : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_), power_(std::move(power)), coin_(seed) {
  static_assert(sizeof(File) % alignof(std::max_align_t) == 0);
  vfs_.zName = "forgetful";
  vfs_.pAppData = this;
  vfs_.pNext = nullptr;
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
  vfs_.xOpen = Calls::open;
  vfs_.xDelete = Calls::remove;
  PORTCULLIS_CHECK(sqlite3_vfs_register(&vfs_, 1) == SQLITE_OK);
}

ForgetfulVfs::~ForgetfulVfs() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(real_, 1);
}

void ForgetfulVfs::settle_names() {
  if (ignore_syncs) return;
  std::erase_if(names_, [](const auto& entry) { return !entry.second.is_there; });
  for (auto& [path, name] : names_) {
    name.is_unsettled = false;
    name.before.reset();
  }
}

// Each write since the last sync reached the disk, or not, or some of its sectors did.
Bytes ForgetfulVfs::after_cut(const Name& name) {
  Bytes file = name.synced;
  for (const Change& change : name.changes) {
    if (heads()) continue;
    const auto offset = static_cast<std::size_t>(change.offset);
    if (!change.bytes) {
      file.resize(offset);
      continue;
    }
    const bool is_torn = std::bernoulli_distribution(0.2)(coin_);
    const ByteView bytes = *change.bytes;
    for (std::size_t at = 0; at < bytes.size(); at += kSector) {
      if (is_torn && heads()) continue;
      write_into(file, offset + at, bytes.subspan(at, std::min(kSector, bytes.size() - at)));
    }
  }
  return file;
}

void ForgetfulVfs::power_cut() {
  const std::scoped_lock lock(mutex_);
  for (const auto& [path, name] : names_) {
    std::optional<Bytes> left;
    if (name.is_unsettled && heads())
      left = name.before;
    else if (name.is_there)
      left = after_cut(name);
    std::filesystem::remove(path);
    if (left) {
      std::ofstream file(path, std::ios::binary);
      file << as_text(*left);
      PORTCULLIS_CHECK(file.flush().good());
    }
  }
  names_.clear();
  power_->restore();
}

}  // namespace portcullis::testing

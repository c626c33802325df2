#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <bitset>
#include <mutex>
#include <optional>

#include "blob/blob.h"

namespace portcullis::blob {

namespace fs = std::filesystem;

namespace {

class FolderStore final : public BlobStore {
 public:
  FolderStore(fs::path folder, FileSystem& files) : folder_(std::move(folder)), files_(files) {}

  // A blob of that name may stem from a put() that a power cut kept from being durable: everything
  // is synced anew, and a file of the wrong size is replaced.
  Status put(const Sha256& digest, ByteView bytes) override {
    if (sha256_of(bytes) != digest)
      return fail(Fault::us, "the bytes to store are not those of {}", digest.hex());
    const fs::path path = path_of(digest), folder = path.parent_path();
    TRY(make_folders(digest, folder));
    if (const auto size = size_of(path); size && *size != bytes.size()) TRY(files_.remove(path));
    UniqueFd file = TRY(files_.create_unnamed(folder));
    TRY(files_.write(file.get(), bytes));
    TRY(files_.sync_file(file.get()));
    TRY(files_.link(file.get(), path));
    return files_.sync_folder(folder);
  }

  Result<bool> put_link(const Sha256& digest, ByteView bytes, int fd) override {
    if (sha256_of(bytes) != digest)
      return fail(Fault::us, "the bytes to store are not those of {}", digest.hex());
    const fs::path path = path_of(digest), folder = path.parent_path();
    TRY(make_folders(digest, folder));
    std::error_code error;
    const bool is_linked = !fs::exists(path, error) && holds(fd, bytes) && files_.sync_file(fd) &&
                           files_.link(fd, path);
    // Another file system, too many names, or not ours to link.
    if (!is_linked) TRY(put(digest, bytes));
    if (is_linked) TRY(files_.sync_folder(folder));
    return is_linked;
  }

  Result<Opened> open(const Sha256& digest) const override {
    const fs::path path = path_of(digest);
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && errno == ENOENT) return fail(Fault::client, "there is no blob {}", digest.hex());
    if (!fd) return fail_errno("cannot open " + path.string());
    struct stat info{};
    if (::fstat(fd.get(), &info) != 0) return fail_errno("cannot look at " + path.string());
    return Opened{std::move(fd), static_cast<std::uint64_t>(info.st_size)};
  }

  Status remove(const Sha256& digest) override {
    const fs::path path = path_of(digest);
    std::error_code error;
    if (!fs::exists(path.parent_path(), error)) return {};
    TRY(files_.remove(path));
    return files_.sync_folder(path.parent_path());
  }

  Status list(const std::function<void(const Sha256&)>& each) const override {
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder_, error), end; !error && entry != end;
         entry.increment(error)) {
      if (!entry->is_regular_file(error)) continue;
      if (const auto digest = Sha256::from(entry->path().filename().string())) each(*digest);
    }
    if (error) return fail(Fault::storage, "cannot list {}: {}", folder_.string(), error.message());
    return {};
  }

 private:
  fs::path path_of(const Sha256& digest) const {
    const std::string hex = digest.hex();
    return folder_ / hex.substr(0, 2) / hex.substr(2, 2) / hex;
  }

  // Exactly these bytes and no more.
  static bool holds(int fd, ByteView bytes) {
    Bytes piece(std::min<std::size_t>(bytes.size() + 1, 256 * 1024));
    for (std::uint64_t at = 0;;) {
      const auto count = read_at(fd, piece, at);
      if (!count || *count > bytes.size() - at) return false;
      if (!std::ranges::equal(ByteView(piece).first(*count), bytes.subspan(at, *count)))
        return false;
      at += *count;
      if (*count < piece.size()) return at == bytes.size();
    }
  }

  static std::optional<std::uint64_t> size_of(const fs::path& path) {
    std::error_code error;
    const auto size = fs::file_size(path, error);
    return error ? std::nullopt : std::optional<std::uint64_t>(size);
  }

  // Synced each time they are not known to be: a folder that is there may have been made a moment
  // before a power cut.
  Status make_folders(const Sha256& digest, const fs::path& folder) {
    const std::size_t number = std::to_integer<std::size_t>(digest.bytes[0]) * 256 +
                               std::to_integer<std::size_t>(digest.bytes[1]);
    {
      const std::scoped_lock lock(mutex_);
      if (durable_[number]) return {};
    }
    const fs::path parent = folder.parent_path();
    TRY(files_.make_folder(parent));
    TRY(files_.make_folder(folder));
    TRY(files_.sync_folder(folder_));
    TRY(files_.sync_folder(parent));
    const std::scoped_lock lock(mutex_);
    durable_.set(number);
    return {};
  }

  fs::path folder_;
  FileSystem& files_;
  std::mutex mutex_;
  std::bitset<65'536> durable_;  // by the first two bytes
};

}  // namespace

Result<std::unique_ptr<BlobStore>> open_folder(const fs::path& folder, FileSystem& files) {
  TRY(files.make_folder(folder));
  TRY(files.sync_folder(folder.parent_path()));
  return std::make_unique<FolderStore>(folder, files);
}

}  // namespace portcullis::blob

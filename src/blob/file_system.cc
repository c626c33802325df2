#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "blob/blob.h"

namespace portcullis::blob {

namespace fs = std::filesystem;

namespace {

class RealFileSystem final : public FileSystem {
 public:
  Status make_folder(const fs::path& path) override {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
      return fail_errno("cannot make " + path.string());
    return {};
  }

  Result<UniqueFd> create_unnamed(const fs::path& folder) override {
    UniqueFd fd(::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (!fd) return fail_errno("cannot make a file in " + folder.string());
    return fd;
  }

  Status write(int fd, ByteView bytes) override { return write_all(fd, bytes); }

  Status sync_file(int fd) override {
    if (::fsync(fd) != 0) return fail_errno("cannot sync a file");
    return {};
  }

  // linkat with AT_EMPTY_PATH needs a capability; the way over /proc does not (open(2), O_TMPFILE).
  Status link(int fd, const fs::path& path) override {
    const std::string from = fmt::format("/proc/self/fd/{}", fd);
    if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0 &&
        errno != EEXIST)
      return fail_errno("cannot name " + path.string());
    return {};
  }

  Status remove(const fs::path& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
      return fail_errno("cannot remove " + path.string());
    return {};
  }

  Status sync_folder(const fs::path& path) override {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return fail_errno("cannot sync " + path.string());
    return {};
  }
};

}  // namespace

std::unique_ptr<FileSystem> real_file_system() { return std::make_unique<RealFileSystem>(); }

}  // namespace portcullis::blob

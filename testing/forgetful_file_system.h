// testing/forgetful_file_system.h: a disk that loses what was not synced when the power goes.
//
// Works in a real folder. Each change is done at once, as a running system shows it, and remembered
// until the sync that makes it durable. power_cut() then undoes what was not synced, each change by
// itself or not, as a seeded coin says: a file's unsynced bytes are lost (cut off or turned to
// zeros), a name that was made vanishes, one that was removed comes back. After stop_after(n)
// changes every call fails, as for a program that was killed. Thread-safe.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <vector>

#include "blob/blob.h"
#include "testing/power.h"

namespace portcullis::testing {

class ForgetfulFileSystem final : public blob::FileSystem {
 public:
  // `power` may be shared with other disks of the same machine, which then go dark at once.
  explicit ForgetfulFileSystem(unsigned seed,
                               std::shared_ptr<Power> power = std::make_shared<Power>())
      : power_(std::move(power)), coin_(seed) {}

  // For tests of the tests: the calls return as if they had synced.
  bool ignore_file_syncs = false;
  bool ignore_folder_syncs = false;

  void stop_after(int changes) { power_->stop_after(changes); }

  void power_cut() {
    const std::scoped_lock lock(mutex_);
    for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
      if (heads()) continue;  // this one reached the disk after all
      std::error_code error;
      if (change->kind == Change::made_name || change->kind == Change::made_folder)
        std::filesystem::remove_all(change->path, error);
      if (change->kind == Change::removed_name && !std::filesystem::exists(change->path, error))
        std::ofstream(change->path, std::ios::binary) << as_text(change->kept);
    }
    for (auto& [inode, file] : unsynced_) spoil(file);
    changes_.clear();
    unsynced_.clear();
    power_->restore();
  }

  Status make_folder(const std::filesystem::path& path) override {
    const std::scoped_lock lock(mutex_);
    TRY(step());
    const bool there = std::filesystem::exists(path);
    TRY(real_->make_folder(path));
    if (!there) changes_.push_back({Change::made_folder, path, {}});
    return {};
  }

  Result<UniqueFd> create_unnamed(const std::filesystem::path& folder) override {
    const std::scoped_lock lock(mutex_);
    TRY(step());
    return real_->create_unnamed(folder);
  }

  Status write(int fd, ByteView bytes) override {
    const std::scoped_lock lock(mutex_);
    TRY(step());
    unsynced_[inode_of(fd)] =
        UniqueFd(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDWR | O_CLOEXEC));
    return real_->write(fd, bytes);
  }

  Status sync_file(int fd) override {
    const std::scoped_lock lock(mutex_);
    TRY(step());
    if (!ignore_file_syncs) unsynced_.erase(inode_of(fd));
    return {};
  }

  Status link(int fd, const std::filesystem::path& path) override {
    const std::scoped_lock lock(mutex_);
    TRY(step());
    const bool there = std::filesystem::exists(path);
    TRY(real_->link(fd, path));
    if (!there) changes_.push_back({Change::made_name, path, {}});
    return {};
  }

  Status remove(const std::filesystem::path& path) override {
    const std::scoped_lock lock(mutex_);
    TRY(step());
    Result<Bytes> kept = read_file(path.string(), UINT64_MAX);
    if (!kept) return {};
    TRY(real_->remove(path));
    changes_.push_back({Change::removed_name, path, std::move(*kept)});
    return {};
  }

  Status sync_folder(const std::filesystem::path& path) override {
    const std::scoped_lock lock(mutex_);
    TRY(step());
    if (!ignore_folder_syncs)
      std::erase_if(changes_, [&](const Change& c) { return c.path.parent_path() == path; });
    return {};
  }

 private:
  struct Change {
    enum Kind { made_name, removed_name, made_folder } kind;
    std::filesystem::path path;
    Bytes kept;  // what a removed name stood for
  };

  bool heads() { return std::bernoulli_distribution(0.5)(coin_); }

  Status step() {
    if (!power_->take_step()) return fail(Fault::storage, "the power is gone");
    return {};
  }

  static ino_t inode_of(int fd) {
    struct stat info{};
    PORTCULLIS_CHECK(::fstat(fd, &info) == 0);
    return info.st_ino;
  }

  void spoil(const UniqueFd& file) {
    struct stat info{};
    if (::fstat(file.get(), &info) != 0 || info.st_size == 0) return;
    const auto size = std::uniform_int_distribution<off_t>(0, info.st_size - 1)(coin_);
    PORTCULLIS_CHECK(::ftruncate(file.get(), size) == 0);
    if (heads())
      PORTCULLIS_CHECK(::ftruncate(file.get(), info.st_size) ==
                       0);  // zeros instead of the lost bytes
  }

  std::unique_ptr<blob::FileSystem> real_ = blob::real_file_system();
  std::mutex mutex_;
  std::shared_ptr<Power> power_;
  std::mt19937 coin_;
  std::vector<Change> changes_;
  std::map<ino_t, UniqueFd> unsynced_;
};

}  // namespace portcullis::testing

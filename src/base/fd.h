// base/fd.h: a file descriptor that closes itself, and whole reads and writes.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace portcullis {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

// All bytes or an error; interrupted calls are continued.
Status write_all(int fd, ByteView bytes);
// Up to bytes.size() from `offset` (fewer only at the end of the file); gives the count.
Result<std::size_t> read_at(int fd, std::span<std::byte> bytes, std::uint64_t offset);
// The whole file; fails with Fault::limits beyond `most` bytes.
Result<Bytes> read_file(const std::string& path, std::uint64_t most);

}  // namespace portcullis

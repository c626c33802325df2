#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "decoder/decoder.h"

namespace portcullis::decoder {

// F_SEAL_WRITE fails while anybody has the memory mapped for writing: such a worker lies.
Result<SealedBytes> SealedBytes::seal(UniqueFd memfd, std::uint64_t size) {
  if (::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) !=
      0)
    return fail_errno("an output could not be sealed");
  struct stat info{};
  if (::fstat(memfd.get(), &info) != 0) return fail_errno("an output could not be looked at");
  if (static_cast<std::uint64_t>(info.st_size) != size)
    return fail(Fault::upstream, "an output has {} bytes instead of {}", info.st_size, size);
  SealedBytes sealed;
  if (size == 0) return sealed;
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, memfd.get(), 0);
  if (mapped == MAP_FAILED) return fail_errno("an output could not be mapped");
  sealed.data_ = static_cast<const std::byte*>(mapped);
  sealed.size_ = size;
  return sealed;
}

SealedBytes::SealedBytes(SealedBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SealedBytes& SealedBytes::operator=(SealedBytes&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

SealedBytes::~SealedBytes() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace portcullis::decoder

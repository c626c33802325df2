// media/spool.h: where an upload waits for its verdict: a temporary file that never gets a name.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"
#include "net/net.h"

namespace portcullis::media {

// Bytes that all spools together may take. Thread-safe.
class SpoolBudget {
 public:
  SpoolBudget(std::uint64_t most, std::atomic<std::uint64_t>& used) : most_(most), used_(used) {}
  bool take(std::uint64_t bytes);
  void give_back(std::uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  std::uint64_t most_;
  std::atomic<std::uint64_t>& used_;
};

// Grows while bytes come in, hashing them on the way. The file vanishes with the object, or with
// the process.
class Spool {
 public:
  // Fault::storage when `folder` cannot take a file. `budget` must outlive the spool.
  static Result<Spool> create(const std::filesystem::path& folder, SpoolBudget& budget,
                              std::uint64_t max_size);
  // Bytes that lie elsewhere and were hashed there: nothing is added, and no budget counts them.
  static Spool of_file(UniqueFd fd, std::uint64_t size, const Digests& digests);
  Spool(Spool&& other) noexcept;
  Spool& operator=(Spool&&) = delete;
  ~Spool();

  // Blocks. Errors: "validate-file-size" over max_size, "spool-full" when the budget is used up,
  // Fault::limits on a full disk.
  Status add(ByteView bytes);
  void finish() { digests_ = builder_.finish(); }

  int fd() const { return fd_.get(); }
  std::uint64_t size() const { return size_; }
  const Digests& digests() const { return digests_; }  // after finish()

 private:
  Spool(UniqueFd fd, SpoolBudget* budget, std::uint64_t max_size)
      : fd_(std::move(fd)), budget_(budget), max_size_(max_size) {}

  UniqueFd fd_;
  SpoolBudget* budget_;
  std::uint64_t max_size_;
  std::uint64_t size_ = 0;
  DigestsBuilder builder_;
  Digests digests_;
};

struct ReceivedFile {
  Spool spool;
  std::string name;  // as the client called it; may be anything
};

// Takes the bytes of a multipart body and leaves a finished spool for each file in field
// "images[]". feed() and finish() block; not thread-safe.
class Receiver {
 public:
  struct Limits {
    std::uint64_t max_file_size = 0;
    std::size_t max_file_count = 1;
  };
  static Result<std::unique_ptr<Receiver>> create(std::string_view content_type,
                                                  const std::filesystem::path& folder,
                                                  SpoolBudget& budget, Limits limits);
  Status feed(ByteView bytes) { return parser_->feed(bytes); }
  // Errors: "validate-no-files", "validate-file-empty", or what was wrong with the body.
  Result<std::vector<ReceivedFile>> finish();

 private:
  Receiver() = default;
  Status begin(const net::PartHeader& header);

  std::filesystem::path folder_;
  SpoolBudget* budget_ = nullptr;
  Limits limits_;
  std::unique_ptr<net::MultipartParser> parser_;
  std::vector<ReceivedFile> files_;
  bool in_file_ = false;
};

}  // namespace portcullis::media

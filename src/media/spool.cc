#include "media/spool.h"

#include <fcntl.h>

namespace portcullis::media {

bool SpoolBudget::take(std::uint64_t bytes) {
  if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= most_) return true;
  give_back(bytes);
  return false;
}

Result<Spool> Spool::create(const std::filesystem::path& folder, SpoolBudget& budget,
                            std::uint64_t max_size) {
  UniqueFd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot make a temporary file in " + folder.string());
  return Spool(std::move(fd), &budget, max_size);
}

Spool Spool::of_file(UniqueFd fd, std::uint64_t size, const Digests& digests) {
  Spool spool(std::move(fd), nullptr, size);
  spool.size_ = size;
  spool.digests_ = digests;
  return spool;
}

Spool::Spool(Spool&& other) noexcept
    : fd_(std::move(other.fd_)),
      budget_(std::exchange(other.budget_, nullptr)),
      max_size_(other.max_size_),
      size_(other.size_),
      builder_(std::move(other.builder_)),
      digests_(other.digests_) {}

Spool::~Spool() {
  if (budget_) budget_->give_back(size_);
}

Status Spool::add(ByteView bytes) {
  if (bytes.size() > max_size_ - size_)
    return fail_with(Fault::client, "validate-file-size", "a file is over {} bytes", max_size_);
  if (!budget_->take(bytes.size()))
    return fail_with(Fault::limits, "spool-full",
                     "all uploads together are over media.spool_bytes");
  size_ += bytes.size();
  builder_.add(bytes);
  if (Status written = write_all(fd_.get(), bytes); !written)
    return fail(Fault::storage, "the spool is not writable: {}", written.error().what);
  return {};
}

Result<std::unique_ptr<Receiver>> Receiver::create(std::string_view content_type,
                                                   const std::filesystem::path& folder,
                                                   SpoolBudget& budget, Limits limits) {
  std::unique_ptr<Receiver> receiver(new Receiver);
  receiver->folder_ = folder;
  receiver->budget_ = &budget;
  receiver->limits_ = limits;
  Receiver* self = receiver.get();
  receiver->parser_ = std::make_unique<net::MultipartParser>(TRY(net::MultipartParser::create(
      content_type, {},
      {.part_begin = [self](const net::PartHeader& header) { return self->begin(header); },
       .part_data =
           [self](ByteView bytes) {
             return self->in_file_ ? self->files_.back().spool.add(bytes) : Status();
           },
       .part_end =
           [self] {
             if (self->in_file_) self->files_.back().spool.finish();
             self->in_file_ = false;
             return Status();
           }})));
  return receiver;
}

// Other fields are read and dropped, as pict-rs does.
Status Receiver::begin(const net::PartHeader& header) {
  if (header.name != "images[]") return {};
  if (files_.size() >= limits_.max_file_count)
    return fail_with(Fault::client, "file-upload-error", "more than {} files in one upload",
                     limits_.max_file_count);
  files_.push_back(
      {TRY(Spool::create(folder_, *budget_, limits_.max_file_size)), header.filename.value_or("")});
  in_file_ = true;
  return {};
}

Result<std::vector<ReceivedFile>> Receiver::finish() {
  TRY(parser_->finish());
  if (files_.empty())
    return fail_with(Fault::client, "validate-no-files", "no part is named images[]");
  for (const ReceivedFile& file : files_)
    if (file.spool.size() == 0)
      return fail_with(Fault::client, "validate-file-empty", "a file has no bytes");
  return std::move(files_);
}

}  // namespace portcullis::media

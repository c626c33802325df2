#include "app/old_store.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace portcullis::app {

namespace {

constexpr std::size_t kPiece = 256 * 1024;

class OldDatabase final : public OldStore {
 public:
  OldDatabase(std::unique_ptr<pictrs::Database> database, OldFolder folder, Pool& files)
      : database_(std::move(database)), folder_(std::move(folder)), files_(files) {}

  std::string name() const override { return database_->shown(); }
  std::string files() const override { return folder_.root.string(); }

  Task<Result<std::uint64_t>> count() override {
    co_return co_await files_.run([&] { return database_->count(); });
  }

  Task<Result<OldPage>> page(std::string from, std::size_t most) override {
    auto found = CO_TRY(co_await files_.run([&] { return database_->files_after(from, most); }));
    OldPage page{{}, std::move(found.last), found.skipped};
    for (pictrs::File& file : found.files)
      page.pictures.push_back(
          {file.key, std::move(file.identifier), file.created, std::move(file.names)});
    co_return page;
  }

  Task<Result<OldFile>> open(const OldPicture& picture, std::uint64_t max_bytes) override {
    co_return co_await files_.run([&] { return folder_.open(picture.identifier, max_bytes); });
  }

 private:
  std::unique_ptr<pictrs::Database> database_;
  OldFolder folder_;
  Pool& files_;
};

class OldServer final : public OldStore {
 public:
  OldServer(std::unique_ptr<pictrs::Client> client, std::optional<OldFolder> folder,
            std::filesystem::path spool, Pool& files, const Clock& clock)
      : client_(std::move(client)),
        folder_(std::move(folder)),
        spool_(std::move(spool)),
        files_(files),
        clock_(clock) {}

  std::string name() const override { return client_->address(); }
  std::string files() const override {
    return folder_ ? folder_->root.string() : client_->address();
  }
  Task<Result<std::uint64_t>> count() override { co_return std::uint64_t{0}; }

  Task<Result<OldPage>> page(std::string from, std::size_t most) override {
    auto found = CO_TRY(co_await client_->hashes(most, std::move(from)));
    OldPage page{{}, std::move(found.next), found.skipped};
    for (pictrs::Entry& entry : found.entries) {
      const auto created = entry.details ? entry.details->created : std::nullopt;
      OldPicture picture{entry.key, {}, created.value_or(clock_.now()), {}};
      for (std::string& alias : entry.aliases) picture.names.push_back({std::move(alias), {}, {}});
      page.pictures.push_back(std::move(picture));
    }
    co_return page;
  }

  Task<Result<OldFile>> open(const OldPicture& picture, std::uint64_t max_bytes) override {
    const std::string& alias = picture.names.front().alias;
    if (!folder_) co_return co_await download(alias, max_bytes);
    const auto identifier = co_await client_->identifier(alias);
    if (!identifier) co_return co_await missing_or(identifier.error());
    co_return co_await files_.run([&] { return folder_->open(*identifier, max_bytes); });
  }

 private:
  Task<Result<OldFile>> download(const std::string& alias, std::uint64_t max_bytes) {
    OldFile file;
    file.fd.reset(::open(spool_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file.fd) co_return fail_errno("cannot make a temporary file in " + spool_.string());
    DigestsBuilder digests;
    const Status fetched =
        co_await client_->original(alias, max_bytes, [&](ByteView bytes) -> Status {
          file.size += bytes.size();
          digests.add(bytes);
          return write_all(file.fd.get(), bytes);
        });
    if (!fetched) co_return co_await missing_or(fetched.error());
    file.digests = digests.finish();
    co_return file;
  }

  // pict-rs answers 500 for a file that it has lost. If it is well otherwise, that is what it was.
  Task<Result<OldFile>> missing_or(Error error) {
    const bool is_lost = error.code == "alias-not-found" ||
                         (error.code == "pict-rs-failed" && co_await client_->health());
    if (is_lost) co_return fail_with(Fault::client, "missing", "{}", error.what);
    co_return std::unexpected(std::move(error));
  }

  std::unique_ptr<pictrs::Client> client_;
  std::optional<OldFolder> folder_;
  std::filesystem::path spool_;
  Pool& files_;
  const Clock& clock_;
};

}  // namespace

// The identifier was vetted where it was read; a link in its place is not followed.
Result<OldFile> OldFolder::open(const std::string& identifier, std::uint64_t max_bytes) const {
  if (!pictrs::is_identifier(identifier))
    return fail_with(Fault::client, "missing", "its path cannot be one");
  const std::filesystem::path path = root / identifier;
  OldFile file;
  file.fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.fd && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
    return fail_with(Fault::client, "missing", "there is no file {}", path.string());
  if (!file.fd) return fail_errno("cannot open " + path.string());
  struct stat info{};
  if (::fstat(file.fd.get(), &info) != 0) return fail_errno("cannot look at " + path.string());
  if (!S_ISREG(info.st_mode))
    return fail_with(Fault::client, "missing", "{} is no file", path.string());
  if (static_cast<std::uint64_t>(info.st_size) > max_bytes)
    return fail_with(Fault::limits, "validate-file-size", "it has more than {} bytes", max_bytes);
  DigestsBuilder digests;
  Bytes piece(kPiece);
  while (true) {
    const auto count = read_at(file.fd.get(), piece, file.size);
    if (!count)
      return fail_with(Fault::client, "missing", "{}: {}", path.string(), count.error().what);
    if (*count == 0) break;
    digests.add(ByteView(piece).first(*count));
    file.size += *count;
  }
  file.digests = digests.finish();
  file.has_name = true;
  return file;
}

std::unique_ptr<OldStore> old_database(std::unique_ptr<pictrs::Database> database, OldFolder folder,
                                       Pool& files) {
  return std::make_unique<OldDatabase>(std::move(database), std::move(folder), files);
}

std::unique_ptr<OldStore> old_server(std::unique_ptr<pictrs::Client> client,
                                     std::optional<OldFolder> folder, std::filesystem::path spool,
                                     Pool& files, const Clock& clock) {
  return std::make_unique<OldServer>(std::move(client), std::move(folder), std::move(spool), files,
                                     clock);
}

}  // namespace portcullis::app

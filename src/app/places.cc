#include "app/places.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"

namespace portcullis::app {

namespace fs = std::filesystem;

fs::path program_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::current_path() : program.parent_path();
}

fs::path decoder_program() { return program_folder() / "portcullis-decoder"; }

Result<fs::path> shipped(const std::string& name) {
  const fs::path beside = program_folder() / name;
  const fs::path share = program_folder().parent_path() / "share" / "portcullis" / name;
  std::error_code error;
  for (const fs::path& candidate : {beside, share})
    if (fs::is_directory(candidate, error)) return fs::canonical(candidate, error);
  return fail(Fault::us, "the folder {} is neither at {} nor at {}: install Portcullis whole", name,
              beside.string(), share.string());
}

Result<fs::path> find_config(const std::string& given) {
  std::error_code error;
  if (!given.empty()) {
    if (fs::exists(given, error)) return fs::absolute(given);
    return fail(
        Fault::client,
        "there is no config file {}: make one with `portcullis init --config {} --data FOLDER`",
        given, given);
  }
  for (const char* candidate : {"portcullis.toml", "/etc/portcullis/portcullis.toml"})
    if (fs::exists(candidate, error)) return fs::absolute(candidate);
  return fail(Fault::client,
              "there is neither ./portcullis.toml nor /etc/portcullis/portcullis.toml: name one "
              "with --config, or make "
              "one with `portcullis init --data FOLDER`");
}

Result<config::Config> load_config(const fs::path& file) {
  config::Config config = TRY(config::load(file));
  if (config.inference.models.empty()) config.inference.models = TRY(shipped("models"));
  return config;
}

Result<DataFolder> open_data_folder(const config::Config& config) {
  DataFolder data{config.data};
  for (const fs::path& folder :
       {data.root, data.blobs(), data.spool(), data.lists(), data.evidence()}) {
    std::error_code error;
    if (fs::create_directories(folder, error))
      ::chmod(folder.c_str(), 0700);
    else if (error || !fs::is_directory(folder))
      return fail(
          Fault::storage,
          "the data folder {} cannot be made ({}): correct `data` in the config or the rights",
          folder.string(), error ? error.message() : "something else has that name");
  }
  UniqueFd probe(::open(data.spool().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!probe)
    return fail(Fault::storage,
                "the data folder {} cannot be written ({}): give it to the user that runs "
                "Portcullis, on a file system "
                "with O_TMPFILE such as ext4 or xfs",
                data.root.string(), std::generic_category().message(errno));
  return data;
}

Result<UniqueFd> lock_data_folder(const DataFolder& data) {
  const fs::path path = data.root / "serve.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot open " + path.string());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Fault::storage, "another `portcullis serve` runs on {}: stop it first",
                data.root.string());
  return fd;
}

Result<UniqueFd> lock_purging(const DataFolder& data) {
  const fs::path path = data.root / "purge.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot open " + path.string());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Fault::client, "another purge is at work on {}: let it end first",
                data.root.string());
  return fd;
}

std::string actor() {
  for (const char* variable : {"SUDO_USER", "USER", "LOGNAME"})
    if (const char* name = std::getenv(variable); name && *name)
      return std::string(name).substr(0, 64);
  const passwd* user = ::getpwuid(::getuid());
  return user ? user->pw_name : fmt::format("uid {}", ::getuid());
}

Status rename_durably(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno("cannot rename " + from.string());
  UniqueFd folder(::open(to.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0)
    return fail_errno("cannot sync " + to.parent_path().string());
  return {};
}

Status write_durably(const fs::path& path, const std::function<Status(int fd)>& write) {
  const fs::path fresh = path.string() + "." + random_hex(6) + ".new";
  UniqueFd fd(::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot make " + fresh.string());
  Status written = write(fd.get());
  if (written && ::fsync(fd.get()) != 0) written = fail_errno("cannot sync " + fresh.string());
  if (written) return rename_durably(fresh, path);
  ::unlink(fresh.c_str());
  return written;
}

Status write_durably(const fs::path& path, ByteView bytes) {
  return write_durably(path, [&](int fd) { return write_all(fd, bytes); });
}

}  // namespace portcullis::app

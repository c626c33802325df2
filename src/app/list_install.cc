#include "app/list_install.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "app/ruleset.h"

namespace portcullis::app {

namespace fs = std::filesystem;

namespace {

// '+' and '~' are in no list's name.
std::string encoded(std::string name) {
  std::ranges::replace(name, '/', '+');
  return name;
}

constexpr std::size_t kVersionDigits = 16;
constexpr std::string_view kEnding = ".list";

std::string file_name(const std::string& list, const Sha256& version) {
  return fmt::format("{}-{}{}", encoded(list), version.hex().substr(0, kVersionDigits), kEnding);
}

bool is_file_of(std::string_view file, const std::string& list) {
  const std::string name = encoded(list);
  if (file.starts_with("~" + name + "~")) return true;
  if (!file.starts_with(name + "-") || !file.ends_with(kEnding)) return false;
  return file.size() == name.size() + 1 + kVersionDigits + kEnding.size();
}

// A byte of the lock file for each list; two that share one wait for each other for nothing.
off_t place_of(const std::string& list) {
  const Sha256 digest = sha256_of(as_bytes(list));
  std::uint32_t number = 0;
  std::memcpy(&number, digest.bytes.data(), sizeof number);
  return static_cast<off_t>(number >> 1);
}

}  // namespace

Result<OpenedStore> open_store(const std::string& config_file, const Clock& clock) {
  config::Config config = TRY(load_config(TRY(find_config(config_file))));
  DataFolder data = TRY(open_data_folder(config));
  auto store = TRY(store::open_sqlite({.file = data.database()}, clock));
  return OpenedStore{std::move(config), std::move(data), std::move(store)};
}

Result<ListLock> ListLock::take(const DataFolder& data, const std::string& list) {
  const fs::path path = data.root / "lists.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot open " + path.string());
  struct flock wish{};
  wish.l_type = F_WRLCK;
  wish.l_whence = SEEK_SET;
  wish.l_start = place_of(list);
  wish.l_len = 1;
  if (::fcntl(fd.get(), F_SETLK, &wish) == 0) return ListLock(std::move(fd));
  if (errno != EACCES && errno != EAGAIN) return fail_errno("cannot lock " + path.string());
  struct flock holder = wish;
  if (::fcntl(fd.get(), F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK)
    std::fprintf(stderr, "Process %d is changing the list %s; waiting for it to end.\n",
                 static_cast<int>(holder.l_pid), list.c_str());
  while (::fcntl(fd.get(), F_SETLKW, &wish) != 0)
    if (errno != EINTR) return fail_errno("cannot lock " + path.string());
  return ListLock(std::move(fd));
}

std::optional<store::HashListRow> find_list(const std::vector<store::HashListRow>& rows,
                                            const std::string& name) {
  const auto found = std::ranges::find(rows, name, &store::HashListRow::name);
  return found == rows.end() ? std::nullopt : std::optional(*found);
}

Status stage_list(const DataFolder& data, const hash::ListEntries& entries,
                  store::HashListRow& row) {
  const fs::path fresh = data.lists() / fmt::format("~{}~new", encoded(row.name));
  TRY(write_durably(fresh, [&](int fd) { return hash::write_list(entries, fd); }));
  const auto written = TRY(hash::HashList::open(fresh.string()));
  row.version = written.version().hex();
  row.count = entries.size();
  row.file = file_name(row.name, written.version());
  const fs::path path = data.lists() / row.file;
  return rename_durably(fresh, path);
}

void clean_up_list(const DataFolder& data, const std::string& list, const std::string& keep) {
  std::error_code error;
  std::vector<fs::path> gone;
  for (const auto& entry : fs::directory_iterator(data.lists(), error)) {
    const std::string file = entry.path().filename().string();
    if (file != keep && is_file_of(file, list)) gone.push_back(entry.path());
  }
  for (const fs::path& path : gone) fs::remove(path, error);
}

void warn_if_unused(const config::Config& config, const std::vector<store::HashListRow>& rows,
                    const std::string& name) {
  const auto text = read_file(config.policy.string(), 1024 * 1024);
  if (!text) return;
  const auto parsed =
      policy::Policy::parse(as_text(*text), config.policy.string(), vocabulary(config, rows));
  if (!parsed) {
    std::fprintf(stderr,
                 "Warning: the policy has an error, so the running gate keeps its old one: %s\n",
                 parsed.error().what.c_str());
    return;
  }
  for (const policy::Lint& lint : parsed->lints())
    if (lint.what.find(name) != std::string::npos)
      std::fprintf(stderr, "Warning: %s: %s\n", lint.where.c_str(), lint.what.c_str());
}

Status record_action(store::Store& store, const std::string& action, const std::string& subject,
                     std::string details, WallTime now) {
  store::AuditEntry entry;
  entry.actor = actor();
  entry.action = action;
  entry.subject = subject;
  entry.details = std::move(details);
  return store.audit(entry, now);
}

}  // namespace portcullis::app

#include "app/purge_hook.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

namespace portcullis::app {

namespace {

constexpr std::size_t kMostWaiting = 100'000;
constexpr int kMostMilliseconds = 30'000;

}  // namespace

std::string purge_lines(const std::vector<std::string>& aliases,
                        const std::vector<std::string>& hosts) {
  std::string text;
  for (const std::string& alias : aliases)
    for (const char* path : {"/pictrs/image/", "/api/v4/image/"}) {
      if (hosts.empty()) text += fmt::format("{}{}\n", path, alias);
      for (const std::string& host : hosts)
        text += fmt::format("https://{}{}{}\n", host, path, alias);
    }
  return text;
}

PurgeHook::PurgeHook(std::filesystem::path program, std::vector<std::string> hosts)
    : program_(std::move(program)), hosts_(std::move(hosts)), thread_([this] { work(); }) {}

PurgeHook::~PurgeHook() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void PurgeHook::tell(const std::vector<std::string>& aliases) {
  {
    const std::scoped_lock lock(mutex_);
    if (waiting_.size() + aliases.size() > kMostWaiting) {
      log::error("the purge hook is not told of everything, since it is too slow",
                 {{"untold", aliases.size()}});
      return;
    }
    waiting_.insert(waiting_.end(), aliases.begin(), aliases.end());
  }
  changed_.notify_one();
}

void PurgeHook::work() {
  while (true) {
    std::vector<std::string> aliases;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      aliases.swap(waiting_);
    }
    run(aliases);
  }
}

void PurgeHook::run(const std::vector<std::string>& aliases) const {
  const std::string lines = purge_lines(aliases, hosts_);
  const UniqueFd input(::memfd_create("purged", MFD_CLOEXEC));
  if (!input || !write_all(input.get(), as_bytes(lines)) || ::lseek(input.get(), 0, SEEK_SET) != 0)
    return log::error("the purge hook cannot be told anything", {});
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.get(), STDIN_FILENO);
  std::string name = program_.string();
  char* const arguments[] = {name.data(), nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program_.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return log::error("the purge hook cannot be run",
                      {{"program", name}, {"why", std::string_view(::strerror(error))}});
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd wait{process.get(), POLLIN, 0};
  if (::poll(&wait, 1, kMostMilliseconds) == 0) {
    log::error("the purge hook took too long and was killed", {{"program", name}});
    ::kill(pid, SIGKILL);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) log::error("the purge hook failed", {{"program", name}, {"status", status}});
}

}  // namespace portcullis::app

#include "app/hook.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "base/fd.h"
#include "base/log.h"

namespace portcullis::app {

namespace {

constexpr std::size_t kMostWaiting = 32 * 1024 * 1024;
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

std::string alert_line(WallTime when, std::string_view what, std::string_view text) {
  return boost::json::serialize(
             boost::json::object{{"when", rfc3339(when)}, {"what", what}, {"text", text}}) +
         '\n';
}

Hook::Hook(std::string name, std::filesystem::path program)
    : name_(std::move(name)), program_(std::move(program)), thread_([this] { work(); }) {}

Hook::~Hook() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Hook::tell(std::string_view lines) {
  {
    const std::scoped_lock lock(mutex_);
    if (waiting_.size() + lines.size() > kMostWaiting) {
      log::error("a hook is not told of everything, since it is too slow",
                 {{"hook", name_}, {"untold_bytes", lines.size()}});
      return;
    }
    waiting_ += lines;
  }
  changed_.notify_one();
}

void Hook::work() {
  while (true) {
    std::string lines;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      lines.swap(waiting_);
    }
    run(lines);
  }
}

void Hook::run(const std::string& lines) const {
  const UniqueFd input(::memfd_create("lines", MFD_CLOEXEC));
  if (!input || !write_all(input.get(), as_bytes(lines)) || ::lseek(input.get(), 0, SEEK_SET) != 0)
    return log::error("a hook cannot be told anything", {{"hook", name_}});
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.get(), STDIN_FILENO);
  std::string name = program_.string();
  char* const arguments[] = {name.data(), nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program_.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return log::error(
        "a hook cannot be run",
        {{"hook", name_}, {"program", name}, {"why", std::string_view(::strerror(error))}});
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd wait{process.get(), POLLIN, 0};
  if (::poll(&wait, 1, kMostMilliseconds) == 0) {
    log::error("a hook took too long and was killed", {{"hook", name_}, {"program", name}});
    ::kill(pid, SIGKILL);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0)
    log::error("a hook failed", {{"hook", name_}, {"program", name}, {"status", status}});
}

}  // namespace portcullis::app

// portcullis-decoder: the keeper. Has no threads and opens nothing; forks a worker for each request
// on its socket.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "decoder/worker/keeper.h"

#include "decoder/packet.h"
#include "decoder/protocol.h"
#include "decoder/worker/worker.h"

namespace portcullis::decoder {
namespace {

constexpr std::chrono::milliseconds kForEver{-1};

// False when the gate is gone.
bool start_one(int control, JobFunction job) {
  std::vector<UniqueFd> none;
  const auto wanted = receive_struct<NewWorker>(control, none, 0, kForEver);
  if (!wanted) return false;
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return false;
  UniqueFd gate_end(pair[0]), worker_end(pair[1]);
  const pid_t keeper = ::getpid();
  // Only here, so that a child that has ended already keeps its number until pidfd_open() below.
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  const pid_t child = ::fork();
  if (child < 0)
    return send_struct(control, Started{}).has_value();  // without descriptors: it did not work
  if (child == 0) {
    ::close(control);
    gate_end.reset();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != keeper) ::_exit(1);
    run_worker(worker_end.get(), *wanted, job);
  }
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  const int fds[] = {gate_end.get(), process.get()};
  return send_struct(control, Started{},
                     process ? std::span<const int>(fds) : std::span<const int>())
      .has_value();
}

}  // namespace

int run_keeper(JobFunction job) {
  sockaddr_storage address;
  socklen_t length = sizeof address;
  if (::getsockname(kControlFd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    std::fputs("This program is started by portcullis, not by hand.\n", stderr);
    return 2;
  }
  ::fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
  ::close_range(kControlFd + 1, ~0U, 0);  // whatever the gate's own parent left open
  // These come to the whole process group or service, and are the gate's to handle: while uploads
  // under way finish, decoders are needed. They end when the gate does.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) std::signal(signal, SIG_IGN);
  while (start_one(kControlFd, job)) {
  }
  return 0;
}

}  // namespace portcullis::decoder

// portcullis-decoder: the keeper. Has no threads and opens nothing; forks a worker for each request
// on its socket.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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
  std::signal(SIGCHLD, SIG_IGN);  // the kernel reaps
  std::signal(
      SIGINT,
      SIG_IGN);  // a Ctrl-C at the terminal is the gate's to handle: uploads under way finish
  while (start_one(kControlFd, job)) {
  }
  return 0;
}

}  // namespace portcullis::decoder

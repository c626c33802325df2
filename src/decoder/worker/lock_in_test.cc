// Forbidden system calls inside a real, locked-in worker: each kills it, from its first thread and
// from a second one.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "decoder/worker/lock_in.h"
#include "decoder/worker/worker.h"

namespace portcullis::decoder {
namespace {

constexpr int kSurvived = 42, kNotPrepared = 43;

// The codecs' warm-up, which takes most of a worker's start and has no part in the lock, is left
// out on wish.
enum class WarmUp { yes, no };

Status prepare(int socket, const NewWorker& limits, WarmUp warm) {
  if (warm == WarmUp::yes) return prepare_worker(socket, limits);
  start_vips();
  TRY(limit_process(limits.memory, limits.cpu_seconds, limits.max_output));
  return filter_system_calls();
}

// What became of a worker that ran `call` after it had locked itself in.
int fate_of(const std::function<void()>& call, bool second_thread, WarmUp warm) {
  int pair[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    NewWorker limits;
    limits.memory = 1024ull * 1024 * 1024;
    limits.max_output = 256ull * 1024 * 1024;
    limits.cpu_seconds = 60;
    if (!prepare(pair[1], limits, warm)) ::_exit(kNotPrepared);
    if (second_thread)
      std::thread(call).join();
    else
      call();
    ::_exit(kSurvived);
  }
  ::close(pair[0]);
  ::close(pair[1]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

std::string text_of(int status) {
  if (WIFEXITED(status))
    return WEXITSTATUS(status) == kSurvived ? "survived"
                                            : fmt::format("exit {}", WEXITSTATUS(status));
  return ::strsignal(WTERMSIG(status));
}

TEST(LockIn, kills_a_worker_that_makes_a_forbidden_system_call) {
  const pid_t parent = ::getpid();
  const struct {
    const char* name;
    std::function<void()> call;
  } cases[] = {
      {"open", [] { ::syscall(SYS_open, "/etc/passwd", O_RDONLY); }},
      {"openat", [] { ::syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }},
      {"openat2", [] { ::syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", nullptr, 0); }},
      {"creat", [] { ::syscall(SYS_creat, "/tmp/x", 0600); }},
      {"unlink", [] { ::syscall(SYS_unlink, "/tmp/x"); }},
      {"rename", [] { ::syscall(SYS_rename, "/tmp/x", "/tmp/y"); }},
      {"stat", [] { ::syscall(SYS_stat, "/etc/passwd", nullptr); }},
      {"readlink", [] { ::syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", nullptr, 0); }},
      {"socket", [] { ::syscall(SYS_socket, AF_INET, SOCK_STREAM, 0); }},
      {"socketpair", [] { ::syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, nullptr); }},
      {"connect", [] { ::syscall(SYS_connect, 3, nullptr, 0); }},
      {"bind", [] { ::syscall(SYS_bind, 3, nullptr, 0); }},
      {"fork", [] { ::syscall(SYS_fork); }},
      {"vfork", [] { ::syscall(SYS_vfork); }},
      {"clone of a process", [] { ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0); }},
      {"clone into a namespace",
       [] { ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, 0); }},
      {"execve", [] { ::syscall(SYS_execve, "/bin/true", nullptr, nullptr); }},
      {"execveat", [] { ::syscall(SYS_execveat, AT_FDCWD, "/bin/true", nullptr, nullptr, 0); }},
      {"ptrace", [parent] { ::syscall(SYS_ptrace, PTRACE_ATTACH, parent, nullptr, nullptr); }},
      {"process_vm_readv",
       [parent] { ::syscall(SYS_process_vm_readv, parent, nullptr, 0, nullptr, 0, 0); }},
      {"process_vm_writev",
       [parent] { ::syscall(SYS_process_vm_writev, parent, nullptr, 0, nullptr, 0, 0); }},
      {"kill of another process", [parent] { ::syscall(SYS_kill, parent, 0); }},
      {"tgkill of another process", [parent] { ::syscall(SYS_tgkill, parent, parent, 0); }},
      {"pidfd_open", [parent] { ::syscall(SYS_pidfd_open, parent, 0); }},
      {"mount", [] { ::syscall(SYS_mount, "a", "b", "c", 0, nullptr); }},
      {"unshare", [] { ::syscall(SYS_unshare, CLONE_NEWNS); }},
      {"setns", [] { ::syscall(SYS_setns, 0, 0); }},
      {"chroot", [] { ::syscall(SYS_chroot, "/"); }},
      {"bpf", [] { ::syscall(SYS_bpf, 0, nullptr, 0); }},
      {"io_uring_setup", [] { ::syscall(SYS_io_uring_setup, 1, nullptr); }},
      {"perf_event_open", [] { ::syscall(SYS_perf_event_open, nullptr, 0, 0, 0, 0); }},
      {"memfd_create", [] { ::syscall(SYS_memfd_create, "x", 0); }},
      {"ioctl", [] { ::syscall(SYS_ioctl, 0, 0, 0); }},
      {"fcntl", [] { ::syscall(SYS_fcntl, 0, F_ADD_SEALS, 0); }},
      {"prctl to be dumpable", [] { ::syscall(SYS_prctl, PR_SET_DUMPABLE, 1); }},
      {"mmap of code",
       [] {
         ::syscall(SYS_mmap, nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                   0);
       }},
      {"mprotect to code",
       [] {
         void* page =
             ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         ::syscall(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC);
       }},
      {"open_by_handle_at", [] { ::syscall(SYS_open_by_handle_at, 0, nullptr, 0); }},
      {"a call by a number of the x32 ABI", [] { ::syscall(0x40000000 | SYS_getpid); }},
      {"setrlimit", [] { ::syscall(SYS_setrlimit, 0, nullptr); }},
      {"setuid", [] { ::syscall(SYS_setuid, 0); }},
      {"keyctl", [] { ::syscall(SYS_keyctl, 0); }},
      {"userfaultfd", [] { ::syscall(SYS_userfaultfd, 0); }},
  };
  for (const auto& c : cases)
    for (const bool second_thread : {false, true}) {
      const int status = fate_of(c.call, second_thread, WarmUp::no);
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
          << c.name << (second_thread ? " on a second thread: " : " on the first thread: ")
          << text_of(status);
    }
}

TEST(LockIn, leaves_a_worker_what_it_needs) {
  const struct {
    const char* name;
    std::function<void()> call;
  } cases[] = {
      {"nothing", [] {}},
      {"memory", [] { Bytes(64 * 1024 * 1024, std::byte{1}); }},
      {"another thread", [] { std::thread([] { Bytes(1024 * 1024, std::byte{1}); }).join(); }},
      {"the time", [] { (void)std::chrono::system_clock::now(); }},
      {"clone3 that is not there",
       [] {
         if (::syscall(SYS_clone3, nullptr, 0) != -1 || errno != ENOSYS) ::_exit(1);
       }},
      {"an exception",
       [] {
         try {
           throw std::runtime_error("x");
         } catch (const std::exception&) {
         }
       }},
  };
  for (const auto& c : cases) {
    const int status = fate_of(c.call, false, WarmUp::yes);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kSurvived)
        << c.name << ": " << text_of(status);
  }
}

}  // namespace
}  // namespace portcullis::decoder

#include "decoder/worker/lock_in.h"

#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace portcullis::decoder {

namespace {

Status limit(__rlimit_resource what, std::uint64_t most) {
  const rlimit value{most, most};
  if (::setrlimit(what, &value) != 0) return fail_errno("cannot limit a decoder");
  return {};
}

// A ruleset that handles everything and allows nothing. Kernels without Landlock are served by the
// filter alone.
void deny_files() {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // all of version 1
  const auto ruleset =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
  if (ruleset < 0) return;
  ::syscall(SYS_landlock_restrict_self, ruleset, 0);
  ::close(ruleset);
}

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

Status allow(scmp_filter_ctx filter, int call,
             std::initializer_list<scmp_arg_cmp> conditions = {}) {
  const int code = seccomp_rule_add_array(
      filter, SCMP_ACT_ALLOW, call, static_cast<unsigned>(conditions.size()), conditions.begin());
  if (code != 0)
    return fail(Fault::us, "a rule of the decoder's filter was not taken: {}",
                std::strerror(-code));
  return {};
}

scmp_arg_cmp equal(unsigned argument, std::uint64_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

}  // namespace

Status limit_process(std::uint64_t memory, std::uint32_t cpu_seconds, std::uint64_t max_output) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("cannot give up privileges");
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // A user namespace of its own makes the others possible without root; where that is forbidden the
  // filter stands alone.
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWUTS) != 0)
    (void)::unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWUTS);
  deny_files();
  if (memory > 0 && !kSanitized) TRY(limit(RLIMIT_AS, memory));
  TRY(limit(RLIMIT_CPU, cpu_seconds));
  TRY(limit(RLIMIT_FSIZE, max_output));
  TRY(limit(RLIMIT_CORE, 0));
  // Seven at once are enough. A worker that hoards what it is handed would keep that memory alive.
  TRY(limit(RLIMIT_NOFILE, 16));
  return {};
}

Status filter_system_calls() {
  const Filter filter(seccomp_init(SCMP_ACT_KILL_PROCESS), &seccomp_release);
  if (!filter) return fail(Fault::us, "the kernel takes no system call filter");
  scmp_filter_ctx rules = filter.get();
  if (seccomp_attr_set(rules, SCMP_FLTATR_CTL_TSYNC, 1) != 0)
    return fail(Fault::us, "the filter cannot cover all threads");
  // Calls by the numbers of another architecture: the default would end one thread alone.
  if (seccomp_attr_set(rules, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0)
    return fail(Fault::us, "the filter cannot cover other architectures");

  // Bytes over descriptors it already has.
  for (const int call :
       {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(writev),
        SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(poll)})
    TRY(allow(rules, call));
  // Memory, never executable.
  for (const int call : {SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk)})
    TRY(allow(rules, call));
  TRY(allow(rules, SCMP_SYS(mmap), {masked(2, PROT_EXEC, 0)}));
  TRY(allow(rules, SCMP_SYS(mprotect), {masked(2, PROT_EXEC, 0)}));
  // Threads: clone with all of a thread's flags and none of a namespace's. clone3 hides its flags
  // behind a pointer, so it does not exist here and the C library takes clone.
  constexpr std::uint64_t kThread =
      CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  constexpr std::uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID |
                                        CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
                                        CLONE_PTRACE;
  TRY(allow(rules, SCMP_SYS(clone), {masked(0, kThread | kNamespaces, kThread)}));
  if (seccomp_rule_add(rules, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) != 0)
    return fail(Fault::us, "a rule of the decoder's filter was not taken");
  for (const int call :
       {SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
        SCMP_SYS(sched_getaffinity), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(exit),
        SCMP_SYS(exit_group), SCMP_SYS(restart_syscall)})
    TRY(allow(rules, call));
  TRY(allow(rules, SCMP_SYS(prctl), {equal(0, PR_SET_NAME)}));
  // Time, chance, signals to itself (abort).
  for (const int call : {SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
                         SCMP_SYS(gettimeofday), SCMP_SYS(getrandom), SCMP_SYS(rt_sigprocmask),
                         SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack)})
    TRY(allow(rules, call));
  TRY(allow(rules, SCMP_SYS(tgkill), {equal(0, static_cast<std::uint64_t>(::getpid()))}));
#if PORTCULLIS_SANITIZED
  // What the sanitizers' run time needs to allocate, to report and to end.
  for (const int call :
       {SCMP_SYS(readlink), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(newfstatat),
        SCMP_SYS(fstat), SCMP_SYS(sched_setaffinity), SCMP_SYS(pipe2)})
    TRY(allow(rules, call));
#endif
  if (const int code = seccomp_load(rules); code != 0)
    return fail(Fault::us, "the system call filter was not taken: {}", std::strerror(-code));
  return {};
}

}  // namespace portcullis::decoder

#include "decoder/links.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstring>

#include "decoder/packet.h"

namespace portcullis::decoder {

namespace {

constexpr std::chrono::seconds kStartTimeout{
    60};  // loading and warming up every codec takes 2 s; on a machine that is starved, far more

WireJob wire(const Job& job) {
  WireJob message;
  message.formats = job.formats;
  message.want_rendition = job.want_rendition;
  message.view_count = static_cast<std::uint8_t>(job.views.size());
  message.size = job.size;
  message.image = job.image;
  message.animation = job.animation;
  message.video = job.video;
  message.allow_audio = job.allow_audio;
  std::ranges::copy(job.views, message.views.begin());
  message.want_fingerprints = job.want_fingerprints;
  message.has_format = job.rendering.format.has_value();
  message.format = job.rendering.format.value_or(Format::jpeg);
  message.quality = job.rendering.quality;
  message.operation_count = static_cast<std::uint8_t>(job.rendering.operations.size());
  std::ranges::copy(job.rendering.operations, message.operations.begin());
  message.has_looks = job.looks_like.has_value();
  message.looks_like = job.looks_like.value_or(hash::PdqHash());
  return message;
}

Result<UniqueFd> output(const char* name) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("cannot make memory for an output");
  return fd;
}

// The same file, for reading only, whatever the descriptor may do.
Result<UniqueFd> reopen_to_read(int fd) {
  UniqueFd opened(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened) return fail_errno("cannot open the spooled file again");
  return opened;
}

std::unexpected<Error> unanswered(std::string_view why) {
  return fail_with(Fault::upstream, "decoder-unanswered", "{}", why);
}

}  // namespace

WorkerLink::~WorkerLink() { ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0); }

WorkerLink::Outcome WorkerLink::ask(const Job& job, std::chrono::milliseconds timeout) {
  PORTCULLIS_CHECK(job.views.size() <= kMaxViewSizes &&
                   job.rendering.operations.size() <= kMaxOperations);
  auto spool = reopen_to_read(job.fd);
  auto views = output("views"), rendition = output("rendition");
  for (const auto* fd : {&spool, &views, &rendition})
    if (!*fd) return {std::unexpected(fd->error()), Trouble::none};
  const int fds[] = {spool->get(), views->get(), rendition->get()};
  if (!send_struct(socket_.get(), wire(job), fds))
    return {unanswered("the worker was gone"), Trouble::gone};

  std::vector<UniqueFd> none;
  const auto reply = receive_struct<WireReply>(socket_.get(), none, 0, timeout);
  if (!reply && reply.error().code == kUnread)
    return {unanswered("the worker was gone"), Trouble::gone};
  if (!reply && reply.error().fault == Fault::limits)
    return {unanswered("the worker did not answer in time"), Trouble::timed_out};
  if (!reply) return {unanswered("the worker died: " + reply.error().what), Trouble::died};
  ++jobs_done_;
  auto decoded = read_outputs(job, *reply, std::move(*views), std::move(*rendition));
  if (!decoded && decoded.error().fault != Fault::client)
    return {unanswered("the worker's answer cannot be right: " + decoded.error().what),
            Trouble::lied};
  return {std::move(decoded), Trouble::none};
}

Result<std::unique_ptr<KeeperLink>> KeeperLink::start(const std::filesystem::path& program) {
  if (::access(program.c_str(), X_OK) != 0)
    return fail_with(Fault::us, kKeeperGone, "{} is missing: install it beside portcullis",
                     program.string());
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return fail_errno("cannot make a socket");
  UniqueFd ours(pair[0]), theirs(pair[1]);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (theirs.get() == kControlFd) {  // dup2 to itself would leave close-on-exec set
    theirs.reset(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, kControlFd + 1));
  }
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), kControlFd);
  std::string name = program.string();
  char* const arguments[] = {name.data(), nullptr};
  // libvips: keep everything in memory, generate no code. malloc: one arena, and up to 64 MiB kept
  // for the next picture; giving them back costs a third of a small one's time in page faults.
  // Nothing of our own environment.
  std::string environment[] = {"VIPS_DISC_THRESHOLD=1000g",
                               "VIPS_NOVECTOR=1",
                               "ORC_CODE=backup",
                               "MALLOC_ARENA_MAX=1",
                               "MALLOC_TRIM_THRESHOLD_=67108864",
                               "MALLOC_MMAP_THRESHOLD_=16777216"};
  std::vector<char*> variables;
  for (std::string& variable : environment) variables.push_back(variable.data());
  variables.push_back(nullptr);
  pid_t pid = -1;
  // Nor its way with signals.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t signals;
  ::sigfillset(&signals);
  ::posix_spawnattr_setsigdefault(&attributes, &signals);
  ::sigemptyset(&signals);
  ::posix_spawnattr_setsigmask(&attributes, &signals);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  const int error =
      ::posix_spawn(&pid, name.c_str(), &actions, &attributes, arguments, variables.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return fail_with(Fault::us, kKeeperGone, "{} cannot be started: {}", name,
                     std::strerror(error));
  return std::unique_ptr<KeeperLink>(new KeeperLink(std::move(ours), pid));
}

KeeperLink::~KeeperLink() {
  socket_.reset();  // the keeper ends, and its workers with it
  ::waitpid(pid_, nullptr, 0);
}

Result<std::unique_ptr<WorkerLink>> KeeperLink::new_worker(const Options& options) {
  NewWorker wanted;
  wanted.memory = options.memory;
  wanted.max_output = options.max_output;
  wanted.cpu_seconds = static_cast<std::uint32_t>(
      std::chrono::ceil<std::chrono::seconds>(options.timeout).count() * options.jobs_per_worker +
      60);
  std::vector<UniqueFd> fds;
  {
    const std::scoped_lock lock(mutex_);
    if (!send_struct(socket_.get(), wanted) ||
        !receive_struct<Started>(socket_.get(), fds, 2, kStartTimeout))
      return fail_with(Fault::us, kKeeperGone, "the decoder keeper is gone");
  }
  if (fds.size() != 2) return fail(Fault::us, "the decoder keeper could not start a worker");
  std::vector<UniqueFd> none;
  const auto ready = receive_struct<Ready>(fds[0].get(), none, 0, kStartTimeout);
  const std::string text =
      ready ? std::string(ready->text.data(), ::strnlen(ready->text.data(), ready->text.size()))
            : ready.error().what;
  auto worker = std::make_unique<WorkerLink>(std::move(fds[0]), std::move(fds[1]), text);
  if (!ready || ready->is_locked == 0)
    return fail(Fault::us, "a decoder could not lock itself in: {}", text);
  return worker;
}

}  // namespace portcullis::decoder

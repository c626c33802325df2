#include "decoder/worker/worker.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "decoder/packet.h"
#include "decoder/worker/lock_in.h"
#include "decoder/worker/views.h"

namespace portcullis::decoder {

namespace {

constexpr std::chrono::milliseconds kForEver{-1};
constexpr std::size_t kJobFds = 3;

template <std::size_t N>
void put_text(std::array<char, N>& into, std::string_view text) {
  std::ranges::copy(text.substr(0, N - 1), into.begin());
}

WireReply not_taken(std::string_view code, std::string_view what) {
  WireReply reply;
  put_text(reply.code, code);
  put_text(reply.what, what);
  return reply;
}

Result<Bytes> read_all(int fd, std::uint64_t size) {
  Bytes bytes(size);
  if (TRY(read_at(fd, bytes, 0)) != size) return fail(Fault::us, "the spool is shorter than said");
  return bytes;
}

Status write_views(int fd, const Done& done, std::uint64_t& size) {
  const ByteView prints = std::as_bytes(std::span(done.fingerprints));
  TRY(write_all(fd, prints));
  size = prints.size();
  for (const auto& pictures : done.pictures)
    for (const Bytes& picture : pictures) {
      TRY(write_all(fd, picture));
      size += picture.size();
    }
  return {};
}

Result<WireReply> taken(const Done& done, int views, int rendition) {
  WireReply reply;
  reply.taken = 1;
  reply.format = done.head.format;
  reply.width = static_cast<std::uint32_t>(done.width);
  reply.height = static_cast<std::uint32_t>(done.height);
  reply.frames = done.head.frames;
  reply.fingerprints = static_cast<std::uint32_t>(done.fingerprints.size());
  for (std::size_t i = 0; i < done.pictures.size(); ++i)
    reply.pictures[i] = static_cast<std::uint32_t>(done.pictures[i].size());
  TRY(write_views(views, done, reply.views_size));
  const Made& made = done.rendition;
  TRY(write_all(rendition, made.bytes));
  reply.rendition_size = made.bytes.size();
  reply.rendition_format = made.format;
  reply.rendition_width = static_cast<std::uint32_t>(made.width);
  reply.rendition_height = static_cast<std::uint32_t>(made.height);
  reply.rendition_frames = static_cast<std::uint32_t>(made.frames);
  put_text(reply.blurhash, made.blurhash);
  return reply;
}

// Too little memory, or too large an output, is the worker's end: the gate hears nothing and counts
// it as unanswered.
WireReply answer(const WireJob& job, std::span<const UniqueFd> fds, JobFunction function) {
  try {
    const Result<Bytes> bytes = read_all(fds[0].get(), job.size);
    if (!bytes) ::_exit(1);
    const Done done = function(*bytes, job);
    Result<WireReply> reply = taken(done, fds[1].get(), fds[2].get());
    if (!reply) ::_exit(1);
    return *reply;
  } catch (const NotTaken& reason) {
    return not_taken(reason.code, reason.what);
  } catch (const vips::VError& error) {
    const WireReply reply = not_taken("command-failure", error.what());
    vips_error_clear();
    return reply;
  } catch (const std::bad_alloc&) {
    ::_exit(1);
  }
}

}  // namespace

namespace {

// Nothing of the gate's: its standard output may be what an admin reads, its standard error the
// log.
Status leave_descriptors(int socket) {
  ::close_range(3, static_cast<unsigned>(socket) - 1, 0);
  ::close_range(static_cast<unsigned>(socket) + 1, ~0U, 0);
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nothing) return fail_errno("cannot open /dev/null");
  for (const int standard : {0, 1, 2})
    if (standard != 2 || !kSanitized)
      if (::dup2(nothing.get(), standard) < 0) return fail_errno("cannot let go of a descriptor");
  return {};
}

}  // namespace

Status prepare_worker(int socket, const NewWorker& limits) {
  try {
    TRY(leave_descriptors(socket));
    start_vips();
    TRY(limit_process(limits.memory, limits.cpu_seconds, limits.max_output));
    warm_up();
  } catch (const NotTaken& reason) {
    return fail(Fault::us, "a codec does not work: {}", reason.what);
  } catch (const std::exception& error) {
    return fail(Fault::us, "libvips does not start: {}", error.what());
  }
  return filter_system_calls();
}

void run_worker(int socket, const NewWorker& limits, JobFunction function) {
  const Status prepared = prepare_worker(socket, limits);
  Ready ready;
  ready.is_locked = prepared.has_value();
  put_text(ready.text, prepared ? versions() : prepared.error().what);
  if (!send_struct(socket, ready) || !prepared) ::_exit(1);
  while (true) {
    std::vector<UniqueFd> fds;
    auto job = receive_struct<WireJob>(socket, fds, kJobFds, kForEver);
    if (!job || fds.size() != kJobFds || job->view_count > kMaxViewSizes ||
        job->operation_count > kMaxOperations)
      ::_exit(0);
    job->memory = limits.memory;
    vips_error_clear();  // what an earlier picture, or the warm-up, left behind
    const WireReply reply = answer(*job, fds, function);
    fds.clear();  // before the reply: the gate seals the outputs, and nobody else should hold them
    if (!send_struct(socket, reply)) ::_exit(0);
    vips_thread_shutdown();
  }
}

}  // namespace portcullis::decoder

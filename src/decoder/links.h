// decoder/links.h: the gate's ends of the keeper and of a worker. Private to the room.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "decoder/decoder.h"
#include "decoder/protocol.h"

namespace portcullis::decoder {

// A worker that is locked in. Not thread-safe: one job at a time. Killed when it goes.
class WorkerLink {
 public:
  WorkerLink(UniqueFd socket, UniqueFd process, std::string version)
      : socket_(std::move(socket)), process_(std::move(process)), version_(std::move(version)) {}
  ~WorkerLink();
  WorkerLink(const WorkerLink&) = delete;
  WorkerLink& operator=(const WorkerLink&) = delete;

  // What went wrong on the way; anything but `none` means that this worker must not be used again.
  // `gone`: it had ended before it got the job, which another may do.
  enum class Trouble { none, gone, died, timed_out, lied };
  struct Outcome {
    Result<Decoded> result;
    Trouble trouble = Trouble::none;
  };
  // Blocks, at most `timeout`.
  Outcome ask(const Job& job, std::chrono::milliseconds timeout);

  const std::string& version() const { return version_; }
  std::uint32_t jobs_done() const { return jobs_done_; }

 private:
  UniqueFd socket_, process_;
  std::string version_;
  std::uint32_t jobs_done_ = 0;
};

// The code of an error after which only another keeper can help.
constexpr char kKeeperGone[] = "keeper-gone";

// The keeper process; it and its workers end when this goes. Thread-safe.
class KeeperLink {
 public:
  // An error, code kKeeperGone: it could not be started.
  static Result<std::unique_ptr<KeeperLink>> start(const std::filesystem::path& program);
  ~KeeperLink();
  KeeperLink(const KeeperLink&) = delete;
  KeeperLink& operator=(const KeeperLink&) = delete;

  // Blocks until the worker is locked in.
  Result<std::unique_ptr<WorkerLink>> new_worker(const Options& options);

 private:
  KeeperLink(UniqueFd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}
  std::mutex mutex_;
  UniqueFd socket_;
  pid_t pid_;
};

// Checks a reply and its outputs against the job, trusting none of them. Fault::upstream: the
// worker lied.
Result<Decoded> read_outputs(const Job& job, const WireReply& reply, UniqueFd views,
                             UniqueFd rendition);

}  // namespace portcullis::decoder

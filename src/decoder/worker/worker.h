// decoder/worker/worker.h: the life of a worker: start libvips, warm up, lock in, do jobs.
#pragma once

#include "base/result.h"
#include "decoder/protocol.h"
#include "decoder/worker/views.h"

namespace portcullis::decoder {

// What a worker does with a file: do_job, but for tests.
using JobFunction = Done (*)(ByteView bytes, const WireJob& job);

// Ends the process when the gate is gone or anything is wrong. `socket` is the only descriptor it
// needs.
[[noreturn]] void run_worker(int socket, const NewWorker& limits, JobFunction job);

// Everything up to and with the lock-in; for run_worker and for tests of the lock.
Status prepare_worker(int socket, const NewWorker& limits);

}  // namespace portcullis::decoder

// decoder/worker/worker.h: the life of a worker: start libvips, warm up, lock in, do jobs.
#pragma once

#include "base/result.h"
#include "decoder/protocol.h"

namespace portcullis::decoder {

// Ends the process when the gate is gone or anything is wrong. `socket` is the only descriptor it
// needs.
[[noreturn]] void run_worker(int socket, const NewWorker& limits);

// Everything up to and with the lock-in; for run_worker and for tests of the lock.
Status prepare_worker(int socket, const NewWorker& limits);

}  // namespace portcullis::decoder

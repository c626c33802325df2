// decoder/worker/keeper.h: the process that workers are forked from. Has no threads and opens
// nothing.
#pragma once

#include "decoder/worker/worker.h"

namespace portcullis::decoder {

// Serves the socket that the gate left at kControlFd until the gate is gone; gives the process's
// exit code.
int run_keeper(JobFunction job);

}  // namespace portcullis::decoder

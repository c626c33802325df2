// decoder/worker/lock_in.h: takes away what a decoder does not need. After it the process can
// compute, use its memory, start threads, and talk over the descriptors it holds; anything else
// kills it.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace portcullis::decoder {

// Before any other thread exists: no new privileges, own namespaces and Landlock where the kernel
// offers them (best effort), limits on memory, processor time and file size.
Status limit_process(std::uint64_t memory, std::uint32_t cpu_seconds, std::uint64_t max_output);

// The filter, for all threads (TSYNC). There is no way back.
Status filter_system_calls();

}  // namespace portcullis::decoder

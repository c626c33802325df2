// decoder/worker/lock_in.h: takes away what a decoder does not need. After it the process can
// compute, use its memory, start threads, and talk over the descriptors it holds; anything else
// kills it.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace portcullis::decoder {

// A sanitizer's run time needs a few system calls more, a great deal of address space, and a place
// to report to.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PORTCULLIS_SANITIZED 1
#endif
#endif
#ifndef PORTCULLIS_SANITIZED
#define PORTCULLIS_SANITIZED 0
#endif
inline constexpr bool kSanitized = PORTCULLIS_SANITIZED != 0;

// Before any other thread exists: no new privileges, own namespaces and Landlock where the kernel
// offers them (best effort), limits on memory, processor time and file size.
Status limit_process(std::uint64_t memory, std::uint32_t cpu_seconds, std::uint64_t max_output);

// The filter, for all threads (TSYNC). There is no way back.
Status filter_system_calls();

}  // namespace portcullis::decoder

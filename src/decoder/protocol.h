// decoder/protocol.h: what gate, keeper and worker say to each other. Private to the room.
//
// Both ends are built together, so structs cross as they are; each message is one SOCK_SEQPACKET
// packet of fixed size.
//
//   gate -> keeper   NewWorker                        keeper -> gate   Started + [socket, pidfd]
//   worker -> gate   Ready                            once, when locked in
//   gate -> worker   WireJob + [spool, views, rendition]
//   worker -> gate   WireReply
//
// The views memfd holds `fingerprints` WireFingerprints, those of whole frames first, then for each
// view size its pictures, row by row.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "decoder/decoder.h"

namespace portcullis::decoder {

inline constexpr std::uint32_t kMagic = 0x50434433;      // "PCD3"; changed with any struct below
inline constexpr std::uint32_t kMaxFingerprints = 4096;  // of whole frames, and of parts of them
inline constexpr std::size_t kMaxTrims = 3;              // parts of one frame
inline constexpr std::uint32_t kMaxPictures = 2 * kMaxViewFrames;  // over white and over black
inline constexpr std::size_t kMaxBlurhash = 63;
inline constexpr int kControlFd = 3;  // where the keeper finds its socket

struct NewWorker {
  std::uint32_t magic = kMagic;
  std::uint32_t cpu_seconds = 0;  // RLIMIT_CPU a job, times the jobs
  std::uint64_t memory = 0;       // RLIMIT_AS; 0: none
  std::uint64_t max_output = 0;   // RLIMIT_FSIZE
};

struct Started {
  std::uint32_t magic = kMagic;
};

struct Ready {
  std::uint32_t magic = kMagic;
  std::uint32_t is_locked = 0;   // 0: it is not, and ends
  std::array<char, 248> text{};  // its version, or what failed
};

struct WireJob {
  std::uint32_t magic = kMagic;
  std::uint16_t formats = 0;
  std::uint8_t allow_audio = 0;
  std::uint8_t want_rendition = 0;
  std::uint8_t view_count = 0;
  std::uint8_t want_fingerprints = 0;
  std::uint64_t size = 0;
  Limits image, animation, video;
  std::array<ViewSize, kMaxViewSizes> views{};
  std::uint64_t memory = 0;  // what the worker may use, 0: no limit; the worker itself fills it in
  std::uint8_t has_format = 0;
  Format format = Format::jpeg;  // of the rendition, if has_format
  std::uint8_t quality = 0;
  std::uint8_t operation_count = 0;
  std::array<Operation, kMaxOperations> operations{};
  std::uint8_t has_looks = 0;
  hash::PdqHash looks_like{};  // if has_looks
};

struct WireReply {
  std::uint32_t magic = kMagic;
  std::uint8_t taken = 0;  // 0: the picture is at fault, see code and what
  Format format = Format::jpeg;
  std::array<std::uint8_t, 2> reserved{};
  std::uint32_t width = 0, height = 0, frames = 0;
  std::uint32_t fingerprints = 0;
  std::array<std::uint32_t, kMaxViewSizes> pictures{};
  std::uint64_t views_size = 0;
  std::uint64_t rendition_size = 0;
  Format rendition_format = Format::jpeg;
  std::uint32_t rendition_width = 0, rendition_height = 0, rendition_frames = 0;
  std::array<char, kMaxBlurhash + 1> blurhash{};
  std::array<char, 32> code{};
  std::array<char, 160> what{};
};

struct WireFingerprint {
  std::array<hash::PdqHash, 8> pdq{};
  std::int64_t quality = 0;
};

static_assert(std::is_trivially_copyable_v<WireJob> && std::is_trivially_copyable_v<WireReply> &&
              std::is_trivially_copyable_v<WireFingerprint>);

}  // namespace portcullis::decoder

// decoder/decoder.h: the sandboxed processes that touch strangers' bytes.
//
// The program `portcullis-decoder` (worker/) is the only one with libvips and libav. A Pool starts
// it as a keeper: a process without threads that forks workers; each worker loads and warms up its
// codecs, locks itself in (namespaces or Landlock where the kernel offers them, rlimits, seccomp)
// and takes one job at a time: a spooled file to read, memfds to write. A worker that dies, hangs
// or lies is one failed decode and is replaced; nothing it says is trusted: outputs are sealed
// before they are read, sizes and dimensions are checked against the request and the reply.
//
// Wire: a SOCK_SEQPACKET socketpair a worker, fixed-size structs of protocol.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "hash/hash.h"

namespace portcullis::decoder {

enum class Format : std::uint8_t { jpeg, png, webp, gif, avif, jxl, apng, mp4, webm };
inline constexpr std::size_t kFormats = 9;
constexpr bool is_video(Format format) { return format == Format::mp4 || format == Format::webm; }

struct Limits {
  std::uint32_t max_width = 0, max_height = 0;
  std::uint64_t max_area = 0;       // width * height of one frame
  std::uint64_t max_file_size = 0;  // bytes
  std::uint32_t max_frames = 0;
};

// A view for a model: the whole picture resized to resize_width x resize_height (aspect not kept,
// antialiased bilinear), then its middle width x height.
struct ViewSize {
  std::uint16_t resize_width = 0, resize_height = 0;
  std::uint16_t width = 0, height = 0;
  bool operator==(const ViewSize&) const = default;
};
inline constexpr std::size_t kMaxViewSizes = 4;
inline constexpr std::size_t kMaxViewFrames = 8;  // moments of an animation shown to a model

// How a smaller picture weighs the pixels of the larger one. Every one is an average of all of
// them: a picture that only shows when pixels are left out is never made.
enum class Kernel : std::uint8_t { lanczos2, lanczos3, mitchell };

// One step of making a rendition. A picture never grows.
struct Operation {
  enum class Kind : std::uint8_t {
    fit,       // both sides at most `width` pixels
    fit_area,  // at most `width` pixels in all
    crop,      // the largest part from the middle whose sides are as `width` to `height`
    blur,      // Gaussian, of `sigma` pixels
  };
  Kind kind = Kind::fit;
  Kernel kernel = Kernel::lanczos2;  // of fit and fit_area
  std::uint32_t width = 0, height = 0;
  float sigma = 0;
  bool operator==(const Operation&) const = default;
};
inline constexpr std::size_t kMaxOperations = 8;
inline constexpr std::uint32_t kMaxCropAspect = 20;
inline constexpr float kMaxBlur = 100;

struct Size {
  std::uint32_t width = 0, height = 0;
  bool operator==(const Size&) const = default;
};
// What `operations` make of a picture of that size. Pure.
Size size_after(const std::vector<Operation>& operations, Size size);

// What is made of a picture.
struct Rendering {
  std::optional<Format> format;       // none: its own, the coded data kept where that is possible
  std::vector<Operation> operations;  // in order; at most kMaxOperations
  std::uint8_t quality = 0;           // 1..100 for lossy encoders; 0: what suits the format
  bool operator==(const Rendering&) const = default;
};

// Who goes first when all workers are busy.
enum class Priority : std::uint8_t { upload, variant, remote, import, rescan };

struct Job {
  int fd = -1;                // borrowed; read-only or not, the worker gets a read-only one
  std::uint64_t size = 0;     // of the file
  std::uint16_t formats = 0;  // bit 1 << Format for each that is allowed
  Limits image, animation, video;
  bool allow_audio = false;     // what a rebuilt video may keep
  std::vector<ViewSize> views;  // at most kMaxViewSizes
  bool want_fingerprints = true;
  bool want_rendition = true;
  Rendering rendering;
  // What the whole of a still JPEG looks like, upright. Then a small rendition may be made of fewer
  // of its coefficients, as long as these look the same (adr/009).
  std::optional<hash::PdqHash> looks_like;
  Priority priority = Priority::upload;
  std::string owner;  // one decode in flight per owner; empty: no such limit
};

// 8-bit sRGB, three channels, rows without padding.
struct Picture {
  std::uint32_t width = 0, height = 0;
  Bytes rgb;
};

// Sealed, read-only, mapped memory; movable.
class SealedBytes {
 public:
  SealedBytes() = default;
  // Adds the seals SHRINK, GROW, WRITE and SEAL to `memfd`, checks that its size is `size`, and
  // maps it.
  static Result<SealedBytes> seal(UniqueFd memfd, std::uint64_t size);
  SealedBytes(SealedBytes&&) noexcept;
  SealedBytes& operator=(SealedBytes&&) noexcept;
  ~SealedBytes();
  ByteView view() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// The picture that was made. Its `format` is what was asked for.
struct Rendition {
  Format format = Format::jpeg;
  std::uint32_t width = 0, height = 0;
  std::uint32_t frames = 1;
  std::string blurhash;  // of its first frame
  bool operator==(const Rendition&) const = default;
};

struct Decoded {
  Format format = Format::jpeg;
  std::uint32_t width = 0, height = 0;  // as shown: after orientation
  std::uint32_t frames = 1;
  // Of every distinct frame, over white and, where it differs, over black; the first is of the
  // first frame over white. Behind them those of parts of frames: what is left when uniform edges
  // are taken off. Never empty when asked for.
  std::vector<hash::Dihedral> fingerprints;
  // views[i] are the pictures for Job::views[i]: frame by frame, over white and, where there is
  // transparency, over black.
  std::vector<std::vector<Picture>> views;
  // Unless asked for, nothing and empty. Holds nothing but what was screened.
  Rendition made;
  SealedBytes rendition;
};

struct Options {
  std::filesystem::path program;  // portcullis-decoder
  std::size_t workers = 1;
  // RLIMIT_AS of a worker; 0: none. A picture that needs more is refused with "validate-area" (or
  // "validate-frames") before it is decoded: 1.5 GiB takes JPEG and PNG of 40 megapixels, but
  // AVIF and JPEG XL of 12 only.
  std::uint64_t memory = 1536ull * 1024 * 1024;
  std::uint64_t max_output = 256ull * 1024 * 1024;
  std::chrono::milliseconds timeout{
      15'000};  // of one decode, from hand-over to reply; also RLIMIT_CPU
  std::uint32_t jobs_per_worker = 200;
};

// Thread-safe. Blocks: run decode() on a pool with as many threads as jobs may wait.
class Pool {
 public:
  // Starts the keeper and the first workers. When the program is missing or none can lock itself
  // in, health() says why, starting is tried again each second, and until one comes up every decode
  // is unanswered: so a broken sandbox refuses uploads and does not stop the site from showing
  // pictures. `clock` must outlive the pool.
  static std::unique_ptr<Pool> create(Options options, const Clock& clock);
  virtual ~Pool() = default;

  // Waits for its turn and for a worker (the waiting counts toward `deadline`).
  // Errors: Fault::client with pict-rs's code when the picture is at fault ("validate-width",
  // "validate-height", "validate-area", "validate-frames", "validate-file-size",
  // "validate-file-empty", "media-disallowed" for a format that is switched off, "video-disabled"
  // for a video when neither of its formats is on, "command-failure" for what is no known format or
  // cannot be decoded); Fault::upstream, code
  // "decoder-unanswered", when the worker died, hung or lied or none could be started;
  // Fault::limits, code "decoder-busy", when no worker came free in time.
  virtual Result<Decoded> decode(const Job& job, Deadline deadline) = 0;

  struct Health {
    std::size_t ready = 0, busy = 0, waiting = 0;  // workers, workers, jobs
    std::uint64_t died = 0, timed_out = 0, done = 0;
    std::string problem;  // why no worker is up; empty when one is
  };
  virtual Health health() const = 0;

  // Changes whenever the same bytes could decode, hash or be rebuilt differently: our version,
  // libvips's and the codecs'. Workers report it when they come up; "none" until the first has.
  virtual std::string version() const = 0;
};

// The names of the formats and what is served for them.
std::string_view name(Format format);          // "jpeg"
std::string_view extension(Format format);     // ".jpeg", as pict-rs writes it
std::string_view content_type(Format format);  // "image/jpeg"
std::optional<Format> format_from(std::string_view name);

}  // namespace portcullis::decoder

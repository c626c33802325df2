#include "app/known_picture.h"

#include <sys/stat.h>

namespace portcullis::app {

namespace {

constexpr std::uint16_t kSide = 512;  // as large as PDQ's input gets

Result<Digests> digests_of_file(int fd) {
  DigestsBuilder builder;
  Bytes buffer(256 * 1024);
  for (std::uint64_t at = 0;;) {
    const std::size_t count = TRY(read_at(fd, buffer, at));
    if (count == 0) return builder.finish();
    builder.add(ByteView(buffer.data(), count));
    at += count;
  }
}

}  // namespace

PictureReader::PictureReader(const config::Config& config, const Clock& clock)
    : clock_(clock), timeout_(config.decoder.timeout) {
  decoder::Options options;
  options.program = decoder_program();
  options.workers = 1;
  options.memory = config.decoder.memory;
  options.timeout = config.decoder.timeout;
  options.jobs_per_worker = config.decoder.jobs_per_worker;
  decoders_ = decoder::Pool::create(options, clock);
}

Result<KnownPicture> PictureReader::look(int fd, bool with_views) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return fail_errno("cannot look at it");
  if (!S_ISREG(info.st_mode)) return fail(Fault::client, "it is no file");
  KnownPicture picture;
  picture.digests = TRY(digests_of_file(fd));
  decoder::Job job = image::variant_job(fd, static_cast<std::uint64_t>(info.st_size), {});
  job.want_fingerprints = true;
  job.want_rendition = false;
  if (with_views) job.views = {{kSide, kSide, kSide, kSide}};
  auto decoded = decoders_->decode(job, clock_.steady() + timeout_ * 2);
  if (!decoded) {
    picture.why_not = decoded.error().what;
    return picture;
  }
  picture.fingerprints = std::move(decoded->fingerprints);
  if (with_views) picture.views = std::move(decoded->views.front());
  return picture;
}

}  // namespace portcullis::app

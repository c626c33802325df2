// app/old_pict_rs.h: what media shows of an old pict-rs while that is taken over. Private to this
// room.
#pragma once

#include "egress/egress.h"
#include "media/media.h"
#include "pictrs/pictrs.h"

namespace portcullis::app {

class OldPictRs final : public media::Before {
 public:
  // `address`: [media] import_fallback.
  static Result<std::unique_ptr<OldPictRs>> create(const std::string& address);

  Task<Result<About>> about(std::string alias) override;
  Task<Status> original(std::string alias, std::uint64_t max_bytes,
                        media::Fetcher::Sink sink) override;
  Task<Status> process(std::string alias, std::string extension, image::Parameters parameters,
                       std::uint64_t max_bytes, media::Fetcher::Sink sink) override;

 private:
  explicit OldPictRs(std::unique_ptr<egress::ConfiguredClient> http) : http_(std::move(http)) {}

  std::unique_ptr<egress::ConfiguredClient> http_;
  std::unique_ptr<pictrs::Client> client_;
};

}  // namespace portcullis::app

// app/known_picture.h: a picture as lists know it, for the commands that ban and test pictures.
// Private to this room.
#pragma once

#include "app/engine.h"

namespace portcullis::app {

struct KnownPicture {
  Digests digests;
  std::string why_not;  // it could not be decoded; then there is nothing but the digests
  std::vector<hash::Dihedral> fingerprints;
  std::vector<decoder::Picture> views;  // 512 x 512, moments of an animation; when asked for
};

// Has workers of its own, so it can be used beside a running gate.
class PictureReader {
 public:
  // The clock must outlive it. Never fails: without decoders, pictures have digests alone.
  PictureReader(const config::Config& config, const Clock& clock);
  // `fd` is borrowed. Fault::storage when it cannot be read.
  Result<KnownPicture> look(int fd, bool with_views);

 private:
  const Clock& clock_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<decoder::Pool> decoders_;
};

}  // namespace portcullis::app

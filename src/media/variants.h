// media/variants.h: sizes and looks of stored pictures, made once when they are first asked for.
// Private to the room.
#pragma once

#include "base/flights.h"
#include "media/shared.h"

namespace portcullis::media {

class Variants {
 public:
  explicit Variants(Shared& shared) : shared_(shared) {}

  // The stored variant, or nothing while it was not made.
  Task<Result<StoredPointer>> find(StoredPointer of, std::string key);
  // Makes it if need be; the same variant asked for many times at once is made once. Error codes:
  // those of the decoder; "alias-not-found" when the picture went meanwhile; Fault::limits or
  // Fault::upstream when no decoder could do it now.
  Task<Result<StoredPointer>> find_or_make(StoredPointer of, image::Variant variant);

  // A new picture of a stored one, with an alias of its own that goes with `parent`.
  Task<Result<Uploaded>> derive(StoredPointer of, std::string parent, decoder::Rendering rendering,
                                std::string url);

  void abandon() { flights_.abandon(); }

 private:
  struct Made {
    decoder::Rendition made;
    decoder::SealedBytes bytes;
    Sha256 digest;
  };
  Task<std::optional<hash::PdqHash>> looks_of(Sha256 blob);
  Task<Result<Made>> make(StoredPointer of, decoder::Rendering rendering);
  Task<Result<StoredPointer>> make_and_store(StoredPointer of, image::Variant variant);

  Shared& shared_;
  Flights<std::string, Result<StoredPointer>> flights_;
};

// The answer for an error of find_or_make() or derive().
net::Response answer_for_variant(const Error& error);

}  // namespace portcullis::media

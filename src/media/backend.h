// media/backend.h: where accepted renditions are kept: the own blob store, or a pict-rs behind this
// gate. Private to the room.
#pragma once

#include "media/backgrounded.h"
#include "scan/scan.h"

namespace portcullis::media {

struct Order;
struct Shared;

// Thread-safe; called on the loop of the request.
class Backend {
 public:
  virtual ~Backend() = default;

  // Whether a rendition that was made before may be there still, so that decoding can be left out.
  virtual bool reuses() const = 0;
  // Keeps the rendition under an alias and records the verdict, together. Nothing when a known
  // rendition is not stored any more. Codes: "uploads-closed", "duplicate-alias", those of a word
  // for the client with Fault::client.
  virtual Task<Result<std::optional<Uploaded>>> keep(const Order& order,
                                                     const scan::Screening& screening,
                                                     const Digests& digests, Deadline deadline) = 0;
  // Takes back what keep() gave.
  virtual Task<Status> take_back(const Uploaded& file) = 0;
};

std::unique_ptr<Backend> own_backend(Shared& shared);
// Renditions are handed to Services::pict_rs as uploads, or as imports when the order names the
// alias.
std::unique_ptr<Backend> pict_rs_backend(Shared& shared);

}  // namespace portcullis::media

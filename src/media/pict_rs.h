// media/pict_rs.h: the pict-rs behind this gate: what may be asked of it, and what it said. Private
// to the room.
//
// No request that makes it fetch or store anything leaves here but a screened rendition: targets
// are written anew from what was understood, never passed on as they came.
#pragma once

#include <array>

#include "media/ingest.h"
#include "media/routes.h"

namespace portcullis::media {

class PictRs {
 public:
  // Needs Services::pict_rs.
  explicit PictRs(Shared& shared) : shared_(shared) {}

  // A request with its key, if `internal`. `body` may be null. Failures are counted.
  struct Ask {
    std::string method, target;
    std::vector<net::Header> headers = {};
    bool internal = false;
    std::string body = {};
    Deadline deadline = {};  // up to the head of the answer
  };
  Task<Result<net::UpstreamAnswer>> ask(Ask ask);

  // Hands one screened rendition on. Under the order's alias, if it names one. Codes besides those
  // of net::Upstream: "upstream-refused"; with Fault::client a word of pict-rs for the client.
  Task<Result<Uploaded>> store(const Order& order, ByteView rendition,
                               std::string_view content_type, Deadline deadline);
  // The bytes of a picture. Code "alias-not-found" when it is not there.
  Task<Status> copy_into(Spool& spool, const std::string& alias, Deadline deadline);
  // Deletes an alias, and those that were derived from it, and forgets them; gives their names. One
  // that is not there counts as deleted. `token` empty: with the key.
  Task<Result<std::vector<std::string>>> remove(std::string alias, std::string token);
  // Forgets an alias that is gone, and deletes those that were derived from it; gives all names.
  Task<Result<std::vector<std::string>>> forget(std::string alias);

 private:
  Shared& shared_;
};

// Paths and queries of pict-rs. Pure.
std::string original_target(const std::string& alias);
// Operations that image::variant_from() has let pass, and nothing else of the parameters.
std::string variant_target(std::string_view path, const std::string& extension,
                           const std::string& alias, const image::Parameters& parameters);

// The one file that an upload's answer tells of; Fault::upstream when it tells anything else. Pure.
Result<Uploaded> uploaded_from_json(std::string_view text);
// The code of an error's body; empty if there is none. Pure.
std::string code_from_json(std::string_view text);

// For an error of PictRs about anything but an upload, which is logged: 502 or 503.
net::Response error_for_pict_rs(const Error& error);

}  // namespace portcullis::media

// media/validator.h: judges the pictures of a pict-rs that keeps its own, for its setting
// media.external_validation. Private to the room.
//
// pict-rs sends the bytes that it has stored already and takes the picture only if the answer is
// 2xx; whose it is and where it is from it does not say. So every picture counts as an upload, the
// fetched ones too. Nothing is kept but verdicts, and evidence where the policy wants it.
#pragma once

#include "media/ingest.h"

namespace portcullis::media {

class Validator {
 public:
  explicit Validator(Shared& shared) : shared_(shared), ingest_(shared) {}

  // 200 when the picture may stay; anything else when it may not or could not be judged. The answer
  // is there within kWhole, provided that the server's body_timeout leaves time for judging.
  Task<net::Response> handle(const net::Request& request, net::BodyReader& body);

  // pict-rs waits for 30 s, unless it is told otherwise.
  static constexpr std::chrono::seconds kWhole{25};

 private:
  Task<std::optional<net::Response>> refused(const net::Request& request, net::BodyReader& body);

  Shared& shared_;
  Ingest ingest_;
};

// "/SECRET/validate", or "/SECRET/api/v1/scan/ANYTHING" as pictrs-safety has it. The secret is
// compared in constant time; an empty one fits nothing. Pure.
bool is_validation(std::string_view method, std::string_view path, std::string_view secret);

}  // namespace portcullis::media

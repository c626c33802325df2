// services/replies.h: what services answer, read strictly. Pure. Private to the room.
//
// Errors: Fault::upstream when a reply cannot be understood or says that the service failed;
// Fault::client when it says that it cannot judge this very picture, which is no fault of the
// service. A word that is not known, where a known one would mean a match, is a match: services add
// classes, never words for "nothing found" (detection.md §3.6).
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portcullis::services {

// What a service says of a picture, or of a part of what was asked about it.
struct Finding {
  bool match = false;
  bool exact = false;            // of the very bytes
  std::set<std::string> labels;  // some of services::labels()
  std::string detail;            // for a moderator; empty without a match
  bool operator==(const Finding&) const = default;
};

// Adds what was found elsewhere.
void add(Finding& to, Finding&& more);

// GET /m/lookup?signal=&signal_type= of an HMA 1.1.7: {"BANK":[{"bank_content_id":1,"distance":
// "4"}]}. A bank without an entry is no match.
Result<Finding> read_hma_lookup(std::string_view json);

// POST /v1/pdq/ of Arachnid Shield, for the hashes that were sent, as they were sent. Each must be
// answered.
Result<Finding> read_arachnid_pdq(std::string_view json, const std::vector<std::string>& hashes);
// POST /v1/media/.
Result<Finding> read_arachnid_media(std::string_view json);

// POST Match of PhotoDNA Cloud Service.
Result<Finding> read_photodna_match(std::string_view json);

}  // namespace portcullis::services

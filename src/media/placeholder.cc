#include "media/placeholder.h"

namespace portcullis::media {

store::Details placeholder_details() {
  store::Details details;
  details.width = 480;
  details.height = 360;
  details.content_type = "image/png";
  details.blurhash = "L8QJfm~q~q~q~qofWBfQ_3j[9FWB";
  details.bytes = kPlaceholder.size();
  return details;
}

net::Response placeholder_answer() {
  return {200,
          {{"Content-Type", placeholder_details().content_type},
           {"Cache-Control", "no-store"},
           {"X-Content-Type-Options", "nosniff"}},
          std::string(kPlaceholder),
          false};
}

}  // namespace portcullis::media

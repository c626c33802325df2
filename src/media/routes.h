// media/routes.h: which of the pict-rs API's shapes a request has. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/id.h"  // is_alias()
#include "image/image.h"

namespace portcullis::media {

enum class Action {
  nothing,
  health,
  description,  // of this API, as OpenAPI
  original,
  process,
  details,          // of an original
  process_details,  // of a variant
  process_backgrounded,
  blurhash,
  remove,
  upload,
  upload_backgrounded,
  claim,
  download,
  // The internal API: with the key alone.
  import,
  internal_delete,
  purge,
  aliases,
  identifier,
  remove_variants,
  set_not_found,
  hashes,
  prune_missing,
};
bool is_internal(Action action);

struct Route {
  Action action = Action::nothing;
  // What it is about: an alias or a remote picture's URL, not both. Both are empty when neither was
  // named.
  std::string alias = {};
  std::string url = {};
  std::string token = {};             // with remove
  std::string extension = {};         // with the variants, "webp"
  image::Parameters parameters = {};  // the rest of the query, decoded, in order
  bool operator==(const Route&) const = default;
};

// `path` and `query` as they were sent. A relayed request has only a few shapes, and nothing in it
// is looked at further when it has none of them. Action::nothing is answered 404.
Route route(std::string_view method, std::string_view path, std::string_view query,
            std::string_view prefix, bool relayed);

// The URL in a query that holds `proxy=`. It comes percent-encoded, or raw: then it reaches to the
// end, less a final `thumbnail` of digits. Empty if there is none; not vetted in any way.
struct Proxied {
  std::string url;
  image::Parameters parameters;  // what else the query holds
};
Proxied proxied_from(std::string_view query);

}  // namespace portcullis::media

// media/routes.h: which of the pict-rs API's shapes a request has. Pure.
#pragma once

#include <string>
#include <string_view>

namespace portcullis::media {

enum class Action { nothing, original, details, remove, upload, health };

struct Route {
  Action action = Action::nothing;
  std::string alias;
  std::string token;  // with Action::remove
  bool operator==(const Route&) const = default;
};

// `path` and `query` as they were sent. A relayed request has only a few shapes, and nothing in it
// is looked at further when it has none of them. Action::nothing is answered 404.
Route route(std::string_view method, std::string_view path, std::string_view query,
            std::string_view prefix, bool relayed);

// Letters, digits, '.', '_' and '-', at most 128 of them, and not only dots.
bool is_alias(std::string_view text);

}  // namespace portcullis::media

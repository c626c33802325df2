// media/instead.h: what is answered when there is no stored picture to show. Private to the room.
#pragma once

#include <expected>
#include <string>
#include <variant>

#include "media/answers.h"

namespace portcullis::media {

struct ShowPlaceholder {};
// It lies there, and browsers may go and get it.
struct ShowOrigin {
  std::string url;
};
using Instead = std::variant<net::Response, ShowPlaceholder, ShowOrigin>;

template <class T>
using Found = std::expected<T, Instead>;

// To somebody who wants to see it: `extension` and `thumbnail` are of a smaller look that was asked
// for, empty for the whole. Other Lemmy sites make such looks themselves. Nothing is cached.
net::Response picture_instead(Instead instead, std::string_view extension = {},
                              std::string_view thumbnail = {});
// To somebody who wants to know its size.
net::Response details_instead(Instead instead, WallTime now);

// The URL of a smaller look of a picture on a Lemmy site; `url` itself for others. Pure.
std::string smaller_look(const std::string& url, std::string_view extension,
                         std::string_view thumbnail);

}  // namespace portcullis::media

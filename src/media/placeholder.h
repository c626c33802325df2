// media/placeholder.h: what is shown where a picture must not be.
#pragma once

#include <string_view>

#include "media/answers.h"

namespace portcullis::media {

// src/media/placeholder.png as it was when this was built; cmake/embed.cmake makes the definition.
extern const std::string_view kPlaceholder;

store::Details placeholder_details();
// The picture itself; never cached, since another may stand in its place a minute later.
net::Response placeholder_answer();

}  // namespace portcullis::media

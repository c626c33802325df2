// media/openapi.h: docs/openapi.yaml as it was when this was built. cmake/embed.cmake makes the
// definition.
#pragma once

#include <string_view>

namespace portcullis::media {

extern const std::string_view kOpenApi;  // UTF-8

}  // namespace portcullis::media

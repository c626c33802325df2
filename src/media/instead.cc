#include "media/instead.h"

#include "media/placeholder.h"

namespace portcullis::media {

std::string smaller_look(const std::string& url, std::string_view extension,
                         std::string_view thumbnail) {
  if (thumbnail.empty()) return url;
  const auto host = url.find("://");
  const auto path = host == std::string::npos ? host : url.find('/', host + 3);
  if (path == std::string::npos || url.find_first_of("?#") != std::string::npos) return url;
  const std::string_view rest = std::string_view(url).substr(path);
  if (rest.starts_with("/pictrs/image/"))
    return fmt::format("{}?format={}&thumbnail={}", url, extension, thumbnail);
  if (rest.starts_with("/api/v4/image/"))
    return fmt::format("{}?file_type={}&max_size={}", url, extension, thumbnail);
  return url;
}

net::Response picture_instead(Instead instead, std::string_view extension,
                              std::string_view thumbnail) {
  if (auto* answer = std::get_if<net::Response>(&instead)) return std::move(*answer);
  if (const auto* origin = std::get_if<ShowOrigin>(&instead))
    return {307,
            {{"Location", smaller_look(origin->url, extension, thumbnail)},
             {"Cache-Control", "no-store"}},
            std::string(),
            false};
  return placeholder_answer();
}

net::Response details_instead(Instead instead, WallTime now) {
  if (auto* answer = std::get_if<net::Response>(&instead)) return std::move(*answer);
  if (std::holds_alternative<ShowOrigin>(instead))
    return error_answer(404, "proxy-not-found", "This picture is not stored here.");
  return json_answer(200, details_json(placeholder_details(), now));
}

}  // namespace portcullis::media

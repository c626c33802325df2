#include "media/routes.h"

#include <algorithm>

#include "base/bytes.h"
#include "net/net.h"

namespace portcullis::media {

namespace {

constexpr std::size_t kLongestUrl = 8 * 1024;

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Decoded once; empty if what comes out is no alias.
std::string alias_from(std::string_view encoded) {
  auto decoded = net::percent_decode(encoded);
  return decoded && is_alias(*decoded) ? std::move(*decoded) : std::string();
}

Route with_alias(Action action, std::string alias) {
  if (alias.empty()) return {};
  return {.action = action, .alias = std::move(alias)};
}

bool is_raw_url(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (text.size() > scheme.size() &&
        ascii_equal_ignoring_case(text.substr(0, scheme.size()), scheme))
      return true;
  return false;
}

std::string without_fragment(std::string_view url) {
  return std::string(url.substr(0, url.find('#')));
}

// Takes the alias or URL out of the query; Action::nothing when it names several, or one that is no
// alias.
Route about_a_picture(Action action, std::string_view query) {
  Route found{.action = action};
  if (Proxied proxied = proxied_from(query); !proxied.url.empty()) {
    if (proxied.url.size() > kLongestUrl) return {};
    found.url = std::move(proxied.url);
    found.parameters = std::move(proxied.parameters);
    return found;
  }
  for (auto& [key, value] : net::query_pairs(query)) {
    if (key != "src" && key != "alias") {
      found.parameters.emplace_back(std::move(key), std::move(value));
      continue;
    }
    if (!found.alias.empty() || !is_alias(value)) return {};  // readers could pick different ones
    found.alias = std::move(value);
  }
  return found;
}

Route with_extension(Route route, std::string_view extension) {
  if (route.action != Action::nothing) route.extension = extension;
  return route;
}

// The five shapes that a request which was passed on may have.
Route relayed_route(std::string_view method, std::string_view path, std::string_view query) {
  if (path == "image")
    return method == "POST" ? Route{.action = Action::upload, .parameters = net::query_pairs(query)}
                            : Route{};
  if (method != "GET" || !take_prefix(path, "image/")) return {};
  if (take_prefix(path, "original/")) return with_alias(Action::original, alias_from(path));
  const bool original = path == "original";
  if (!original && !take_prefix(path, "process.")) return {};
  Route found = about_a_picture(original ? Action::original : Action::process, query);
  if (found.action == Action::nothing || (found.url.empty() && (original || found.alias.empty())))
    return {};
  if (found.url.empty() && !query.starts_with("src=")) return {};
  for (const auto& [key, value] : found.parameters)
    if (original || found.parameters.size() > 1 || key != "thumbnail" || !is_digits(value))
      return {};
  if (!original) found.extension = path;
  return found;
}

Route internal_route(std::string_view method, std::string_view path, std::string_view query) {
  constexpr struct {
    std::string_view method, path;
    Action action;
    bool has_subject;
  } kRoutes[] = {
      {"POST", "import", Action::import, false},
      {"POST", "delete", Action::internal_delete, true},
      {"POST", "purge", Action::purge, true},
      {"GET", "aliases", Action::aliases, true},
      {"GET", "identifier", Action::identifier, true},
      {"DELETE", "variants", Action::remove_variants, false},
      {"POST", "set_not_found", Action::set_not_found, false},
      {"GET", "hashes", Action::hashes, false},
      {"POST", "prune_missing", Action::prune_missing, false},
  };
  for (const auto& one : kRoutes) {
    if (method != one.method || path != one.path) continue;
    if (one.has_subject) return about_a_picture(one.action, query);
    return {.action = one.action, .parameters = net::query_pairs(query)};
  }
  return {};
}

Route delete_route(std::string_view path) {
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return {};
  Route result = with_alias(Action::remove, alias_from(path.substr(slash + 1)));
  result.token = alias_from(path.substr(0, slash));
  return result.alias.empty() || result.token.empty() ? Route{} : result;
}

Route get_route(std::string_view path, std::string_view query, bool head) {
  if (take_prefix(path, "original/")) return with_alias(Action::original, alias_from(path));
  if (path == "original") return about_a_picture(Action::original, query);
  if (take_prefix(path, "process.")) {
    return with_extension(about_a_picture(Action::process, query), path);
  }
  if (head) return {};
  if (take_prefix(path, "details/original/")) return with_alias(Action::details, alias_from(path));
  if (path == "details/original") return about_a_picture(Action::details, query);
  for (const auto& [prefix, action] :
       {std::pair("details/process.", Action::process_details),
        std::pair("process_backgrounded.", Action::process_backgrounded)})
    if (take_prefix(path, prefix)) {
      return with_extension(about_a_picture(action, query), path);
    }
  if (path == "blurhash") return about_a_picture(Action::blurhash, query);
  for (const auto& [name, action] :
       {std::pair("backgrounded/claim", Action::claim), std::pair("download", Action::download)})
    if (path == name) return {.action = action, .parameters = net::query_pairs(query)};
  if (take_prefix(path, "delete/")) return delete_route(path);
  return {};
}

}  // namespace

bool is_internal(Action action) { return action >= Action::import; }

Proxied proxied_from(std::string_view query) {
  constexpr std::string_view kKey = "proxy=", kThumbnail = "&thumbnail=";
  Proxied result;
  std::size_t at = query.starts_with(kKey) ? 0 : query.find("&proxy=");
  if (at == std::string_view::npos) return result;
  at += query[at] == '&' ? 1 : 0;
  std::string_view url = query.substr(at + kKey.size());
  const std::string_view before = query.substr(0, at);
  if (!is_raw_url(url)) {
    const std::string_view encoded = url.substr(0, url.find('&'));
    const auto decoded = net::percent_decode(encoded);
    if (!decoded) return result;
    result.url = without_fragment(*decoded);
    result.parameters = net::query_pairs(before);
    for (auto& pair : net::query_pairs(url.substr(encoded.size())))
      result.parameters.push_back(std::move(pair));
    return result;
  }
  result.parameters = net::query_pairs(before);
  const auto last = url.rfind(kThumbnail);
  if (last != std::string_view::npos && is_digits(url.substr(last + kThumbnail.size()))) {
    result.parameters.emplace_back("thumbnail", url.substr(last + kThumbnail.size()));
    url = url.substr(0, last);
  }
  result.url = without_fragment(url);
  return result;
}

Route route(std::string_view method, std::string_view path, std::string_view query,
            std::string_view prefix, bool relayed) {
  if (!take_prefix(path, prefix.empty() ? "/" : prefix)) return {};
  if (path == "healthz") return method == "GET" ? Route{.action = Action::health} : Route{};
  if (relayed) return relayed_route(method, path, query);
  if (path == "openapi.yaml")
    return method == "GET" ? Route{.action = Action::description} : Route{};
  if (take_prefix(path, "internal/")) return internal_route(method, path, query);
  if (method == "POST" && path == "image")
    return {.action = Action::upload, .parameters = net::query_pairs(query)};
  if (!take_prefix(path, "image/")) return {};
  if (method == "POST" && path == "backgrounded")
    return {.action = Action::upload_backgrounded, .parameters = net::query_pairs(query)};
  if (method == "DELETE") return take_prefix(path, "delete/") ? delete_route(path) : Route{};
  if (method == "GET" || method == "HEAD") return get_route(path, query, method == "HEAD");
  return {};
}

}  // namespace portcullis::media

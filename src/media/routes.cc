#include "media/routes.h"

#include <algorithm>

#include "net/net.h"

namespace portcullis::media {

namespace {

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool is_alias_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

// Decoded once; empty if what comes out is no alias.
std::string alias_from(std::string_view encoded) {
  auto decoded = net::percent_decode(encoded);
  return decoded && is_alias(*decoded) ? std::move(*decoded) : std::string();
}

Route with_alias(Action action, std::string alias) {
  if (alias.empty()) return {};
  return {action, std::move(alias), {}};
}

// The only value of `alias`; several are refused, since two readers could pick different ones.
std::string alias_of_query(std::string_view query) {
  const auto values = net::query_values(query, "alias");
  return values.size() == 1 && is_alias(values.front()) ? values.front() : std::string();
}

}  // namespace

bool is_alias(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, is_alias_character) &&
         text.find_first_not_of('.') != std::string_view::npos;
}

Route route(std::string_view method, std::string_view path, std::string_view query,
            std::string_view prefix, bool relayed) {
  if (!take_prefix(path, prefix.empty() ? "/" : prefix)) return {};
  const bool get = method == "GET";
  if (path == "healthz") return get ? Route{Action::health, {}, {}} : Route{};
  if (path == "image") return method == "POST" ? Route{Action::upload, {}, {}} : Route{};
  if (!take_prefix(path, "image/")) return {};

  if (take_prefix(path, "original/")) {
    if (!get && (relayed || method != "HEAD")) return {};
    return with_alias(Action::original, alias_from(path));
  }
  if (relayed) return {};

  if (path == "original") {
    if (!get && method != "HEAD") return {};
    return with_alias(Action::original, alias_of_query(query));
  }
  if (path == "details/original")
    return get ? with_alias(Action::details, alias_of_query(query)) : Route{};
  if (take_prefix(path, "details/original/"))
    return get ? with_alias(Action::details, alias_from(path)) : Route{};
  if (take_prefix(path, "delete/")) {
    if (!get && method != "DELETE") return {};
    const auto slash = path.find('/');
    if (slash == std::string_view::npos) return {};
    Route result = with_alias(Action::remove, alias_from(path.substr(slash + 1)));
    result.token = alias_from(path.substr(0, slash));
    return result.alias.empty() || result.token.empty() ? Route{} : result;
  }
  return {};
}

}  // namespace portcullis::media

#include "lemmy/sql.h"

#include "postgres/postgres.h"

namespace portcullis::lemmy {

using postgres::sql_literal;

namespace {

// For a regular expression: hosts have no other special characters.
std::string escaped(std::string_view host) {
  std::string result;
  for (const char c : host) {
    if (std::string_view(".+*?()[]{}^$|\\").contains(c)) result += '\\';
    result += c;
  }
  return result;
}

// Only what an address begins with has to be readable.
std::string decoded_start(std::string_view text) {
  return fmt::format(
      "replace(replace(replace(replace(lower(left({}, 1000)), '%3a', ':'), '%2f', '/'), "
      "'%2e', '.'), '%2d', '-')",
      text);
}

}  // namespace

std::string picture_pattern() {
  return sql_literal(
      "(?:/|%2[Ff])(?:pictrs|api(?:/|%2[Ff])v4)(?:/|%2[Ff])image(?:/|%2[Ff])([A-Za-z0-9._%-]+)");
}

std::string alias_in(std::string_view found) {
  return fmt::format(
      "CASE WHEN strpos({0}, '%') = 0 THEN {0} ELSE "
      "substring(regexp_replace(regexp_replace(regexp_replace("
      "{0}, '%2[Ee]', '.', 'g'), '%5[Ff]', '_', 'g'), '%2[Dd]', '-', 'g') FROM '^[A-Za-z0-9._-]+') "
      "END",
      found);
}

std::string stem_of(std::string_view alias) {
  return fmt::format("substring(({}) FROM '^[A-Za-z0-9-]+')", alias);
}

std::string is_own(std::string_view url, const OwnSite& site) {
  std::string hosts;
  for (const std::string& host : site.hosts) hosts += (hosts.empty() ? "" : "|") + escaped(host);
  const std::string pattern = sql_literal("^https?://(" + hosts + ")\\.?(:[0-9]*)?([/?#]|$)");
  const std::string behind =
      decoded_start(fmt::format("substring({} FROM '[?&]url=([^&#]*)')", url));
  const std::string proxy = fmt::format("starts_with({0}, {1}) OR starts_with({0}, {2})", url,
                                        sql_literal(site.url + "/api/v3/image_proxy?"),
                                        sql_literal(site.url + "/api/v4/image/proxy?"));
  const std::string inner =
      fmt::format("CASE WHEN {} THEN coalesce({}, {}) ELSE {} END", proxy, behind, url, url);
  return fmt::format("coalesce(({}) ~* {}, false)", inner, pattern);
}

std::string address_of(std::string_view alias, std::string_view path, const OwnSite& site) {
  return fmt::format("{} || {}", sql_literal(site.url + std::string(path)), alias);
}

}  // namespace portcullis::lemmy

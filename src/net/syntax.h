// net/syntax.h: the letters of HTTP (RFC 9110 §5.6), shared by the request head and the multipart
// parser. Private.
#pragma once

#include <string_view>

namespace portcullis::net {

inline bool is_token_character(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

inline bool is_token(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (!is_token_character(c)) return false;
  return true;
}

// What may stand in a field value: tab, space, visible ASCII and bytes above it.
inline bool is_field_character(char c) {
  const auto value = static_cast<unsigned char>(c);
  return value == '\t' || (value >= 0x20 && value != 0x7f);
}

inline bool is_field_value(std::string_view text) {
  for (const char c : text)
    if (!is_field_character(c)) return false;
  return true;
}

// Without the spaces and tabs around it.
inline std::string_view without_padding(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace portcullis::net

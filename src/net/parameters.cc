#include "net/parameters.h"

#include "base/bytes.h"
#include "net/syntax.h"

namespace portcullis::net {

namespace {

// Takes what stands between the quotes off `text`, which begins with one.
std::optional<std::string> take_quoted(std::string_view& text) {
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) ++i;
    value += text[i];
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> Parameters::find(std::string_view name) const {
  for (const auto& [key, value] : named)
    if (ascii_equal_ignoring_case(key, name)) return value;
  return std::nullopt;
}

std::optional<Parameters> parse_parameters(std::string_view text) {
  if (!is_field_value(text)) return std::nullopt;
  Parameters result;
  result.value = without_padding(text.substr(0, text.find(';')));
  text.remove_prefix(std::min(text.find(';'), text.size()));
  while (!text.empty()) {
    if (text.front() != ';') return std::nullopt;
    text = without_padding(text.substr(1));
    if (text.empty()) break;  // a semicolon at the end
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    std::string name(text.substr(0, equals));
    if (!is_token(name) || result.find(name)) return std::nullopt;
    text.remove_prefix(equals + 1);
    std::optional<std::string> value;
    if (text.starts_with('"')) {
      value = take_quoted(text);
    } else {
      const std::string_view token = text.substr(0, text.find_first_of("; \t"));
      if (is_token(token)) value = token;
      text.remove_prefix(token.size());
    }
    if (!value) return std::nullopt;
    result.named.emplace_back(std::move(name), std::move(*value));
    text = without_padding(text);
  }
  return result;
}

}  // namespace portcullis::net

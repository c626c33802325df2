#include "lemmy/lemmy.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <optional>

#include "base/bytes.h"

namespace portcullis::lemmy {

namespace {

constexpr std::string_view kSpace = " \t\r\n\f";
constexpr std::size_t kLongestAddress = 2'048;

// Where the next tag begins, behind what only looks like one.
struct Tag {
  std::string_view name;  // "meta", "/script"
  std::string_view rest;  // its attributes
};

// Takes a tag off the front of `html`; nothing at the end.
std::optional<Tag> next_tag(std::string_view& html) {
  while (true) {
    const auto open = html.find('<');
    if (open == std::string_view::npos) return std::nullopt;
    html.remove_prefix(open + 1);
    if (html.starts_with("!--")) {
      const auto end = html.find("-->", 3);
      if (end == std::string_view::npos) return std::nullopt;
      html.remove_prefix(end + 3);
      continue;
    }
    // A '>' may stand in a quoted value.
    char quote = 0;
    std::size_t end = 0;
    for (; end < html.size() && (quote != 0 || html[end] != '>'); ++end) {
      if (quote != 0 && html[end] == quote)
        quote = 0;
      else if (quote == 0 && (html[end] == '"' || html[end] == '\'') && end > 0 &&
               html[end - 1] == '=')
        quote = html[end];
    }
    if (end == html.size()) return std::nullopt;
    const std::string_view inside = html.substr(0, end);
    html.remove_prefix(end + 1);
    const std::string_view name = inside.substr(0, inside.find_first_of(" \t\r\n\f/", 1));
    return Tag{name, inside.substr(name.size())};
  }
}

// The value of an attribute; empty if there is none.
std::string_view attribute(std::string_view attributes, std::string_view wanted) {
  while (true) {
    const auto begin = attributes.find_first_not_of(" \t\r\n\f/");
    if (begin == std::string_view::npos) return {};
    attributes.remove_prefix(begin);
    const auto name_end = std::min(attributes.find_first_of(" \t\r\n\f=/"), attributes.size());
    const std::string_view name = attributes.substr(0, std::max<std::size_t>(name_end, 1));
    attributes.remove_prefix(name.size());
    const auto equals = attributes.find_first_not_of(kSpace);
    std::string_view value;
    if (equals != std::string_view::npos && attributes[equals] == '=') {
      attributes.remove_prefix(equals + 1);
      attributes.remove_prefix(std::min(attributes.find_first_not_of(kSpace), attributes.size()));
      const bool is_quoted = attributes.starts_with('"') || attributes.starts_with('\'');
      const auto end =
          is_quoted ? attributes.find(attributes.front(), 1) : attributes.find_first_of(kSpace);
      value = attributes.substr(is_quoted ? 1 : 0,
                                end == std::string_view::npos ? end : end - (is_quoted ? 1 : 0));
      attributes.remove_prefix(end == std::string_view::npos ? attributes.size()
                                                             : end + (is_quoted ? 1 : 0));
    }
    if (ascii_equal_ignoring_case(name, wanted)) return value;
  }
}

// Of those that stand in addresses.
std::string without_references(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, char>, 7> kReferences{{{"&amp;", '&'},
                                                                          {"&quot;", '"'},
                                                                          {"&#39;", '\''},
                                                                          {"&#x27;", '\''},
                                                                          {"&#x2F;", '/'},
                                                                          {"&#47;", '/'},
                                                                          {"&#38;", '&'}}};
  std::string plain;
  while (!text.empty()) {
    const auto found = std::ranges::find_if(kReferences, [&](const auto& one) {
      return ascii_equal_ignoring_case(text.substr(0, one.first.size()), one.first);
    });
    plain += found == kReferences.end() ? text.front() : found->second;
    text.remove_prefix(found == kReferences.end() ? 1 : found->first.size());
  }
  return plain;
}

bool names_an_image(std::string_view property) {
  return std::ranges::any_of(
      std::array<std::string_view, 3>{"og:image", "og:image:url", "og:image:secure_url"},
      [&](std::string_view one) { return ascii_equal_ignoring_case(property, one); });
}

// Behind the end of an element whose inside is no HTML.
void skip_to_end_of(std::string_view& html, std::string_view name) {
  while (const auto tag = next_tag(html))
    if (tag->name.starts_with('/') && ascii_equal_ignoring_case(tag->name.substr(1), name)) return;
  html = {};
}

}  // namespace

std::string page_image(std::string_view html) {
  html = html.substr(0, kPageBytes);
  while (const auto tag = next_tag(html)) {
    if (ascii_equal_ignoring_case(tag->name, "script") ||
        ascii_equal_ignoring_case(tag->name, "style")) {
      skip_to_end_of(html, tag->name);
      continue;
    }
    if (!ascii_equal_ignoring_case(tag->name, "meta")) continue;
    if (!names_an_image(attribute(tag->rest, "property")) &&
        !names_an_image(attribute(tag->rest, "name")))
      continue;
    const std::string_view content = attribute(tag->rest, "content");
    if (!content.empty() && content.size() <= kLongestAddress) return without_references(content);
  }
  return {};
}

std::string activity_image(std::string_view json) {
  namespace js = boost::json;
  boost::system::error_code error;
  const js::value value = js::parse(json.substr(0, kPageBytes), error);
  const js::object* object = error ? nullptr : value.if_object();
  const js::value* image = object ? object->if_contains("image") : nullptr;
  const js::object* of_image = image ? image->if_object() : nullptr;
  const js::value* url = of_image ? of_image->if_contains("url") : nullptr;
  if (!url || !url->is_string() || url->as_string().size() > kLongestAddress) return {};
  return std::string(url->as_string());
}

}  // namespace portcullis::lemmy

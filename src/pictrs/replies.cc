// What pict-rs answers, read.
#include <sodium.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/id.h"
#include "pictrs/pictrs.h"

namespace portcullis::pictrs {

namespace json = boost::json;

namespace {

constexpr std::size_t kKeyBytes = 39;
constexpr std::size_t kLongestPath = 1024;
constexpr std::size_t kLongestSlug = 256;

std::unexpected<Error> not_understood(std::string_view what) {
  return fail_with(Fault::upstream, "pict-rs-failed",
                   "pict-rs's answer has no {}: it is another version, or another program", what);
}

Result<json::object> object_in(std::string_view text) {
  boost::system::error_code error;
  json::value root = json::parse(text, error);
  if (error || !root.is_object()) return not_understood("JSON object");
  return std::move(root.as_object());
}

std::optional<std::string_view> text_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (!value || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string());
}

std::optional<std::uint32_t> number_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (!value) return std::nullopt;
  boost::system::error_code error;
  const auto number = value->to_number<std::uint32_t>(error);
  return error ? std::nullopt : std::optional(number);
}

std::optional<Details> details_from(const json::object& object) {
  const auto width = number_in(object, "width"), height = number_in(object, "height");
  const auto type = text_in(object, "content_type");
  if (!width || !height || !type || type->size() > 100) return std::nullopt;
  Details details{*width, *height, number_in(object, "frames"), std::string(*type), {}};
  if (const auto created = text_in(object, "created_at")) details.created = parse_rfc3339(*created);
  return details;
}

std::optional<FileKey> key_from(ByteView bytes) {
  if (bytes.size() != kKeyBytes) return std::nullopt;
  FileKey key;
  std::ranges::copy(bytes.first(key.sha256.bytes.size()), key.sha256.bytes.begin());
  for (const std::byte byte : bytes.subspan(32, 6))
    key.size = key.size << 8 | std::to_integer<std::uint64_t>(byte);
  key.format = std::to_integer<std::uint8_t>(bytes[38]);
  return key;
}

// The aliases in an array; what is none is counted.
std::vector<std::string> aliases_from(const json::array& array, std::size_t& skipped) {
  std::vector<std::string> aliases;
  for (const json::value& value : array)
    if (value.is_string() && is_alias(value.get_string()))
      aliases.emplace_back(value.get_string());
    else
      ++skipped;
  return aliases;
}

std::optional<Entry> entry_from(const json::value& value, std::size_t& skipped) {
  const json::object* object = value.if_object();
  const auto hex = object ? text_in(*object, "hex") : std::nullopt;
  const auto key = hex ? FileKey::from_hex(*hex) : std::nullopt;
  if (!key) return std::nullopt;
  Entry entry{*key, {}, {}};
  if (const json::value* aliases = object->if_contains("aliases"); aliases && aliases->is_array())
    entry.aliases = aliases_from(aliases->get_array(), skipped);
  if (const json::value* details = object->if_contains("details"); details && details->is_object())
    entry.details = details_from(details->get_object());
  return entry;
}

}  // namespace

std::optional<FileKey> FileKey::from_hex(std::string_view text) {
  const auto bytes = portcullis::from_hex(text);
  return bytes ? key_from(*bytes) : std::nullopt;
}

std::optional<FileKey> FileKey::from_base64(std::string_view text) {
  Bytes bytes(kKeyBytes);
  std::size_t size = 0;
  if (::sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                          text.size(), nullptr, &size, nullptr,
                          sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0 ||
      size != kKeyBytes)
    return std::nullopt;
  return key_from(bytes);
}

Result<Page> parse_page(std::string_view text) {
  const json::object root = TRY(object_in(text));
  const json::value* page = root.if_contains("page");
  if (!page || !page->is_object()) return not_understood("page of hashes");
  const json::object& object = page->get_object();
  const json::value* hashes = object.if_contains("hashes");
  if (!hashes || !hashes->is_array()) return not_understood("page of hashes");
  Page result;
  for (const json::value& value : hashes->get_array())
    if (auto entry = entry_from(value, result.skipped))
      result.entries.push_back(*std::move(entry));
    else
      ++result.skipped;
  if (const auto next = text_in(object, "next")) {
    if (next->size() > kLongestSlug) return not_understood("mark of the next page");
    result.next = *next;
  }
  return result;
}

Result<Details> parse_details(std::string_view text) {
  const json::object root = TRY(object_in(text));
  auto details = details_from(root);
  if (!details) return not_understood("width, height and content_type");
  return *std::move(details);
}

Result<std::vector<std::string>> parse_aliases(std::string_view text) {
  const json::object root = TRY(object_in(text));
  const json::value* aliases = root.if_contains("aliases");
  if (!aliases || !aliases->is_array()) return not_understood("list of aliases");
  std::size_t skipped = 0;
  return aliases_from(aliases->get_array(), skipped);
}

Result<std::string> parse_identifier(std::string_view text) {
  const json::object root = TRY(object_in(text));
  const auto identifier = text_in(root, "identifier");
  if (!identifier || !is_identifier(*identifier)) return not_understood("identifier of a file");
  return std::string(*identifier);
}

bool is_identifier(std::string_view path) {
  if (path.empty() || path.size() > kLongestPath) return false;
  if (std::ranges::any_of(path, [](unsigned char c) { return c < 0x20 || c == 0x7F; }))
    return false;
  while (true) {
    const auto slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace portcullis::pictrs

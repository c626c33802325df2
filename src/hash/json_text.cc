#include "hash/json_text.h"

#include <boost/json/basic_parser_impl.hpp>

namespace portcullis::hash {

namespace {

namespace json = boost::json;
using Code = json::error_code;

constexpr std::size_t kDeepest = 16;
constexpr std::size_t kLongestString = 1024 * 1024;

// What Boost.JSON's parser calls. A false return must set the code.
class Handler {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = 1024;
  static constexpr std::size_t max_string_size = kLongestString;

  explicit Handler(JsonSink& sink) : sink_(sink) {}

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_array_begin(Code&) {
    path_.emplace_back("[]");
    return true;
  }
  bool on_array_end(std::size_t, Code&) {
    path_.pop_back();
    return true;
  }
  bool on_object_begin(Code&) {
    sink_.object_begins(path_);
    path_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, Code&) {
    path_.pop_back();
    sink_.object_ends(path_);
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, Code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, Code&) {
    text_.append(part.data(), part.size());
    path_.back() = std::exchange(text_, {});
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, Code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(json::string_view part, std::size_t, Code&) {
    text_.append(part.data(), part.size());
    return value(std::exchange(text_, {}));
  }
  bool on_number_part(json::string_view, Code&) { return true; }
  bool on_int64(std::int64_t number, json::string_view, Code&) {
    return value(fmt::format("{}", number));
  }
  bool on_uint64(std::uint64_t number, json::string_view, Code&) {
    return value(fmt::format("{}", number));
  }
  bool on_double(double number, json::string_view, Code&) {
    return value(fmt::format("{}", number));
  }
  bool on_bool(bool flag, Code&) { return value(flag ? "true" : "false"); }
  bool on_null(Code&) { return value("null"); }
  bool on_comment_part(json::string_view, Code&) { return true; }
  bool on_comment(json::string_view, Code&) { return true; }

 private:
  bool value(std::string_view text) {
    sink_.scalar(path_, text);
    return true;
  }

  JsonSink& sink_;
  JsonPath path_;
  std::string text_;
};

}  // namespace

Status read_json(std::string_view text, JsonSink& sink, std::string_view source) {
  json::parse_options options;
  options.max_depth = kDeepest;
  json::basic_parser<Handler> parser(options, sink);
  Code code;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), code);
  if (code)
    return fail(Fault::client, "{}: this is no JSON from byte {} on ({})", source, read,
                code.message());
  if (text.find_first_not_of(" \t\r\n", read) != std::string_view::npos)
    return fail(Fault::client, "{}: something follows the end of the JSON, at byte {}", source,
                read);
  return {};
}

}  // namespace portcullis::hash

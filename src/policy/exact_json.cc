#include "policy/exact_json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>

namespace portcullis::policy {

namespace {

namespace json = boost::json;

// Builds a value from the parser's events. Comments are switched off in the parser.
class Builder {
 public:
  // NOLINTBEGIN(readability-identifier-naming): basic_parser looks for these names.
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();
  // NOLINTEND(readability-identifier-naming)

  bool on_document_begin(json::error_code&) {
    stack_.reset();
    return true;
  }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return true; }
  bool on_object_end(std::size_t count, json::error_code&) {
    keys_ += count;
    stack_.push_object(count);
    return true;
  }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t count, json::error_code&) {
    stack_.push_array(count);
    return true;
  }
  bool on_key_part(json::string_view text, std::size_t, json::error_code&) {
    stack_.push_chars(text);
    return true;
  }
  bool on_key(json::string_view text, std::size_t, json::error_code&) {
    stack_.push_key(text);
    return true;
  }
  bool on_string_part(json::string_view text, std::size_t, json::error_code&) {
    stack_.push_chars(text);
    return true;
  }
  bool on_string(json::string_view text, std::size_t, json::error_code&) {
    stack_.push_string(text);
    return true;
  }
  bool on_number_part(json::string_view text, json::error_code&) {
    number_.append(text.data(), text.size());
    return true;
  }
  bool on_int64(std::int64_t number, json::string_view, json::error_code&) {
    number_.clear();
    stack_.push_int64(number);
    return true;
  }
  bool on_uint64(std::uint64_t number, json::string_view, json::error_code&) {
    number_.clear();
    stack_.push_uint64(number);
    return true;
  }
  bool on_double(double, json::string_view text, json::error_code& error) {
    number_.append(text.data(), text.size());
    double number = 0;
    const char* end = number_.data() + number_.size();
    const auto [stop, fault] = std::from_chars(number_.data(), end, number);
    if (stop != end || fault != std::errc{}) {
      error = json::error::exponent_overflow;
      return false;
    }
    number_.clear();
    stack_.push_double(number);
    return true;
  }
  bool on_bool(bool value, json::error_code&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(json::error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  json::value release() { return stack_.release(); }
  std::size_t keys() const { return keys_; }  // as written, doubled ones too

 private:
  json::value_stack stack_;
  std::string number_;
  std::size_t keys_ = 0;
};

std::size_t count_keys(const json::value& value) {
  std::size_t count = 0;
  if (const json::object* object = value.if_object()) {
    count = object->size();
    for (const auto& [key, member] : *object) count += count_keys(member);
  } else if (const json::array* array = value.if_array()) {
    for (const json::value& element : *array) count += count_keys(element);
  }
  return count;
}

}  // namespace

Result<json::value> parse_json_exactly(std::string_view text) {
  json::basic_parser<Builder> parser(json::parse_options{});
  json::error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (error) return fail(Fault::us, "not JSON at byte {}: {}", read, error.message());
  if (read != text.size()) return fail(Fault::us, "more follows the JSON at byte {}", read);
  json::value value = parser.handler().release();
  if (count_keys(value) != parser.handler().keys())
    return fail(Fault::us, "a key stands twice in one JSON object");
  return value;
}

}  // namespace portcullis::policy

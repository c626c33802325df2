// hash/json_text.h: JSON read value by value, without keeping it. Private to the room.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portcullis::hash {

// Where a value stands: keys of objects, "[]" for arrays, from the outermost.
using JsonPath = std::vector<std::string>;

class JsonSink {
 public:
  virtual ~JsonSink() = default;
  // Strings as they are; others as "true", "false", "null" or digits.
  virtual void scalar(const JsonPath& path, std::string_view text) = 0;
  virtual void object_begins(const JsonPath&) {}
  virtual void object_ends(const JsonPath&) {}
};

// One document. Bounded: nesting, and the length of a key or a string; memory does not grow with
// the text. Fault::client names `source` and the byte at which it is no JSON.
Status read_json(std::string_view text, JsonSink& sink, std::string_view source);

}  // namespace portcullis::hash

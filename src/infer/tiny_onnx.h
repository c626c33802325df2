// infer/tiny_onnx.h: the smallest ONNX file, one operator from "x" to "y", of the same shape unless
// told otherwise; for tests. Private to this room.
//
// ONNX is protobuf (onnx/onnx.proto); written by hand here, as it takes two kinds of field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::infer {

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 128; value /= 128) bytes += static_cast<char>(value % 128 + 128);
  return bytes + static_cast<char>(value);
}
inline std::string number(int field, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(value);
}
inline std::string text(int field, std::string_view value) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(value.size()) +
         std::string(value);
}

using Shape = std::vector<std::uint64_t>;

inline std::string tiny_onnx(std::string_view operation, const Shape& input,
                             const std::optional<Shape>& output = {}) {
  const auto value = [](std::string_view name, const Shape& shape) {
    std::string dimensions;
    for (const std::uint64_t size : shape) dimensions += text(1, number(1, size));
    constexpr int kFloat = 1;
    const std::string tensor = number(1, kFloat) + text(2, dimensions);
    return text(1, name) + text(2, text(1, tensor));
  };
  const std::string node = text(1, "x") + text(2, "y") + text(4, operation);
  const std::string graph = text(1, node) + text(2, "tiny") + text(11, value("x", input)) +
                            text(12, value("y", output.value_or(input)));
  const std::string operators = text(1, "") + number(2, 13);
  return number(1, 8) + text(7, graph) + text(8, operators);
}

}  // namespace portcullis::infer

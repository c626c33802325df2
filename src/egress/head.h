// egress/head.h: what the head of an answer says about its body and where it leads, and the heads
// that are not believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace portcullis::egress {

// Takes the lines as libcurl hands them on: status lines, headers, empty lines, trailers.
class Head {
 public:
  // All of one answer's heads and trailers together, those of 1xx answers too.
  static constexpr std::size_t kMostBytes = 64 * 1024;

  // Fault::upstream, code "download-file-error", for more than kMostBytes, for a line that goes on
  // with the one before it, for a length or a target that is none or that contradicts another, for
  // a transfer coding that libcurl would undo here (anything but chunked).
  Status add(std::string_view line);

  // What follows belongs to another answer: the one before was 1xx.
  void begin_again();

  std::optional<std::uint64_t> length() const { return length_; }  // 2^64-1 for anything over it
  const std::string& location() const { return location_; }        // empty if it leads nowhere
  bool is_encoded() const { return is_encoded_; }  // Content-Encoding: anything but identity

 private:
  std::size_t bytes_ = 0;
  std::optional<std::uint64_t> length_;
  std::string location_;
  bool is_encoded_ = false;
};

}  // namespace portcullis::egress

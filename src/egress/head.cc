#include "egress/head.h"

#include <charconv>

#include "base/bytes.h"

namespace portcullis::egress {

namespace {

std::unexpected<Error> bad_head(std::string_view why) {
  return fail_with(Fault::upstream, "download-file-error", "{}", why);
}

bool is_identity(std::string_view coding) {
  return coding.empty() || ascii_equal_ignoring_case(coding, "identity");
}

std::optional<std::uint64_t> length_from(std::string_view text) {
  std::uint64_t length = 0;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (stop != text.data() + text.size()) return std::nullopt;
  if (fault == std::errc::result_out_of_range) return UINT64_MAX;
  return fault == std::errc() ? std::optional(length) : std::nullopt;
}

}  // namespace

void Head::begin_again() {
  length_.reset();
  location_.clear();
  is_encoded_ = false;
}

Status Head::add(std::string_view line) {
  bytes_ += line.size();
  if (bytes_ > kMostBytes) return bad_head("a head that is too long");
  if (line.starts_with(' ') || line.starts_with('\t')) return bad_head("a folded header");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return {};  // a status line, or the empty one
  const std::string name = ascii_lower(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (name == "content-length") {
    const auto length = length_from(value);
    if (!length) return bad_head("a length that is no number");
    if (length_ && length_ != length) return bad_head("two lengths");
    length_ = length;
  } else if (name == "location") {
    if (!location_.empty() && location_ != value) return bad_head("two targets");
    location_ = value;
  } else if (name == "content-encoding") {
    is_encoded_ |= !is_identity(value);
  } else if (name == "transfer-encoding") {
    if (!is_identity(value) && !ascii_equal_ignoring_case(value, "chunked"))
      return bad_head("a transfer coding that nobody asked for");
  }
  return {};
}

}  // namespace portcullis::egress

// What a gate must refuse before anything else is done with a request. Stricter than Beast's
// parser, which takes several of these heads for requests without a body and would read the body as
// the next request.
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "net/net.h"
#include "net/syntax.h"

namespace portcullis::net {

namespace {

constexpr std::size_t kMostLengthDigits = 18;  // any such number fits in 63 bits

// Cuts the first line off `rest`; nothing unless it ends with CR LF and holds neither alone.
std::optional<std::string_view> next_line(std::string_view& rest) {
  const std::size_t end = rest.find_first_of(std::string_view("\r\n\0", 3));
  if (end == std::string_view::npos || !rest.substr(end).starts_with("\r\n")) return std::nullopt;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return line;
}

std::optional<Refusal> refuse_target(std::string_view target) {
  if (!target.starts_with('/')) return Refusal::target;
  for (const char c : target)
    if (c <= ' ' || c == '#' || c > '~') return Refusal::target;  // chars above 127 are negative
  return std::nullopt;
}

std::optional<Refusal> refuse_request_line(std::string_view line, bool& is_http_1_0) {
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos || !is_token(line.substr(0, first))) return Refusal::syntax;
  const std::size_t last = line.rfind(' ');
  if (last == first) return Refusal::syntax;
  const std::string_view version = line.substr(last + 1);
  is_http_1_0 = version == "HTTP/1.0";
  if (!is_http_1_0 && version != "HTTP/1.1") return Refusal::syntax;
  return refuse_target(line.substr(first + 1, last - first - 1));
}

bool is_length(std::string_view value) {
  if (value.empty() || value.size() > kMostLengthDigits) return false;
  return value.find_first_not_of("0123456789") == std::string_view::npos;
}

// Letters of host[:port]; no comma, at sign, slash or space, on which parsers disagree.
bool is_host(std::string_view value) {
  if (value.empty()) return false;
  for (const char c : value) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_letter && !is_digit && std::string_view(".-_~%:[]").find(c) == std::string_view::npos)
      return false;
  }
  return true;
}

struct Seen {
  int lengths = 0;
  int encodings = 0;
  int hosts = 0;
  bool framing_is_plain = true;
  bool host_is_plain = true;

  void add(std::string_view name, std::string_view value) {
    if (ascii_equal_ignoring_case(name, "content-length")) {
      ++lengths;
      framing_is_plain = framing_is_plain && is_length(value);
    } else if (ascii_equal_ignoring_case(name, "transfer-encoding")) {
      ++encodings;
      framing_is_plain = framing_is_plain && ascii_equal_ignoring_case(value, "chunked");
    } else if (ascii_equal_ignoring_case(name, "host")) {
      ++hosts;
      host_is_plain = host_is_plain && is_host(value);
    }
  }
};

}  // namespace

std::optional<Refusal> refuse_ambiguous(std::string_view head) {
  std::string_view rest = head;
  const auto request_line = next_line(rest);
  if (!request_line) return Refusal::syntax;
  bool is_http_1_0 = false;
  if (const auto refusal = refuse_request_line(*request_line, is_http_1_0)) return refusal;

  Seen seen;
  for (;;) {
    const auto line = next_line(rest);
    if (!line) return Refusal::syntax;
    if (line->empty()) break;
    const std::size_t colon = line->find(':');
    if (colon == std::string_view::npos) return Refusal::syntax;
    const std::string_view name = line->substr(0, colon);
    const std::string_view value = without_padding(line->substr(colon + 1));
    // A name that is no token also catches a space before the colon and a folded line.
    if (!is_token(name) || !is_field_value(value)) return Refusal::syntax;
    seen.add(name, value);
  }
  if (!rest.empty()) return Refusal::syntax;

  if (!seen.framing_is_plain || seen.lengths + seen.encodings > 1) return Refusal::framing;
  if (seen.encodings > 0 && is_http_1_0) return Refusal::framing;
  if (!seen.host_is_plain || seen.hosts > 1) return Refusal::host;
  if (seen.hosts == 0 && !is_http_1_0) return Refusal::host;  // HTTP/1.0 knew no Host
  return std::nullopt;
}

}  // namespace portcullis::net

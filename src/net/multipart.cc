// The delimiter is CR LF "--" boundary, and CR cannot occur in a boundary: a match that breaks off
// can only begin anew at the byte that broke it. So a number of matched bytes is all that has to be
// kept between two portions of data.
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "net/net.h"
#include "net/parameters.h"
#include "net/syntax.h"

namespace portcullis::net {

namespace {

constexpr std::size_t kLongestBoundary = 70;  // RFC 2046 §5.1.1

std::unexpected<Error> malformed(std::string_view what) {
  return fail(Fault::client, "multipart: {}", what);
}

bool is_boundary(std::string_view text) {
  if (text.empty() || text.size() > kLongestBoundary || text.back() == ' ') return false;
  for (const char c : text) {
    const bool is_alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_alphanumeric && (c == '\0' || !std::strchr("'()+_,-./:=? ", c))) return false;
  }
  return true;
}

// The part of filename*=charset'language'percent-encoded (RFC 8187) behind the second quote.
std::optional<std::string> extended_value(std::string_view text) {
  const std::size_t first = text.find('\'');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = text.find('\'', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  auto value = percent_decode(text.substr(second + 1));
  if (!value || !is_field_value(*value)) return std::nullopt;
  return value;
}

Status read_disposition(std::string_view value, PartHeader& header) {
  const auto parsed = parse_parameters(value);
  if (!parsed || !ascii_equal_ignoring_case(parsed->value, "form-data"))
    return malformed("a part's Content-Disposition is not form-data");
  const auto name = parsed->find("name");
  if (!name) return malformed("a part has no name");
  header.name = *name;
  if (const auto filename = parsed->find("filename")) {
    header.filename = *filename;
  } else if (const auto extended = parsed->find("filename*")) {
    header.filename = extended_value(*extended);
    if (!header.filename) return malformed("a part's filename* is broken");
  }
  return {};
}

// `block` is header lines, each with its CR LF.
Result<PartHeader> parse_part_header(std::string_view block) {
  PartHeader header;
  bool has_disposition = false;
  bool has_type = false;
  while (!block.empty()) {
    const std::size_t end = block.find("\r\n");
    const std::string_view line = block.substr(0, end);
    block.remove_prefix(end + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return malformed("a header line without a colon");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = without_padding(line.substr(colon + 1));
    // Catches folded lines and lone CR or LF as well.
    if (!is_token(name) || !is_field_value(value)) return malformed("a header with odd characters");
    if (ascii_equal_ignoring_case(name, "content-disposition")) {
      if (std::exchange(has_disposition, true))
        return malformed("two Content-Disposition in a part");
      TRY(read_disposition(value, header));
    } else if (ascii_equal_ignoring_case(name, "content-type")) {
      if (std::exchange(has_type, true)) return malformed("two Content-Type in a part");
      header.content_type = value;
    } else if (ascii_equal_ignoring_case(name, "content-transfer-encoding")) {
      // RFC 7578 §4.7: not to be used. Whoever decodes it would see other bytes than those
      // screened.
      if (!ascii_equal_ignoring_case(value, "binary") &&
          !ascii_equal_ignoring_case(value, "8bit") && !ascii_equal_ignoring_case(value, "7bit"))
        return malformed("a part is encoded");
    }
  }
  if (!has_disposition) return malformed("a part without Content-Disposition");
  return header;
}

}  // namespace

struct MultipartParser::State {
  enum class Where {
    preamble,
    data,
    after_delimiter,  // "-" or padding or CR may follow
    after_dash,       // one "-" was seen
    padding,          // spaces up to CR LF, a part follows
    line_feed,        // CR was seen, a part follows
    header,
    closing_padding,  // "--" was seen; spaces, then the end or CR LF
    closing_line_feed,
    epilogue,
    failed,
  };

  State(std::string_view boundary, MultipartLimits l, Events e)
      : delimiter("\r\n--" + std::string(boundary)), limits(l), events(std::move(e)) {}

  const std::string delimiter;
  const MultipartLimits limits;
  const Events events;

  Where where = Where::preamble;
  // The first bytes of the delimiter that were seen last. Of these `imagined` were not sent: a
  // delimiter at the very beginning of the body, or of a part's data, needs no CR LF of its own.
  std::size_t matched = 2;
  std::size_t imagined = 2;
  std::string header;
  std::size_t parts = 0;
  std::optional<Error> error;

  Status feed(std::string_view bytes) {
    while (!bytes.empty()) {
      if (where == Where::preamble || where == Where::data) {
        TRY(scan(bytes));
      } else if (where == Where::header) {
        TRY(collect_header(bytes));
      } else if (where == Where::epilogue) {
        return {};
      } else {
        TRY(step(bytes.front()));
        bytes.remove_prefix(1);
      }
    }
    return {};
  }

  Status emit(std::string_view data) {
    if (where != Where::data || data.empty()) return {};
    return events.part_data(as_bytes(data));
  }

  // Eats up to and with the next delimiter, or everything.
  Status scan(std::string_view& bytes) {
    if (matched > 0) {
      while (!bytes.empty() && matched < delimiter.size() && bytes.front() == delimiter[matched]) {
        ++matched;
        bytes.remove_prefix(1);
      }
      if (matched == delimiter.size()) return found();
      if (bytes.empty()) return {};
      const std::string_view not_a_delimiter =
          std::string_view(delimiter).substr(imagined, matched - imagined);
      matched = imagined = 0;
      TRY(emit(not_a_delimiter));
    }
    const auto* hit = static_cast<const char*>(
        ::memmem(bytes.data(), bytes.size(), delimiter.data(), delimiter.size()));
    if (hit) {
      const auto length = static_cast<std::size_t>(hit - bytes.data());
      TRY(emit(bytes.substr(0, length)));
      bytes.remove_prefix(length + delimiter.size());
      return found();
    }
    matched = beginning_at_the_end(bytes);
    TRY(emit(bytes.substr(0, bytes.size() - matched)));
    bytes = {};
    return {};
  }

  // How many bytes at the end of `bytes` are the delimiter's first.
  std::size_t beginning_at_the_end(std::string_view bytes) const {
    const std::size_t window = std::min(bytes.size(), delimiter.size() - 1);
    const std::size_t start = bytes.rfind('\r');
    if (start == std::string_view::npos || bytes.size() - start > window) return 0;
    const std::string_view tail = bytes.substr(start);
    return std::string_view(delimiter).starts_with(tail) ? tail.size() : 0;
  }

  Status found() {
    matched = imagined = 0;
    const bool was_data = where == Where::data;
    where = Where::after_delimiter;
    return was_data ? events.part_end() : Status{};
  }

  Status step(char c) {
    const bool is_padding = c == ' ' || c == '\t';
    switch (where) {
      case Where::after_delimiter:
        if (c == '-') return go(Where::after_dash);
        [[fallthrough]];
      case Where::padding:
        if (is_padding) return go(Where::padding);
        if (c == '\r') return go(Where::line_feed);
        break;
      case Where::after_dash:
        if (c == '-') return go(Where::closing_padding);
        break;
      case Where::line_feed:
        if (c != '\n') break;
        if (++parts > limits.max_parts)
          return fail(Fault::limits, "multipart: more than {} parts", limits.max_parts);
        header.clear();
        return go(Where::header);
      case Where::closing_padding:
        if (is_padding) return {};
        if (c == '\r') return go(Where::closing_line_feed);
        break;
      case Where::closing_line_feed:
        if (c == '\n') return go(Where::epilogue);
        break;
      default:
        break;
    }
    return malformed("odd bytes after a boundary");
  }

  Status go(Where to) {
    where = to;
    return {};
  }

  Status collect_header(std::string_view& bytes) {
    // Only what may still belong to the header is copied: up to its limit, and three bytes of the
    // end sought.
    const std::size_t room = limits.max_header_bytes + 1 - header.size();
    const std::size_t before = header.size();
    header += bytes.substr(0, room);
    const std::size_t end = end_of_header(before < 3 ? 0 : before - 3);
    if (end == 0) {
      if (header.size() > limits.max_header_bytes)
        return fail(Fault::limits, "multipart: a part's header is over {} bytes",
                    limits.max_header_bytes);
      bytes.remove_prefix(header.size() - before);
      return {};
    }
    bytes.remove_prefix(end - before);
    const auto part = TRY(parse_part_header(std::string_view(header).substr(0, end - 2)));
    header = {};
    where = Where::data;
    matched = imagined = 2;
    return events.part_begin(part);
  }

  // Behind the empty line, or 0.
  std::size_t end_of_header(std::size_t from) const {
    if (header.starts_with("\r\n")) return 2;
    const std::size_t at = header.find("\r\n\r\n", from);
    return at == std::string::npos ? 0 : at + 4;
  }
};

Result<MultipartParser> MultipartParser::create(std::string_view content_type,
                                                MultipartLimits limits, Events events) {
  const auto parsed = parse_parameters(content_type);
  if (!parsed || !ascii_equal_ignoring_case(parsed->value, "multipart/form-data"))
    return malformed("the content type is not multipart/form-data");
  const auto boundary = parsed->find("boundary");
  if (!boundary || !is_boundary(*boundary))
    return malformed("the boundary is missing or malformed");
  return MultipartParser(std::make_unique<State>(*boundary, limits, std::move(events)));
}

MultipartParser::MultipartParser(std::unique_ptr<State> state) : state_(std::move(state)) {}
MultipartParser::MultipartParser(MultipartParser&&) noexcept = default;
MultipartParser& MultipartParser::operator=(MultipartParser&&) noexcept = default;
MultipartParser::~MultipartParser() = default;

Status MultipartParser::feed(ByteView bytes) {
  if (const std::optional<Error>& before = state_->error) return std::unexpected(*before);
  Status status = state_->feed(as_text(bytes));
  if (!status) state_->error = status.error();
  return status;
}

Status MultipartParser::finish() {
  using Where = State::Where;
  if (const std::optional<Error>& before = state_->error) return std::unexpected(*before);
  const Where where = state_->where;
  // Some senders leave the last CR LF away.
  if (where == Where::closing_padding || where == Where::epilogue) return {};
  Status status = malformed("the body ends before its closing boundary");
  state_->error = status.error();
  return status;
}

}  // namespace portcullis::net

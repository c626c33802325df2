// A request as a stranger may send it: a head and what follows. What refuse_ambiguous() accepts,
// Beast's parser accepts too or fails cleanly; the two agree on the framing; and a chunked body is
// the same however it is cut.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "net/head.h"
#include "net/net.h"

namespace {

using namespace portcullis;
using namespace portcullis::net;

struct Decoded {
  std::string bytes;
  std::size_t eaten = 0;
  bool done = false;
  bool failed = false;
  bool operator==(const Decoded&) const = default;
};

// Gives the decoder `growth` more bytes of the body each time it has used up what it can.
Decoded decode(std::string_view head, std::string_view body, std::size_t growth, std::size_t room) {
  const auto parsed = parse_head(head);
  PORTCULLIS_CHECK(parsed && parsed->chunks);
  Decoded result;
  std::vector<std::byte> into(room);
  std::size_t given = 0;
  while (!result.done) {
    const auto step = parsed->chunks->decode(body.substr(result.eaten, given - result.eaten), into);
    if (!step) {
      result.failed = true;
      return result;
    }
    result.bytes += as_text(std::span(into).first(step->made));
    result.eaten += step->eaten;
    result.done = step->done;
    PORTCULLIS_CHECK(result.eaten <= given);
    if (step->made > 0 || step->eaten > 0 || step->done) continue;
    if (given == body.size()) break;
    given = std::min(body.size(), given + growth);
  }
  return result;
}

void check_framing(std::string_view head, const Head& parsed) {
  const Request& request = parsed.request;
  PORTCULLIS_CHECK(request.target.starts_with('/'));
  PORTCULLIS_CHECK(request.target == request.path + (request.target.size() > request.path.size()
                                                         ? "?" + request.query
                                                         : std::string()));
  const auto lengths = request.all_headers("content-length");
  const auto encodings = request.all_headers("transfer-encoding");
  PORTCULLIS_CHECK(lengths.size() + encodings.size() <= 1);
  PORTCULLIS_CHECK(request.content_length.has_value() == (lengths.size() == 1));
  PORTCULLIS_CHECK((parsed.chunks != nullptr) == (encodings.size() == 1));
  if (request.content_length)
    PORTCULLIS_CHECK(std::stoull(std::string(lengths[0])) == *request.content_length);
  PORTCULLIS_CHECK(request.has_body == (parsed.chunks || request.content_length.value_or(0) > 0));
  PORTCULLIS_CHECK(request.all_headers("host").size() == 1 || parsed.is_http_1_0);
  // One line a header, the request line and the empty one: nobody sees more or fewer headers than
  // we do.
  std::size_t lines = 0;
  for (const char c : head) lines += c == '\n';
  PORTCULLIS_CHECK(lines == request.headers.size() + 2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = input.find("\r\n\r\n");
  const std::string_view head = end == std::string_view::npos ? input : input.substr(0, end + 4);
  const bool refused = refuse_ambiguous(head).has_value();
  PORTCULLIS_CHECK(refused || end != std::string_view::npos);
  const auto parsed = parse_head(head);
  PORTCULLIS_CHECK(!refused || !parsed);
  if (!parsed) return 0;
  PORTCULLIS_CHECK(refuse_ambiguous(head.substr(0, head.size() - 1)));
  check_framing(head, *parsed);

  if (parsed->chunks) {
    const std::string_view body = input.substr(head.size());
    const Decoded whole = decode(head, body, body.size() + 1, body.size() + 1);
    const Decoded slow = decode(head, body, 1, 7);
    // A failure is seen sooner or later, depending on the cut; never is a body whole in one cut and
    // broken in another.
    PORTCULLIS_CHECK(whole.done == slow.done);
    if (whole.done) PORTCULLIS_CHECK(whole == slow);
  }
  return 0;
}

// A multipart body gives the same events whatever pieces it comes in. The first byte of the input
// chooses the pieces.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "net/net.h"

namespace {

using namespace portcullis;
using namespace portcullis::net;

// Everything that was called back, as text; pieces of data run together.
struct Events {
  std::string log;
  std::optional<Fault> fault;
  bool operator==(const Events&) const = default;
};

Events parse(std::string_view body, std::size_t first, std::size_t next) {
  Events events;
  bool in_part = false;
  auto parser = MultipartParser::create(
      "multipart/form-data; boundary=b", {.max_header_bytes = 200, .max_parts = 4},
      {.part_begin = [&](const PartHeader& header) -> Status {
         PORTCULLIS_CHECK(!std::exchange(in_part, true));
         PORTCULLIS_CHECK(header.name.find('\0') == std::string::npos);
         events.log += "<" + header.name + "|" + header.filename.value_or("?") + "|" +
                       header.content_type + ">";
         return {};
       },
       .part_data = [&](ByteView bytes) -> Status {
         PORTCULLIS_CHECK(in_part && !bytes.empty());
         events.log += as_text(bytes);
         return {};
       },
       .part_end = [&]() -> Status {
         PORTCULLIS_CHECK(std::exchange(in_part, false));
         events.log += "</>";
         return {};
       }});
  PORTCULLIS_CHECK(parser);
  Status status;
  for (std::size_t size = first; status && !body.empty(); size = next) {
    const std::string_view piece = body.substr(0, size);
    status = parser->feed(as_bytes(piece));
    body.remove_prefix(piece.size());
  }
  if (status) status = parser->finish();
  if (status) PORTCULLIS_CHECK(!in_part);
  if (!status) events.fault = status.error().fault;
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Events whole = parse(body, size, size);
  const std::size_t first = data[0] / 16u;
  const std::size_t next = data[0] % 16u;
  PORTCULLIS_CHECK(parse(body, first + 1, next + 1) == whole);
  PORTCULLIS_CHECK(parse(body, 1, 1) == whole);
  return 0;
}

// Whatever an upstream sends: its head never crashes the parser, never says two things about where
// the body ends, and carries nothing that could not be passed on.
#include <cstdint>

#include "net/answer.h"
#include "net/head.h"
#include "net/syntax.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis;
  using namespace portcullis::net;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = end_of_head(input, 0);
  if (end == 0 || end > 32 * 1024) return 0;
  for (const bool to_head_request : {false, true}) {
    auto head = parse_answer_head(input.substr(0, end), to_head_request);
    if (!head) continue;
    PORTCULLIS_CHECK(head->status >= 100 && head->status <= 599);
    PORTCULLIS_CHECK(!(head->chunks && head->length));
    PORTCULLIS_CHECK(!to_head_request || !head->has_body);
    PORTCULLIS_CHECK(!head->keep_alive || !head->has_body || head->chunks || head->length);
    for (const Header& one : head->headers) {
      PORTCULLIS_CHECK(is_token(one.name) && is_field_value(one.value));
      PORTCULLIS_CHECK(!ascii_equal_ignoring_case(one.name, "transfer-encoding") &&
                       !ascii_equal_ignoring_case(one.name, "content-length") &&
                       !ascii_equal_ignoring_case(one.name, "connection"));
    }
    std::string_view rest = input.substr(end);
    std::byte into[97];
    while (head->chunks && !rest.empty()) {
      const auto step = head->chunks->decode(rest, into);
      if (!step || step->done || (step->eaten == 0 && step->made == 0)) break;
      rest.remove_prefix(step->eaten);
    }
  }
  return 0;
}

// net/head.h: from the bytes of a request head to a Request, and a chunked body from its frames.
// Private; the two places where Beast's parser works, kept behind plain types.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "net/net.h"

namespace portcullis::net {

// Takes chunk frames off. Goes on with the parser that read the head.
class ChunkedDecoder {
 public:
  virtual ~ChunkedDecoder() = default;
  struct Step {
    std::size_t eaten = 0;  // of `input`
    std::size_t made = 0;   // of `into`
    bool done = false;      // the last chunk and the trailers have been eaten
  };
  // Neither eaten nor made nor done: `input` holds an unfinished frame, call again with the same
  // bytes and more.
  virtual Result<Step> decode(std::string_view input, std::span<std::byte> into) = 0;
};

struct Head {
  Request request;
  bool keep_alive = false;  // what the client asked for
  bool is_http_1_0 = false;
  bool expects_continue = false;
  std::unique_ptr<ChunkedDecoder> chunks;  // null unless the body is chunked
};

// `head` is the bytes up to and with the empty line. Errors are Fault::client; asks
// refuse_ambiguous() first. `id` and `peer` of the request are left empty.
Result<Head> parse_head(std::string_view head);

}  // namespace portcullis::net

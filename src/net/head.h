// net/head.h: from the bytes of a request head to a Request, of an answer's head to what it says,
// and a chunked body from its frames. Private; the places where Beast's parser works, kept behind
// plain types.
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

// Behind the first empty line, however its line ends are written; 0 when there is none. The bytes
// before `from` are known not to end one.
std::size_t end_of_head(std::string_view bytes, std::size_t from);

// `head` is the bytes up to and with the empty line. Errors are Fault::client; asks
// refuse_ambiguous() first. `id` and `peer` of the request are left empty.
Result<Head> parse_head(std::string_view head);

// The head of an upstream's answer.
struct AnswerHead {
  int status = 0;               // 100..599
  std::vector<Header> headers;  // as in UpstreamAnswer
  std::optional<std::uint64_t> length;
  std::unique_ptr<ChunkedDecoder> chunks;  // null unless the body is chunked
  bool has_body = false;                   // neither length nor chunks: it ends with the connection
  bool keep_alive = false;                 // the connection may be used again after the body
};
// Errors are Fault::upstream, code "upstream-broken". Of two ways to read where the body ends none
// is taken.
Result<AnswerHead> parse_answer_head(std::string_view head, bool to_head_request);

}  // namespace portcullis::net

// net/answer.h: the head of an answer, as text. Pure. Private.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/net.h"

namespace portcullis::net {

// How an answer goes out.
struct Manner {
  bool is_head = false;      // HEAD was asked: no body follows
  bool is_http_1_0 = false;  // keeping the connection must be said aloud
  bool keep = false;         // the connection stays open
};

std::string_view reason_of(int status);

// 204 and 304 have neither a body nor its length.
bool may_have_body(int status);

// False when a status or header could not be sent as it is: a bug of the handler, or an attempt to
// split the answer.
bool can_be_sent(const Response& response);

// Up to and with the empty line. Headers that are the server's business are left out if the handler
// gave them.
//
// Without a length the body goes in chunks, or to a client of HTTP/1.0 up to the end of the
// connection.
std::string answer_head(const Response& response, std::optional<std::uint64_t> body_length,
                        Manner manner, std::string_view date);

}  // namespace portcullis::net

#include "net/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/bytes.h"
#include "net/syntax.h"

namespace portcullis::net {

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "";
  }
}

bool may_have_body(int status) { return status >= 200 && status != 204 && status != 304; }

bool can_be_sent(const Response& response) {
  if (response.status < 200 || response.status > 599) return false;
  return std::ranges::all_of(response.headers, [](const Header& header) {
    return is_token(header.name) && is_field_value(header.value);
  });
}

std::string answer_head(const Response& response, std::optional<std::uint64_t> body_length,
                        Manner manner, std::string_view date) {
  std::string head;
  head.reserve(512);
  auto out = std::back_inserter(head);
  fmt::format_to(out, "HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status, reason_of(response.status),
                 date);
  if (may_have_body(response.status)) {
    if (body_length)
      fmt::format_to(out, "Content-Length: {}\r\n", *body_length);
    else if (!manner.is_head && !manner.is_http_1_0)
      head += "Transfer-Encoding: chunked\r\n";
  }
  if (!manner.keep)
    head += "Connection: close\r\n";
  else if (manner.is_http_1_0)
    head += "Connection: keep-alive\r\n";
  for (const auto& [name, value] : response.headers) {
    constexpr std::string_view kOurs[] = {"content-length", "date", "connection",
                                          "transfer-encoding"};
    if (std::ranges::any_of(kOurs,
                            [&](auto ours) { return ascii_equal_ignoring_case(name, ours); }))
      continue;
    head.append(name).append(": ").append(value).append("\r\n");
  }
  head += "\r\n";
  return head;
}

}  // namespace portcullis::net

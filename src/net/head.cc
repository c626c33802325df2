#include "net/head.h"

#include <algorithm>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>
#include <utility>

#include "base/bytes.h"
#include "net/answer.h"
#include "net/syntax.h"

namespace portcullis::net {

namespace {

namespace http = boost::beast::http;
using Parser = http::request_parser<http::buffer_body>;
using AnswerParser = http::response_parser<http::buffer_body>;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

constexpr std::size_t kShortestLastChunk = std::string_view("0\r\n\r\n").size();

template <class SomeParser>
class BeastChunks final : public ChunkedDecoder {
 public:
  explicit BeastChunks(std::unique_ptr<SomeParser> parser) : parser_(std::move(parser)) {}

  Result<Step> decode(std::string_view input, std::span<std::byte> into) override {
    // Beast 1.81 asserts that it is not called with four bytes of a last chunk it has seen three
    // of. Nothing is lost by waiting: behind any place of a body that is not at its end at least
    // this much must follow.
    if (input.size() < kShortestLastChunk) return Step{};
    auto& body = parser_->get().body();
    body.data = into.data();
    body.size = into.size();
    boost::system::error_code error;
    Step step;
    step.eaten = parser_->put(asio::const_buffer(input.data(), input.size()), error);
    step.made = into.size() - body.size;
    step.done = parser_->is_done();
    body.data = nullptr;
    body.size = 0;
    if (error && error != http::error::need_more && error != http::error::need_buffer)
      return fail(Fault::client, "chunked body: {}", error.message());
    return step;
  }

 private:
  std::unique_ptr<SomeParser> parser_;
};

std::string_view name_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::framing:
      return "the length of the body is not clear";
    case Refusal::host:
      return "exactly one Host is needed";
    case Refusal::target:
      return "the target must begin with a slash";
    case Refusal::syntax:
      return "this is not HTTP/1.1";
  }
  return "";
}

std::unexpected<Error> broken(std::string_view what) {
  return fail_with(Fault::upstream, "upstream-broken", "the upstream's answer is none: {}", what);
}

// What may not leave this connection (RFC 9110 §7.6.1), and the length, which stands beside.
bool is_of_connection(std::string_view name, std::string_view named_by_connection) {
  constexpr std::string_view kOurs[] = {"connection",
                                        "keep-alive",
                                        "proxy-authenticate",
                                        "proxy-authorization",
                                        "proxy-connection",
                                        "te",
                                        "trailer",
                                        "transfer-encoding",
                                        "upgrade",
                                        "content-length"};
  if (std::ranges::any_of(kOurs, [&](auto ours) { return ascii_equal_ignoring_case(name, ours); }))
    return true;
  while (!named_by_connection.empty()) {
    const auto end = std::min(named_by_connection.find(','), named_by_connection.size());
    if (ascii_equal_ignoring_case(trim(named_by_connection.substr(0, end)), name)) return true;
    named_by_connection.remove_prefix(std::min(end + 1, named_by_connection.size()));
  }
  return false;
}

// A line that goes on in the next one.
bool is_folded(std::string_view head) {
  return head.find("\n ") != std::string_view::npos || head.find("\n\t") != std::string_view::npos;
}

}  // namespace

std::size_t end_of_head(std::string_view bytes, std::size_t from) {
  for (std::size_t at = bytes.find('\n', from); at != std::string_view::npos;
       at = bytes.find('\n', at + 1)) {
    const std::string_view next = bytes.substr(at + 1);
    if (next.starts_with('\n')) return at + 2;
    if (next.starts_with("\r\n")) return at + 3;
  }
  return 0;
}

Result<Head> parse_head(std::string_view head) {
  if (const auto refusal = refuse_ambiguous(head))
    return fail(Fault::client, "{}", name_of(*refusal));

  auto parser = std::make_unique<Parser>();
  parser->header_limit(static_cast<std::uint32_t>(head.size()) + 1);
  parser->body_limit(boost::none);  // Body counts
  parser->eager(true);
  boost::system::error_code error;
  const std::size_t eaten = parser->put(asio::const_buffer(head.data(), head.size()), error);
  if (error) return fail(Fault::client, "{}", error.message());
  if (eaten != head.size() || !parser->is_header_done())
    return fail(Fault::client, "the head does not end where it should");

  Head result;
  const auto& message = parser->get();
  Request& request = result.request;
  request.method = view(message.method_string());
  request.target = view(message.target());
  const std::size_t question = request.target.find('?');
  request.path = request.target.substr(0, question);
  if (question != std::string::npos) request.query = request.target.substr(question + 1);
  for (const auto& field : message) {
    request.headers.push_back(
        Header{std::string(view(field.name_string())), std::string(view(field.value()))});
  }
  result.keep_alive = message.keep_alive();
  result.is_http_1_0 = message.version() == 10;
  result.expects_continue =
      !result.is_http_1_0 &&
      ascii_equal_ignoring_case(view(message[http::field::expect]), "100-continue");
  if (parser->chunked()) {
    request.has_body = true;
    result.chunks = std::make_unique<BeastChunks<Parser>>(std::move(parser));
  } else if (const auto length = request.header("content-length")) {
    std::uint64_t value = 0;
    std::from_chars(length->data(), length->data() + length->size(), value);
    request.content_length = value;
    request.has_body = value > 0;
  }
  return result;
}

Result<AnswerHead> parse_answer_head(std::string_view head, bool to_head_request) {
  if (is_folded(head)) return broken("a header is folded");
  auto parser = std::make_unique<AnswerParser>();
  parser->header_limit(static_cast<std::uint32_t>(head.size()) + 1);
  parser->body_limit(boost::none);
  parser->eager(true);
  parser->skip(to_head_request);
  boost::system::error_code error;
  const std::size_t eaten = parser->put(asio::const_buffer(head.data(), head.size()), error);
  if (error && error != http::error::need_more) return broken(error.message());
  if (eaten != head.size() || !parser->is_header_done()) return broken("its head ends early");

  const auto& message = parser->get();
  AnswerHead result;
  result.status = static_cast<int>(message.result_int());
  if (result.status < 100 || result.status > 599) return broken("there is no such status");
  std::string connection;
  std::size_t lengths = 0, codings = 0;
  for (const auto& field : message) {
    const std::string_view name = view(field.name_string()), value = view(field.value());
    if (!is_token(name) || !is_field_value(value)) return broken("a header cannot be passed on");
    if (ascii_equal_ignoring_case(name, "connection")) connection.append(value).append(",");
    if (ascii_equal_ignoring_case(name, "content-length")) {
      std::uint64_t length = 0;
      const auto [stop, fault] = std::from_chars(value.data(), value.data() + value.size(), length);
      if (++lengths > 1 || fault != std::errc{} || stop != value.data() + value.size())
        return broken("its length is not clear");
      result.length = length;
    }
    if (ascii_equal_ignoring_case(name, "transfer-encoding") &&
        (++codings > 1 || !ascii_equal_ignoring_case(value, "chunked")))
      return broken("its body is coded");
  }
  for (const auto& field : message)
    if (const std::string_view name = view(field.name_string());
        !is_of_connection(name, connection))
      result.headers.push_back(Header{std::string(name), std::string(view(field.value()))});
  const bool is_1_1 = message.version() == 11;
  if (codings > 0 && (lengths > 0 || !is_1_1)) return broken("its length is not clear");
  result.has_body = !to_head_request && may_have_body(result.status) && result.length != 0;
  result.keep_alive = is_1_1 && message.keep_alive() && (!result.has_body || lengths + codings > 0);
  if (result.has_body && codings > 0)
    result.chunks = std::make_unique<BeastChunks<AnswerParser>>(std::move(parser));
  return result;
}

}  // namespace portcullis::net

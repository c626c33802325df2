#include "net/head.h"

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>
#include <utility>

#include "base/bytes.h"

namespace portcullis::net {

namespace {

namespace http = boost::beast::http;
using Parser = http::request_parser<http::buffer_body>;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

constexpr std::size_t kShortestLastChunk = std::string_view("0\r\n\r\n").size();

class BeastChunks final : public ChunkedDecoder {
 public:
  explicit BeastChunks(std::unique_ptr<Parser> parser) : parser_(std::move(parser)) {}

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
  std::unique_ptr<Parser> parser_;
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

}  // namespace

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
    result.chunks = std::make_unique<BeastChunks>(std::move(parser));
  } else if (const auto length = request.header("content-length")) {
    std::uint64_t value = 0;
    std::from_chars(length->data(), length->data() + length->size(), value);
    request.content_length = value;
    request.has_body = value > 0;
  }
  return result;
}

}  // namespace portcullis::net

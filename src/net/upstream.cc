// Requests to an upstream: which connection, what is sent, the head of what comes back.
#include <array>
#include <map>
#include <mutex>

#include "net/syntax.h"
#include "net/upstream_line.h"

namespace portcullis::net {

namespace {

constexpr int kMostInterim = 8;  // answers of 1xx before the answer
constexpr std::string_view kBegin = "HTTP/1.";

bool may_be_made_twice(const UpstreamRequest& request) {
  return !request.body &&
         (request.method == "GET" || request.method == "HEAD" || request.method == "DELETE");
}

bool is_target(std::string_view text) {
  return text.starts_with('/') &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Result<std::string> head_of(const UpstreamRequest& request, const UpstreamOptions& options) {
  if (!is_token(request.method) || !is_target(request.target))
    return fail(Fault::us, "a request to the upstream cannot be written");
  const bool is_v6 = options.host.find(':') != std::string::npos;
  std::string head =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}{}{}:{}\r\n", request.method, request.target,
                  is_v6 ? "[" : "", options.host, is_v6 ? "]" : "", options.port);
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name) || !is_field_value(value))
      return fail(Fault::us, "header {} of a request to the upstream cannot be written", name);
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (request.body && request.length)
    head += fmt::format("Content-Length: {}\r\n", *request.length);
  else if (request.body)
    head += "Transfer-Encoding: chunked\r\n";
  else if (request.method == "POST" || request.method == "PUT")
    head += "Content-Length: 0\r\n";
  return head + "\r\n";
}

struct Sent {
  Status status;
  bool is_bodys_fault = false;  // the request's own body could not be read
};

// The head leaves with the first piece of the body.
Task<Sent> send(Line& line, const UpstreamRequest& request, std::string head, Deadline deadline) {
  if (!request.body) {
    const std::array pieces{asio::const_buffer(head.data(), head.size())};
    co_return Sent{co_await line.send(pieces, deadline)};
  }
  const auto block = line.lines().buffers().lease();
  std::uint64_t left = request.length.value_or(UINT64_MAX);
  while (true) {
    const auto into = block.bytes().first(std::min<std::uint64_t>(BufferPool::kBlock, left));
    std::size_t count = 0;
    if (!into.empty()) {
      const auto read = co_await request.body->read(into);
      if (!read) co_return Sent{std::unexpected(read.error()), true};
      count = *read;
    }
    if (request.length && count == 0 && left > 0)
      co_return Sent{fail(Fault::client, "a body is shorter than was announced"), true};
    const std::string before = request.length ? head : fmt::format("{}{:x}\r\n", head, count);
    const std::string_view after = request.length ? "" : "\r\n";
    const std::array pieces{asio::const_buffer(before.data(), before.size()),
                            asio::const_buffer(into.data(), count),
                            asio::const_buffer(after.data(), after.size())};
    Status sent = co_await line.send(pieces, deadline);
    if (!sent) co_return Sent{std::move(sent)};
    head.clear();
    left -= count;
    if (request.length ? left == 0 : count == 0) co_return Sent{};
  }
}

Task<Result<AnswerHead>> read_head(Line& line, bool to_head_request, Deadline deadline) {
  Input& input = line.input();
  const std::size_t most = line.lines().options().max_header_bytes;
  for (int interim = 0; interim <= kMostInterim; ++interim) {
    std::size_t seen = 0, end = 0;
    while ((end = end_of_head(input.bytes(), seen)) == 0) {
      const std::string_view bytes = input.bytes();
      if (bytes.substr(0, kBegin.size()) != kBegin.substr(0, bytes.size()))
        co_return fail_with(Fault::upstream, "upstream-broken", "the upstream speaks no HTTP/1.1");
      if (bytes.size() > most) break;
      seen = bytes.size() < 2 ? 0 : bytes.size() - 2;
      CO_TRY(co_await line.receive_more(deadline));
    }
    if (end == 0 || end > most)
      co_return fail_with(Fault::upstream, "upstream-broken",
                          "the head of the upstream's answer is over {} bytes", most);
    auto head = CO_TRY(parse_answer_head(input.bytes().substr(0, end), to_head_request));
    input.eat(end);
    if (head.status >= 200) co_return head;
    if (head.status == 101) break;
  }
  co_return fail_with(Fault::upstream, "upstream-broken", "the upstream gives no final answer");
}

Task<Result<UpstreamAnswer>> exchange(std::shared_ptr<Line> line, const UpstreamRequest& request,
                                      Deadline deadline) {
  line->begin();
  std::string written = CO_TRY(head_of(request, line->lines().options()));
  const Sent sent = co_await send(*line, request, std::move(written), deadline);
  if (sent.is_bodys_fault) co_return std::unexpected(sent.status.error());
  // Who answers before it has read everything, and closes, has still answered.
  auto head = co_await read_head(*line, request.method == "HEAD", deadline);
  if (!head) co_return std::unexpected(sent.status ? head.error() : sent.status.error());
  if (!sent.status) head->keep_alive = false;
  UpstreamAnswer answer{head->status, std::move(head->headers), head->length, nullptr};
  const auto body = std::make_shared<LineBody>(line, *head, request.whole);
  if (head->has_body)
    answer.body = body;
  else
    body->end();
  co_return answer;
}

class PooledUpstream final : public Upstream {
 public:
  PooledUpstream(UpstreamOptions options, const Clock& clock)
      : options_(std::make_shared<const UpstreamOptions>(std::move(options))), clock_(clock) {}

  Task<Result<UpstreamAnswer>> ask(UpstreamRequest request, Deadline deadline) override {
    const std::shared_ptr<Lines> lines = lines_of(co_await asio::this_coro::executor);
    // A kept connection may be closed by the other end at any time, and then nobody knows whether
    // the request was heard: one that must not be made twice gets a new connection.
    if (may_be_made_twice(request))
      if (const std::shared_ptr<Line> kept = lines->take_idle()) {
        auto answer = co_await exchange(kept, request, deadline);
        if (answer || !kept->is_untouched() || answer.error().code != "upstream-broken")
          co_return answer;
      }
    std::shared_ptr<Line> line = CO_TRY(co_await lines->connect(deadline));
    co_return co_await exchange(std::move(line), request, deadline);
  }

 private:
  std::shared_ptr<Lines> lines_of(const Executor& executor) {
    const std::scoped_lock lock(mutex_);
    std::shared_ptr<Lines>& lines = lines_[&executor.context()];
    if (!lines) lines = std::make_shared<Lines>(executor, options_, clock_);
    return lines;
  }

  const std::shared_ptr<const UpstreamOptions> options_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<asio::execution_context*, std::shared_ptr<Lines>> lines_;
};

}  // namespace

std::optional<std::string_view> UpstreamAnswer::header(std::string_view name) const {
  for (const Header& one : headers)
    if (ascii_equal_ignoring_case(one.name, name)) return one.value;
  return std::nullopt;
}

std::unique_ptr<Upstream> Upstream::create(UpstreamOptions options, const Clock& clock) {
  PORTCULLIS_CHECK(options.max_header_bytes < BufferPool::kBlock);
  return std::make_unique<PooledUpstream>(std::move(options), clock);
}

Task<Result<std::string>> read_text(BodyReader& body, std::size_t most) {
  std::string text;
  Bytes block(16 * 1024);
  while (true) {
    const std::size_t count = CO_TRY(co_await body.read(block));
    if (count == 0) co_return text;
    if (text.size() + count > most)
      co_return fail_with(Fault::upstream, "upstream-broken",
                          "the upstream's answer is over {} bytes", most);
    text += as_text(std::span(block).first(count));
  }
}

}  // namespace portcullis::net

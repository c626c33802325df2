// The reading half of a connection: heads, the handler, the farewell. connection_write.cc has the
// other half.
#include "net/connection.h"

#include <exception>
#include <string_view>
#include <utility>

#include "base/id.h"
#include "base/log.h"
#include "net/body.h"
#include "net/loop.h"
#include "net/syntax.h"

namespace portcullis::net {

namespace {

constexpr std::size_t kMostHeaders = 200;

// Which part of a head that is too long, or not yet whole, is to blame.
int status_for_long_head(std::string_view head, const ServerOptions& options) {
  const std::string_view line = head.substr(0, head.find('\n'));
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return 431;
  const std::string_view rest = line.substr(space + 1);
  return rest.substr(0, rest.find(' ')).size() > options.max_target_bytes ? 414 : 431;
}

}  // namespace

Connection::Connection(std::shared_ptr<Loop> loop, Socket socket, std::string peer)
    : loop_(std::move(loop)), socket_(std::move(socket)), peer_(std::move(peer)) {}

// Here and not in the hook's destructor, which runs after the loop has been let go.
Connection::~Connection() {
  if (is_linked()) unlink();
}

Task<void> Connection::run(std::shared_ptr<Connection> self) {
  try {
    while (co_await self->serve_one()) self->is_first_request_ = false;
  } catch (const std::exception& error) {
    log::error("a connection broke off", {{"error", error.what()}});
  }
  ErrorCode ignored;
  self->socket_.close(ignored);
  self->loop_->leave(*self);
}

Task<bool> Connection::serve_one() {
  const auto [size, refuse_with] = co_await read_head();
  if (refuse_with != 0) co_await refuse(refuse_with, reason_of(refuse_with));
  if (size == 0) co_return false;
  auto head = parse_head(input_.bytes().substr(0, size));
  input_.eat(size);
  if (!head) {
    co_await refuse(400, head.error().what);
    co_return false;
  }
  Request& request = head->request;
  const ServerOptions& options = loop_->options();
  const int too_much = request.target.size() > options.max_target_bytes        ? 414
                       : request.headers.size() > kMostHeaders                 ? 431
                       : request.content_length.value_or(0) > options.max_body ? 413
                                                                               : 0;
  if (too_much != 0) {
    co_await refuse(too_much, reason_of(too_much));
    co_return false;
  }
  input_.release_if_empty();
  request.id = random_uuid();
  request.peer = peer_;

  Body body(*this, *head);
  const Response response = co_await ask_handler(request, body);
  const bool is_eaten = co_await body.discard();
  const auto* stream = std::get_if<StreamPart>(&response.body);
  const bool ends_with_connection = head->is_http_1_0 && stream && !stream->length;
  const bool keep = head->keep_alive && is_eaten && !response.close && !ends_with_connection &&
                    !loop_->is_draining();
  const Manner manner{request.method == "HEAD", head->is_http_1_0, keep};
  if (!co_await answer(response, manner)) co_return false;
  // A client that asked for the end and has sent all of its request sends nothing that could cause
  // a reset.
  const bool ends_as_agreed = !head->keep_alive && is_eaten && input_.empty();
  if (!keep && !ends_as_agreed) co_await linger();
  co_return keep;
}

Task<Connection::HeadRead> Connection::read_head() {
  const ServerOptions& options = loop_->options();
  if (input_.empty() && !co_await wait_for_first_byte()) co_return HeadRead{};
  const Deadline deadline = loop_->now() + options.header_timeout;
  std::size_t seen = 0;
  for (;;) {
    const std::string_view bytes = input_.bytes();
    const std::size_t end = end_of_head(bytes, seen);
    if (end > options.max_header_bytes || (end == 0 && bytes.size() > options.max_header_bytes))
      co_return HeadRead{.refuse_with = status_for_long_head(bytes, options)};
    if (end > 0) co_return HeadRead{.size = end};
    // Another protocol may never send an empty line: say so at once.
    if (!bytes.empty() && !is_token_character(bytes.front()))
      co_return HeadRead{.refuse_with = 400};
    seen = bytes.size() < 2 ? 0 : bytes.size() - 2;
    const auto count = co_await receive_more(deadline);
    if (!count && count.error().fault == Fault::limits && !input_.empty())
      co_return HeadRead{.refuse_with = 408};
    if (!count || *count == 0) co_return HeadRead{};
  }
}

// Holds no buffer while it waits.
Task<bool> Connection::wait_for_first_byte() {
  input_.release_if_empty();
  ErrorCode ignored;
  if (cut_ || (loop_->is_draining() && socket_.available(ignored) == 0)) co_return false;
  const auto& options = loop_->options();
  begin_wait(loop_->now() + (is_first_request_ ? options.header_timeout : options.idle_timeout));
  idle_ = true;
  const auto [error] = co_await socket_.async_wait(Socket::wait_read, tuple_task);
  idle_ = false;
  end_wait();
  co_return !error && !cut_;
}

Task<Result<std::size_t>> Connection::receive(std::span<std::byte> into, Deadline deadline) {
  // Asked here too, because a sender that never lets a read wait is never cancelled by the sweep.
  if (loop_->now() >= deadline)
    co_return fail_with(Fault::limits, "stream-too-slow", "the client sends too slowly");
  begin_wait(deadline);
  const auto [error, count] =
      co_await socket_.async_read_some(asio::buffer(into.data(), into.size()), tuple_task);
  end_wait();
  if (!error) co_return count;
  if (error == asio::error::eof) co_return std::size_t{0};
  if (expired_ && error == asio::error::operation_aborted)
    co_return fail_with(Fault::limits, "stream-too-slow", "the client sends too slowly");
  co_return fail(Fault::client, "the connection broke: {}", error.message());
}

Task<Result<std::size_t>> Connection::receive_more(Deadline deadline) {
  const auto count = co_await receive(input_.space(loop_->buffers()), deadline);
  if (count) input_.filled(*count);
  co_return count;
}

Task<Response> Connection::ask_handler(Request& request, BodyReader& body) {
  std::string error;
  try {
    Response response = co_await loop_->handler()(request, body);
    if (can_be_sent(response)) co_return response;
    error = "an answer with an impossible status or header";
  } catch (const std::exception& exception) {
    error = exception.what();
  } catch (...) {
    error = "an exception of unknown type";
  }
  log::error("a handler failed", {{"request", request.id}, {"error", error}});
  co_return own_answer(500, reason_of(500));
}

Task<void> Connection::refuse(int status, std::string_view what) {
  const Response response = own_answer(status, what);
  if (co_await answer(response, Manner{})) co_await linger();
}

Response Connection::own_answer(int status, std::string_view what) const {
  Response response;
  response.status = status;
  auto [type, text] = loop_->options().error_body
                          ? loop_->options().error_body(status, what)
                          : std::pair<std::string, std::string>("text/plain", what);
  response.headers.push_back(Header{"Content-Type", std::move(type)});
  response.body = std::move(text);
  return response;
}

Task<void> Connection::linger() {
  ErrorCode error;
  socket_.shutdown(Socket::shutdown_send, error);
  if (error) co_return;
  input_.eat(input_.bytes().size());
  const Deadline deadline = loop_->now() + loop_->options().linger;
  for (;;) {
    input_.release_if_empty();
    const auto count = co_await receive_more(deadline);
    if (!count || *count == 0) co_return;
    input_.eat(*count);
  }
}

void Connection::sweep(SteadyTime now) {
  if (writing_) {
    // The socket becomes writable only when a good part of its queue is free, which a slow reader
    // may take minutes for.
    const int left = unsent();
    if (left < unsent_) deadline_ = now + loop_->options().write_stall_timeout;
    unsent_ = left;
  }
  if (now < deadline_) return;
  expired_ = true;
  end_wait();
  ErrorCode ignored;
  socket_.cancel(ignored);
}

void Connection::say_goodbye_if_idle() {
  ErrorCode error;
  if (idle_ && socket_.available(error) == 0) socket_.cancel(error);
}

void Connection::cut() {
  if (std::exchange(cut_, true)) return;
  ErrorCode ignored;
  socket_.shutdown(Socket::shutdown_both, ignored);
  socket_.cancel(ignored);
}

}  // namespace portcullis::net

#include "net/upstream_line.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/write.hpp>
#include <cstring>

namespace portcullis::net {

namespace {

constexpr std::chrono::seconds kKnownFor{30};  // where a name leads

std::unexpected<Error> broken(std::string_view what) {
  return fail_with(Fault::upstream, "upstream-broken", "the upstream's answer broke off: {}", what);
}

// Still open, and silent.
bool is_at_rest(Socket& socket) {
  char byte;
  return ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

// --- a line ---

Line::Line(std::shared_ptr<Lines> lines, Socket socket)
    : lines_(std::move(lines)), socket_(std::move(socket)) {
  ++lines_->open_;
}

Line::~Line() {
  --lines_->open_;
  if (is_linked()) unlink();
}

void Line::begin_wait(Deadline deadline) {
  deadline_ = deadline;
  expired_ = false;
  lines_->enter(*this);
}

Error Line::error_of(const ErrorCode& error, std::string_view what) const {
  if (expired_ && error == asio::error::operation_aborted)
    return {Fault::upstream, fmt::format("the upstream is too slow: {}", what), "upstream-slow"};
  return {Fault::upstream, fmt::format("{}: {}", what, error.message()), "upstream-broken"};
}

Task<Status> Line::connect(Tcp::endpoint endpoint, Deadline deadline) {
  begin_wait(deadline);
  const auto [error] = co_await socket_.async_connect(endpoint, tuple_task);
  end_wait();
  lines_->leave(*this);
  if (error) {
    Error failure = error_of(error, "connecting");
    failure.code = "upstream-unreachable";
    co_return std::unexpected(std::move(failure));
  }
  ErrorCode ignored;
  socket_.set_option(Tcp::no_delay(true), ignored);
  co_return Status{};
}

Task<Status> Line::send(std::span<const asio::const_buffer> pieces, Deadline deadline) {
  begin_wait(deadline);
  const auto [error, count] = co_await asio::async_write(socket_, pieces, tuple_task);
  end_wait();
  lines_->leave(*this);
  if (error) co_return std::unexpected(error_of(error, "sending a request"));
  co_return Status{};
}

Task<Result<std::size_t>> Line::receive(std::span<std::byte> into, Deadline deadline) {
  // Asked here too, because a sender that never lets a read wait is never cancelled by the sweep.
  if (lines_->now() >= deadline)
    co_return fail_with(Fault::upstream, "upstream-slow", "the upstream is too slow");
  begin_wait(deadline);
  const auto [error, count] =
      co_await socket_.async_read_some(asio::buffer(into.data(), into.size()), tuple_task);
  end_wait();
  lines_->leave(*this);
  if (error == asio::error::eof) co_return std::size_t{0};
  if (error) co_return std::unexpected(error_of(error, "reading an answer"));
  is_untouched_ = false;
  co_return count;
}

Task<Status> Line::receive_more(Deadline deadline) {
  const std::size_t count = CO_TRY(co_await receive(input_.space(lines_->buffers()), deadline));
  if (count == 0) co_return broken("the connection was closed");
  input_.filled(count);
  co_return Status{};
}

void Line::sweep(SteadyTime now) {
  if (now < deadline_) return;
  expired_ = true;
  end_wait();
  ErrorCode ignored;
  socket_.cancel(ignored);
}

// --- all of a loop ---

struct Lines::Lookup {
  explicit Lookup(Executor executor) : timer(executor) {}
  Timer timer;  // ends when the answer is there, or when it took too long
  std::vector<Tcp::endpoint> found;
  bool is_done = false;
};

Lines::Lines(Executor executor, std::shared_ptr<const UpstreamOptions> options, const Clock& clock)
    : executor_(executor), options_(std::move(options)), clock_(clock), sweep_timer_(executor) {}

std::shared_ptr<Line> Lines::take_idle() {
  std::erase_if(idle_, [&](Idle& one) {
    return now() - one.since > options_->idle_timeout || !is_at_rest(one.socket);
  });
  if (idle_.empty()) return nullptr;
  auto line = std::make_shared<Line>(shared_from_this(), std::move(idle_.back().socket));
  idle_.pop_back();
  return line;
}

void Lines::keep(Line& line) {
  if (idle_.size() < options_->max_idle) idle_.push_back({line.take_socket(), now()});
}

Task<Result<std::shared_ptr<Line>>> Lines::connect(Deadline deadline) {
  if (open_ >= options_->max_busy)
    co_return fail_with(Fault::limits, "upstream-busy", "{} requests to the upstream at once",
                        options_->max_busy);
  const auto endpoints = CO_TRY(co_await this->endpoints());
  Error last{Fault::upstream, "", "upstream-unreachable"};
  for (const Tcp::endpoint& endpoint : endpoints) {
    auto line = std::make_shared<Line>(shared_from_this(), Socket(executor_));
    const Status connected =
        co_await line->connect(endpoint, std::min(deadline, now() + options_->connect_timeout));
    if (connected) co_return line;
    last = connected.error();
  }
  known_.clear();  // it may lie elsewhere by now
  last.what = fmt::format("{} port {}: {}", options_->host, options_->port, last.what);
  co_return std::unexpected(std::move(last));
}

Task<Result<std::vector<Tcp::endpoint>>> Lines::endpoints() {
  ErrorCode error;
  const auto address = asio::ip::make_address(options_->host, error);
  if (!error) co_return std::vector<Tcp::endpoint>{{address, options_->port}};
  if (!known_.empty() && now() - known_since_ < kKnownFor) co_return known_;
  // The system's look-up cannot be called off: this stops waiting for it.
  const auto lookup = std::make_shared<Lookup>(executor_);
  lookup->timer.expires_after(options_->connect_timeout);
  asio::co_spawn(executor_, look_up(lookup, options_->host, std::to_string(options_->port)),
                 asio::detached);
  if (!lookup->is_done) co_await lookup->timer.async_wait(tuple_task);
  if (lookup->found.empty())
    co_return fail_with(Fault::upstream, "upstream-unreachable", "the name {} {}", options_->host,
                        lookup->is_done ? "is not known" : "could not be looked up in time");
  known_ = lookup->found;
  known_since_ = now();
  co_return known_;
}

Task<void> Lines::look_up(std::shared_ptr<Lookup> lookup, std::string host, std::string port) {
  asio::ip::basic_resolver<Tcp, Executor> resolver(lookup->timer.get_executor());
  const auto [error, results] = co_await resolver.async_resolve(host, port, tuple_task);
  if (!error)
    for (const auto& entry : results) lookup->found.push_back(entry.endpoint());
  lookup->is_done = true;
  lookup->timer.cancel();
}

void Lines::enter(Line& line) {
  waiting_.push_back(line);
  if (std::exchange(is_sweeping_, true)) return;
  asio::co_spawn(executor_, sweep(), asio::detached);
}

void Lines::leave(Line& line) {
  waiting_.erase(waiting_.iterator_to(line));
  if (waiting_.empty()) sweep_timer_.cancel();
}

Task<void> Lines::sweep() {
  const auto self = shared_from_this();
  while (!waiting_.empty()) {
    sweep_timer_.expires_after(options_->sweep_interval);
    co_await sweep_timer_.async_wait(tuple_task);
    const SteadyTime now = this->now();
    for (Line& line : waiting_) line.sweep(now);
  }
  is_sweeping_ = false;
}

// --- an answer's body ---

LineBody::LineBody(std::shared_ptr<Line> line, AnswerHead& head, Deadline whole)
    : line_(std::move(line)),
      chunks_(std::move(head.chunks)),
      left_(head.length),
      keep_alive_(head.keep_alive),
      whole_(whole),
      patience_(line_->lines().options().body_timeout) {}

void LineBody::end() {
  done_ = true;
  const std::shared_ptr<Line> line = std::move(line_);
  line->input().release_if_empty();
  if (keep_alive_ && line->input().empty()) line->lines().keep(*line);
}

Task<Result<std::size_t>> LineBody::read(std::span<std::byte> into) {
  if (failure_) co_return std::unexpected(*failure_);
  if (done_) co_return std::size_t{0};
  PORTCULLIS_CHECK(!into.empty());
  const auto result = co_await read_some(into);
  if (!result) {
    failure_ = result.error();
    line_.reset();
  } else if (done_) {
    end();
  }
  co_return result;
}

Task<Result<std::size_t>> LineBody::read_some(std::span<std::byte> into) {
  if (chunks_) co_return co_await read_chunked(into);
  if (left_) co_return co_await read_known_length(into);
  Input& input = line_->input();
  if (!input.empty()) {
    const std::size_t count = std::min(into.size(), input.bytes().size());
    std::memcpy(into.data(), input.bytes().data(), count);
    input.eat(count);
    co_return count;
  }
  const std::size_t count = CO_TRY(co_await receive(into));
  done_ = count == 0;
  co_return count;
}

Task<Result<std::size_t>> LineBody::read_known_length(std::span<std::byte> into) {
  into = into.first(std::min<std::uint64_t>(into.size(), *left_));
  Input& input = line_->input();
  std::size_t count = std::min(into.size(), input.bytes().size());
  if (count > 0) {
    std::memcpy(into.data(), input.bytes().data(), count);
    input.eat(count);
  } else {
    input.release_if_empty();
    count = CO_TRY(co_await receive(into));
    if (count == 0) co_return broken("the connection was closed");
  }
  *left_ -= count;
  done_ = *left_ == 0;
  co_return count;
}

Task<Result<std::size_t>> LineBody::read_chunked(std::span<std::byte> into) {
  Input& input = line_->input();
  for (;;) {
    if (!input.empty()) {
      const auto step = chunks_->decode(input.bytes(), into);
      if (!step) co_return broken(step.error().what);
      input.eat(step->eaten);
      done_ = step->done;
      if (step->made > 0 || step->done) co_return step->made;
      if (step->eaten > 0 && !input.empty()) continue;
    }
    const auto space = input.space(line_->lines().buffers());
    if (space.empty()) co_return broken("a chunk's head or the trailers are too long");
    const std::size_t count = CO_TRY(co_await receive(space));
    if (count == 0) co_return broken("the connection was closed");
    input.filled(count);
  }
}

Task<Result<std::size_t>> LineBody::receive(std::span<std::byte> into) {
  const SteadyTime start = line_->lines().now();
  const auto count = co_await line_->receive(into, std::min(whole_, start + patience_));
  patience_ -= line_->lines().now() - start;
  co_return count;
}

}  // namespace portcullis::net

#include "net/loop.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "base/log.h"

namespace portcullis::net {

namespace {

constexpr std::chrono::milliseconds kPauseAfterFailedAccept{100};

std::string address_of(const Socket& socket) {
  ErrorCode error;
  const auto endpoint = socket.remote_endpoint(error);
  if (error) return "";
  asio::ip::address address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return address.to_string();
}

}  // namespace

void ServerState::leave() {
  if (open_.fetch_sub(1) > 1) return;
  std::vector<Waiting> waiting;
  {
    const std::scoped_lock lock(mutex_);
    waiting.swap(waiting_);
  }
  for (auto& [loop, done] : waiting) asio::post(loop.get_executor(), std::move(done));
}

void ServerState::when_empty(Executor executor, std::function<void()> done) {
  enter();  // so that leave() below tells, should the server be empty already
  {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back({asio::make_work_guard(executor), std::move(done)});
  }
  leave();
}

void ServerState::wake_waiting_loops() {
  if (waiting_loops.load() == 0) return;
  for (const auto& weak : loops)
    if (const auto loop = weak.lock()) loop->wake();
}

Loop::Loop(Acceptor acceptor, std::shared_ptr<ServerState> state)
    : state_(std::move(state)),
      acceptor_(std::move(acceptor)),
      sweep_timer_(acceptor_.get_executor()),
      place_timer_(acceptor_.get_executor()) {}

void Loop::start() {
  state_->enter();
  asio::co_spawn(executor(), accept(), asio::detached);
  asio::co_spawn(executor(), sweep(), asio::detached);
}

void Loop::drain(Deadline deadline) {
  asio::post(executor(), [self = shared_from_this(), deadline] { self->begin_drain(deadline); });
}

void Loop::stop() {
  asio::post(executor(), [self = shared_from_this()] {
    self->begin_drain(Deadline::min());
    for (Connection& connection : self->connections_) connection.cut();
  });
}

void Loop::wake() {
  asio::post(executor(), [self = shared_from_this()] { self->place_timer_.cancel(); });
}

void Loop::begin_drain(Deadline deadline) {
  draining_ = true;
  drain_deadline_ = std::min(deadline, drain_deadline_);
  ErrorCode ignored;
  acceptor_.cancel(ignored);
  place_timer_.cancel();
  if (!accepting_ && connections_.empty()) sweep_timer_.cancel();
  for (Connection& connection : connections_) connection.say_goodbye_if_idle();
}

const std::string& Loop::date() {
  const WallTime now = state_->clock.now();
  const auto second = std::chrono::floor<std::chrono::seconds>(now);
  if (second != date_second_) {
    date_second_ = second;
    date_ = http_date(now);
  }
  return date_;
}

Task<void> Loop::accept() {
  const auto self = shared_from_this();
  while (!draining_) {
    if (state_->is_full()) {
      co_await wait_for_place();
      continue;
    }
    auto [error, socket] = co_await acceptor_.async_accept(tuple_task);
    if (!error) {
      welcome(std::move(socket));
    } else if (!draining_ && error != asio::error::connection_aborted) {
      log::warning("cannot accept connections", {{"error", error.message()}});
      Timer pause(executor(), kPauseAfterFailedAccept);
      co_await pause.async_wait(tuple_task);
    }
  }
  take_backlog();
  ErrorCode ignored;
  acceptor_.close(ignored);
  accepting_ = false;
  if (connections_.empty()) sweep_timer_.cancel();
  state_->leave();
}

Task<void> Loop::wait_for_place() {
  place_timer_.expires_at(std::chrono::steady_clock::time_point::max());
  state_->waiting_loops.fetch_add(1);
  if (state_->is_full())
    co_await place_timer_.async_wait(tuple_task);  // asked again: no wake-up is missed
  state_->waiting_loops.fetch_sub(1);
}

// The kernel has already completed these connections; closing the listening socket would reset
// them.
void Loop::take_backlog() {
  for (;;) {
    ErrorCode error;
    Socket socket(executor());
    acceptor_.accept(socket, error);  // the acceptor does not block
    if (error) return;
    welcome(std::move(socket));
  }
}

void Loop::welcome(Socket socket) {
  ErrorCode ignored;
  socket.set_option(Tcp::no_delay(true), ignored);
  ErrorCode error;
  socket.native_non_blocking(true, error);  // for sendfile; no operation of ours may block the loop
  if (error) return;
  std::string peer = address_of(socket);
  auto connection =
      std::make_shared<Connection>(shared_from_this(), std::move(socket), std::move(peer));
  state_->connections.fetch_add(1);
  state_->enter();
  connections_.push_back(*connection);
  if (drain_deadline_ == Deadline::min()) connection->cut();
  asio::co_spawn(executor(), Connection::run(std::move(connection)), asio::detached);
}

void Loop::leave(Connection& connection) {
  connections_.erase(connections_.iterator_to(connection));
  state_->connections.fetch_sub(1);
  state_->wake_waiting_loops();
  if (draining_ && !accepting_ && connections_.empty()) sweep_timer_.cancel();
  state_->leave();
}

Task<void> Loop::sweep() {
  const auto self = shared_from_this();
  while (accepting_ || !connections_.empty()) {
    sweep_timer_.expires_after(options().sweep_interval);
    co_await sweep_timer_.async_wait(tuple_task);
    const SteadyTime now = this->now();
    for (Connection& connection : connections_) {
      if (draining_ && now >= drain_deadline_) connection.cut();
      connection.sweep(now);
    }
  }
}

}  // namespace portcullis::net

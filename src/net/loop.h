// net/loop.h: one io_context's share of a server: its listening socket, its connections, its sweep
// of deadlines.
//
// Everything here runs on the loop's one thread, except where a comment says "any thread". Loops
// and connections keep each other alive by shared_ptr until the last coroutine has ended. Private.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/buffers.h"
#include "net/connection.h"
#include "net/net.h"
#include "net/sockets.h"

namespace portcullis::net {

class Loop;

// What the loops of one server share.
struct ServerState {
  ServerState(ServerOptions o, Handler h, const Clock& c)
      : options(std::move(o)), handler(std::move(h)), clock(c) {}

  const ServerOptions options;
  const Handler handler;
  const Clock& clock;
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> waiting_loops{0};  // that found no place for another connection

  bool is_full() const { return connections.load() >= options.max_connections; }
  // A coroutine that holds the server open begins or has ended; any thread.
  void enter() { open_.fetch_add(1); }
  void leave();
  // Calls `done` on `executor` when nothing holds the server open; any thread.
  void when_empty(Executor executor, std::function<void()> done);
  void wake_waiting_loops();

  std::vector<std::weak_ptr<Loop>> loops;  // filled before the first is started

 private:
  std::atomic<std::size_t> open_{0};
  std::mutex mutex_;
  struct Waiting {
    asio::executor_work_guard<Executor>
        keeps_running;  // a loop without work would end before `done`
    std::function<void()> done;
  };
  std::vector<Waiting> waiting_;
};

class Loop : public std::enable_shared_from_this<Loop> {
 public:
  Loop(Acceptor acceptor, std::shared_ptr<ServerState> state);

  // Any thread, once.
  void start();
  // Any thread: stop accepting, let requests finish, cut what is left at `deadline`.
  void drain(Deadline deadline);
  // Any thread: stop accepting, cut everything now.
  void stop();
  // Any thread: a place became free.
  void wake();

  Executor executor() { return acceptor_.get_executor(); }
  const ServerOptions& options() const { return state_->options; }
  const Handler& handler() const { return state_->handler; }
  SteadyTime now() const { return state_->clock.steady(); }
  BufferPool& buffers() { return buffers_; }
  bool is_draining() const { return draining_; }
  // The value of the Date header.
  const std::string& date();

  void leave(Connection& connection);

 private:
  Task<void> accept();
  Task<void> sweep();
  Task<void> wait_for_place();
  void welcome(Socket socket);
  void take_backlog();
  void begin_drain(Deadline deadline);

  const std::shared_ptr<ServerState> state_;
  Acceptor acceptor_;
  Timer sweep_timer_;
  Timer place_timer_;
  BufferPool buffers_;
  boost::intrusive::list<Connection, boost::intrusive::constant_time_size<false>> connections_;
  bool accepting_ = true;
  bool draining_ = false;
  Deadline drain_deadline_ = Deadline::max();
  std::chrono::sys_seconds date_second_{};
  std::string date_;
};

}  // namespace portcullis::net

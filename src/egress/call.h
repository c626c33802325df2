// egress/call.h: a coroutine waits for the client's thread, and either may go first.
//
// A Call is shared by the two. The client's thread gives it the body and, once, the end, which
// brings the coroutine back on its own loop. If that loop is destroyed before, what the Call holds
// of the coroutine is given back to it there and then; the client's thread finds nobody waiting.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "egress/egress.h"

namespace portcullis::egress {

class Call : public std::enable_shared_from_this<Call> {
 public:
  explicit Call(Sink sink) : sink_(std::move(sink)) {}

  // On the loop, once: begin() hands the call to the client's thread. Comes back after end().
  template <class Begin>
  Task<Status> wait(Begin begin) {
    const auto self = shared_from_this();
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [&](auto handler) {
          const Executor executor = asio::get_associated_executor(handler);
          keep(std::move(handler), executor);
          begin();
        },
        use_task);
    co_return std::move(status_);
  }

  // On the client's thread. An error if the sink says so, or if nobody waits any more.
  Status give(ByteView bytes);
  // On the client's thread, once.
  void end(Status status);

 private:
  friend class Loop;
  // What is held of the coroutine; its loop runs on as long as it is.
  struct Waiter {
    std::move_only_function<void()> handler;
    asio::executor_work_guard<Executor> work;
  };

  void keep(std::move_only_function<void()> handler, Executor executor);
  void resume();
  void abandon();

  std::mutex mutex_;  // held while the sink is called
  Sink sink_;
  std::unique_ptr<Waiter> waiter_;  // null once the coroutine is on its way, or gone
  Status status_;
};

}  // namespace portcullis::egress

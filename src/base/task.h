// base/task.h: coroutines, and pools of threads for what must not run on an I/O thread.
//
// A Task belongs to the io_context it was spawned on: everything between two co_awaits runs on that
// loop's one thread. Blocking work (files, database, inference, decoding) goes to a Pool and comes
// back once:
//
//   Result<Blob> blob = co_await files.run([&] { return store.open(digest); });
//
// The function given to run() may refer to the awaiting coroutine's locals, because the coroutine
// does not go on, and is not destroyed, before it has finished. Exceptions thrown by it reach the
// awaiting coroutine.
#pragma once

#include <atomic>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace portcullis {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;

template <class T>
using Task = asio::awaitable<T, Executor>;

// Completion token for Asio operations inside a Task.
inline constexpr asio::use_awaitable_t<Executor> use_task{};

class Pool {
 public:
  // `name` shows in the list of threads (at most 15 characters).
  Pool(std::string name, std::size_t threads);
  ~Pool();  // waits for what is running
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Waits for everything handed out; nothing may be handed out afterwards.
  void join() { pool_.join(); }

  std::size_t threads() const { return threads_; }
  // Jobs handed out and not finished yet.
  std::size_t pending() const { return pending_.load(std::memory_order_relaxed); }

  // Hands out a function that nobody waits for; it must not throw.
  template <class F>
  void post(F function) {
    pending_.fetch_add(1, std::memory_order_relaxed);
    asio::post(pool_, [this, function = std::move(function)]() mutable {
      function();
      pending_.fetch_sub(1, std::memory_order_relaxed);
    });
  }

  template <class F>
  Task<std::invoke_result_t<F&>> run(F function) {
    using T = std::invoke_result_t<F&>;
    using Slot = std::conditional_t<std::is_void_v<T>, bool, std::optional<T>>;
    Slot value{};
    std::exception_ptr error;
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [&](auto handler) {
          auto work = asio::make_work_guard(asio::get_associated_executor(handler));
          auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          pending_.fetch_add(1, std::memory_order_relaxed);
          asio::post(pool_, [&, shared, work]() mutable {
            try {
              if constexpr (std::is_void_v<T>)
                function();
              else
                value.emplace(function());
            } catch (...) {
              error = std::current_exception();
            }
            pending_.fetch_sub(1, std::memory_order_relaxed);
            auto executor = work.get_executor();
            asio::post(executor, [shared = std::move(shared)]() mutable { (*shared)(); });
          });
        },
        use_task);
    if (error) std::rethrow_exception(error);
    if constexpr (!std::is_void_v<T>) {
      PORTCULLIS_CHECK(value.has_value());
      co_return *std::move(value);
    }
  }

 private:
  std::size_t threads_;
  std::atomic<std::size_t> pending_{0};
  asio::thread_pool pool_;
};

// Runs all tasks side by side on the awaiting coroutine's loop and comes back when the last has
// ended. The first exception, if any, is thrown then.
Task<void> all(std::vector<Task<void>> tasks);

}  // namespace portcullis

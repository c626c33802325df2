// testing/run_task.h: runs a coroutine to its end on a loop of its own.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <optional>

#include "base/task.h"

namespace portcullis::testing {

template <class T>
T run_task(Task<T> task) {
  asio::io_context loop;
  std::exception_ptr thrown;
  std::optional<T> value;
  asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, T result) {
    thrown = error;
    if (!error) value.emplace(std::move(result));
  });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return std::move(value.value());
}

inline void run_task(Task<void> task) {
  asio::io_context loop;
  std::exception_ptr thrown;
  asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error) { thrown = error; });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace portcullis::testing

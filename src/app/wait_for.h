// app/wait_for.h: a command's coroutine run to its end on a loop of its own. Private to this room.
#pragma once

#include <boost/asio/co_spawn.hpp>

#include "base/task.h"

namespace portcullis::app {

template <class T>
T wait_for(Task<T> task) {
  asio::io_context loop;
  std::exception_ptr thrown;
  std::optional<T> value;
  asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, T result) {
    thrown = error;
    value = std::move(result);
  });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return *std::move(value);
}

}  // namespace portcullis::app

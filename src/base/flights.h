// base/flights.h: the same work, asked for many times at once, is done once.
#pragma once

#include <functional>
#include <map>
#include <mutex>

#include "base/task.h"

namespace portcullis {

// Thread-safe; callers may be on different loops. Value must be copyable.
template <class Key, class Value>
class Flights {
 public:
  // The first caller for `key` awaits make(); whoever calls before that has ended gets the same
  // value, or its exception.
  template <class Make>
  Task<Value> join(Key key, Make make) {
    std::shared_ptr<Flight> flight;
    bool is_mine = false;
    {
      const std::scoped_lock lock(mutex_);
      std::shared_ptr<Flight>& slot = flights_[key];
      is_mine = slot == nullptr;
      if (is_mine) slot = std::make_shared<Flight>();
      flight = slot;
    }
    if (is_mine) {
      std::optional<Value> value;
      std::exception_ptr error;
      try {
        value.emplace(co_await make());
      } catch (...) {
        error = std::current_exception();
      }
      {
        const std::scoped_lock lock(mutex_);
        flights_.erase(key);
      }
      flight->land(std::move(value), error);
    } else {
      co_await flight->wait();
    }
    const std::optional<Value>& value = flight->value;
    if (!value) std::rethrow_exception(flight->error);
    co_return *value;
  }

  // Gives up all who wait, before the loops that they are on go.
  void abandon() {
    std::map<Key, std::shared_ptr<Flight>> flights;
    const std::scoped_lock lock(mutex_);
    flights.swap(flights_);
    for (auto& [key, flight] : flights) flight->abandon();
  }

 private:
  struct Flight {
    Task<void> wait() {
      co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
          [this](auto handler) {
            const auto executor = asio::get_associated_executor(handler);
            auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            std::function<void()> resume = [executor, shared] {
              asio::post(executor, [shared] { (*shared)(); });
            };
            {
              const std::scoped_lock lock(mutex);
              if (!value && !error) {
                waiting.push_back(std::move(resume));
                return;
              }
            }
            resume();
          },
          use_task);
    }

    void land(std::optional<Value> result, std::exception_ptr failure) {
      std::vector<std::function<void()>> woken;
      {
        const std::scoped_lock lock(mutex);
        value = std::move(result);
        error = std::move(failure);
        woken.swap(waiting);
      }
      for (const auto& resume : woken) resume();
    }

    void abandon() {
      std::vector<std::function<void()>> dropped;
      const std::scoped_lock lock(mutex);
      dropped.swap(waiting);
    }

    std::mutex mutex;
    std::optional<Value> value;
    std::exception_ptr error;
    std::vector<std::function<void()>> waiting;
  };

  std::mutex mutex_;
  std::map<Key, std::shared_ptr<Flight>> flights_;
};

}  // namespace portcullis

// store/sqlite/readers.h: a few connections for reading; a caller waits for a free one. Private to
// the room.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "store/sqlite/connection.h"

namespace portcullis::store::sqlite {

class Readers {
 public:
  void add(std::unique_ptr<Connection> connection) { free_.push_back(std::move(connection)); }

  template <class F>
  auto with_one(F read) {
    std::unique_ptr<Connection> connection = take();
    struct GiveBack {
      Readers& readers;
      std::unique_ptr<Connection>& connection;
      ~GiveBack() { readers.give_back(std::move(connection)); }
    } give_back_at_end{*this, connection};
    return read(*connection);
  }

 private:
  std::unique_ptr<Connection> take() {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [this] { return !free_.empty(); });
    std::unique_ptr<Connection> connection = std::move(free_.back());
    free_.pop_back();
    return connection;
  }
  void give_back(std::unique_ptr<Connection> connection) {
    {
      const std::scoped_lock lock(mutex_);
      free_.push_back(std::move(connection));
    }
    freed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Connection>> free_;
};

}  // namespace portcullis::store::sqlite

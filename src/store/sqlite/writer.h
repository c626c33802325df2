// store/sqlite/writer.h: the one thread that writes, many callers to a commit. Private to the room.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "store/sqlite/connection.h"

namespace portcullis::store::sqlite {

// Runs changes one after the other on its own connection. What has come in meanwhile goes into one
// transaction, each change in a savepoint of its own, and callers are answered after the commit:
// one fsync serves them all.
class Writer {
 public:
  explicit Writer(std::unique_ptr<Connection> connection);
  ~Writer();  // finishes what was handed in

  // Blocks until `change` is durable, or was rolled back because it (or the commit) failed.
  template <class T>
  Result<T> run(std::function<Result<T>(Connection&)> change) {
    Result<T> result = fail(Fault::us, "the change was never made");
    const Status done = submit([&](Connection& connection) -> Status {
      result = change(connection);
      if (!result) return std::unexpected(result.error());
      return {};
    });
    if (!done) return std::unexpected(done.error());
    return result;
  }

  // Changes that wait for their turn.
  std::size_t waiting() const {
    const std::scoped_lock lock(mutex_);
    return waiting_.size();
  }

 private:
  struct Change {
    std::function<Status(Connection&)> apply;
    std::promise<Status> answer;
  };
  static constexpr std::size_t kMostAtOnce = 256;

  Status submit(std::function<Status(Connection&)> apply);
  void work();
  void commit(std::deque<Change> batch);
  Status apply_all(std::deque<Change>& batch, std::vector<Status>& results);
  Status apply(Change& change, Status& result);

  std::unique_ptr<Connection> connection_;
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Change> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace portcullis::store::sqlite

#include "store/sqlite/writer.h"

#include <pthread.h>

namespace portcullis::store::sqlite {

Writer::Writer(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)), thread_([this] { work(); }) {
  ::pthread_setname_np(thread_.native_handle(), "db-writer");
}

Writer::~Writer() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  came_.notify_one();
  thread_.join();
}

Status Writer::submit(std::function<Status(Connection&)> apply) {
  std::future<Status> answer;
  {
    const std::scoped_lock lock(mutex_);
    answer = waiting_.emplace_back(Change{std::move(apply), {}}).answer.get_future();
  }
  came_.notify_one();
  return answer.get();
}

void Writer::work() {
  while (true) {
    std::deque<Change> batch;
    {
      std::unique_lock lock(mutex_);
      came_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      while (!waiting_.empty() && batch.size() < kMostAtOnce) {
        batch.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
    }
    commit(std::move(batch));
  }
}

Status Writer::apply(Change& change) {
  TRY(connection_->execute("SAVEPOINT one"));
  Status done = change.apply(*connection_);
  TRY(connection_->execute(done ? "RELEASE one" : "ROLLBACK TO one; RELEASE one"));
  return done;
}

void Writer::commit(std::deque<Change> batch) {
  std::vector<Status> results;
  Status whole = connection_->execute("BEGIN IMMEDIATE");
  if (whole) {
    for (Change& change : batch) results.push_back(apply(change));
    whole = connection_->execute("COMMIT");
    if (!whole) (void)connection_->execute("ROLLBACK");
  }
  for (std::size_t i = 0; i < batch.size(); ++i)
    batch[i].answer.set_value(whole ? results[i] : whole);
}

}  // namespace portcullis::store::sqlite

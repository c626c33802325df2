#include "store/sqlite/writer.h"

#include <gtest/gtest.h>

#include <functional>
#include <latch>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "testing/temporary_folder.h"

namespace portcullis::store::sqlite {
namespace {

class WriterTest : public ::testing::Test {
 protected:
  WriterTest() { PORTCULLIS_CHECK(watcher_->execute("CREATE TABLE kept (number INTEGER UNIQUE)")); }

  std::unique_ptr<Connection> connect() {
    return std::move(
        Connection::open(folder_.path() / "a.sqlite", std::chrono::seconds(5)).value());
  }
  static Result<bool> insert(Connection& connection, int number) {
    TRY(TRY(connection.prepare("INSERT INTO kept VALUES (?)")).bind(number).run());
    return true;
  }
  std::int64_t count() { return watcher_->number("SELECT count(*) FROM kept").value(); }

  // Hands in all changes while the writer is busy, so that they become one batch in this order.
  std::vector<Result<bool>> batch(std::vector<std::function<Result<bool>(Connection&)>> changes) {
    std::latch begun(1), go_on(1);
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
      EXPECT_TRUE(writer_.run<bool>([&](Connection&) {
        begun.count_down();
        go_on.wait();
        return Result<bool>(true);
      }));
    });
    begun.wait();
    std::vector<Result<bool>> results(changes.size(), true);
    for (std::size_t i = 0; i < changes.size(); ++i) {
      threads.emplace_back([&, i] { results[i] = writer_.run<bool>(changes[i]); });
      while (writer_.waiting() <= i) std::this_thread::yield();
    }
    go_on.count_down();
    for (std::thread& thread : threads) thread.join();
    return results;
  }

  testing::TemporaryFolder folder_;
  std::unique_ptr<Connection> watcher_ = connect();
  Writer writer_{connect()};
};

TEST_F(WriterTest, one_commit_serves_all_who_wait) {
  std::vector<std::function<Result<bool>(Connection&)>> changes;
  std::mutex mutex;
  std::set<std::int64_t> seen_by_others;
  changes.reserve(20);
  for (int i = 0; i < 20; ++i)
    changes.emplace_back([&, i](Connection& connection) {
      const std::scoped_lock lock(mutex);
      seen_by_others.insert(count());
      return insert(connection, i);
    });
  for (const auto& result : batch(changes)) EXPECT_TRUE(result);
  EXPECT_EQ(seen_by_others, std::set<std::int64_t>{0});
  EXPECT_EQ(count(), 20);
}

TEST_F(WriterTest, a_change_that_fails_takes_nobody_with_it) {
  const auto results = batch({
      [](Connection& c) { return insert(c, 1); },
      [](Connection& c) -> Result<bool> {
        TRY(insert(c, 2));
        return fail(Fault::client, "no");
      },
      [](Connection& c) { return insert(c, 1); },
      [](Connection& c) { return insert(c, 3); },
  });
  EXPECT_TRUE(results[0]);
  EXPECT_EQ(results[1].error().fault, Fault::client);
  EXPECT_EQ(results[2].error().fault, Fault::storage);
  EXPECT_TRUE(results[3]);
  EXPECT_EQ(count(), 2);
}

// SQLite rolls everything back by itself when the disk is full.
TEST_F(WriterTest,
       Invariant5_nobody_is_told_success_or_commits_alone_when_the_transaction_is_lost) {
  const auto results = batch({
      [](Connection& c) { return insert(c, 1); },
      [](Connection& c) -> Result<bool> {
        TRY(c.execute("ROLLBACK"));
        return true;
      },
      [](Connection& c) { return insert(c, 2); },
  });
  for (const auto& result : results) EXPECT_FALSE(result);
  EXPECT_EQ(count(), 0);
  EXPECT_TRUE(writer_.run<bool>([](Connection& c) { return insert(c, 3); }));
  EXPECT_EQ(count(), 1);
}

TEST_F(WriterTest, keeps_an_empty_text_apart_from_null) {
  ASSERT_TRUE(watcher_->execute("CREATE TABLE text (value TEXT NOT NULL)"));
  EXPECT_TRUE(writer_.run<std::int64_t>([](Connection& c) -> Result<std::int64_t> {
    return TRY(c.prepare("INSERT INTO text VALUES (?)")).bind(std::string_view()).run();
  }));
}

}  // namespace
}  // namespace portcullis::store::sqlite

// What is particular to SQLite: files, locks, migrations, kills.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "store/sqlite/connection.h"
#include "store/sqlite/migrations.h"
#include "store/store.h"
#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::store::sqlite {
namespace {

using ::testing::HasSubstr;

class SqliteTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "store.sqlite"; }
  Result<std::unique_ptr<Store>> open(
      std::chrono::milliseconds busy = std::chrono::milliseconds(1)) {
    return open_sqlite({file(), busy}, clock_);
  }
  ::portcullis::testing::TemporaryFolder folder_;
  ::portcullis::testing::VirtualClock clock_;
};

TEST_F(SqliteTest, says_what_to_do_about_a_file_that_is_no_database) {
  const struct {
    const char* name;
    std::string bytes;
  } cases[] = {
      {"text",
       "this is a text and no database, whatever its name may say ........................"},
      {"half a header", "SQLite format 3"},
      {"header and noise", std::string("SQLite format 3\0", 16) + std::string(4080, 'x')}};
  for (const auto& c : cases) {
    folder_.write("store.sqlite", c.bytes);
    const auto store = open();
    ASSERT_FALSE(store) << c.name;
    EXPECT_THAT(store.error().what, HasSubstr("restore it from a backup")) << c.name;
  }
}

TEST_F(SqliteTest, a_truncated_database_is_an_error_and_not_an_empty_one) {
  ASSERT_TRUE(
      open().value()->set_switch({"uploads", SwitchState::closed, "", "", clock_.now(), {}}));
  std::filesystem::resize_file(file(), std::filesystem::file_size(file()) / 2);
  const auto store = open();
  if (store) EXPECT_FALSE((*store)->get_switch("uploads"));
}

TEST_F(SqliteTest, says_what_to_do_about_a_folder_that_is_not_there) {
  const auto store = open_sqlite({folder_.path() / "no" / "store.sqlite"}, clock_);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().what, HasSubstr("rights of the file and its folder"));
}

TEST_F(SqliteTest, refuses_a_newer_schema_and_a_foreign_database) {
  {
    ASSERT_TRUE(open());
  }
  {
    auto connection = std::move(Connection::open(file(), std::chrono::seconds(1)).value());
    ASSERT_TRUE(connection->execute("PRAGMA user_version=99"));
  }
  const auto newer = open();
  ASSERT_FALSE(newer);
  EXPECT_THAT(newer.error().what, HasSubstr("newer Portcullis"));
  std::filesystem::remove(file());
  {
    auto connection = std::move(Connection::open(file(), std::chrono::seconds(1)).value());
    ASSERT_TRUE(connection->execute("CREATE TABLE other (x)"));
  }
  const auto foreign = open();
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().what, HasSubstr("another program"));
}

TEST_F(SqliteTest, migrates_from_every_earlier_version) {
  for (std::size_t version = 0; version < migrations().size(); ++version) {
    std::filesystem::remove(file());
    {
      auto connection = std::move(Connection::open(file(), std::chrono::seconds(1)).value());
      for (std::size_t i = 0; i < version; ++i)
        ASSERT_TRUE(connection->execute(std::string(migrations()[i])));
      ASSERT_TRUE(connection->execute(fmt::format("PRAGMA user_version={}", version)));
      if (version > 0)
        ASSERT_TRUE(connection->execute(fmt::format("PRAGMA application_id={}", 0x50434C53)));
    }
    auto store = open();
    ASSERT_TRUE(store) << version << store.error().what;
    EXPECT_EQ((*store)->counts()->aliases, 0u);
  }
}

TEST_F(SqliteTest, Invariant4_a_lock_held_by_another_program_fails_writes_and_not_reads) {
  auto store = std::move(open().value());
  ASSERT_TRUE(store->set_switch({"uploads", SwitchState::open, "hello", "", clock_.now(), {}}));
  auto other = std::move(Connection::open(file(), std::chrono::seconds(1)).value());
  ASSERT_TRUE(other->execute("BEGIN IMMEDIATE"));
  const auto claim = store->claim(sha256_of(as_bytes("cat")), {}, clock_.now());
  ASSERT_FALSE(claim);
  EXPECT_EQ(claim.error().code, "database-locked");
  EXPECT_EQ((*store->get_switch("uploads"))->message, "hello");
  ASSERT_TRUE(other->execute("ROLLBACK"));
  EXPECT_TRUE(store->claim(sha256_of(as_bytes("cat")), {}, clock_.now()));
}

// Publishes until it is killed, and tells of each success through the pipe, after it is durable.
[[noreturn]] void publish_for_ever(const std::filesystem::path& file, int pipe, int round) {
  const SystemClock clock;
  auto store = std::move(open_sqlite({file}, clock).value());
  for (int i = 0;; ++i) {
    const std::string alias = fmt::format("{}-{}.png", round, i);
    const Sha256 blob = sha256_of(as_bytes(alias));
    const auto claim = store->claim(blob, {1, 1, {}, "image/png", "", 1}, clock.now());
    Store::Publication publication{
        claim->id, {alias, "t", blob, clock.now(), policy::Origin::upload}, {}, {}};
    publication.verdict.id = alias;
    publication.rendition = {blob, "identity", blob, "{}"};
    if (!store->publish(publication)) ::_exit(1);
    if (::write(pipe, &i, sizeof i) != sizeof i) ::_exit(1);
  }
}

TEST_F(SqliteTest, Invariant5_what_was_answered_is_there_after_a_kill_at_any_point) {
  std::mt19937 random(5);
  {
    ASSERT_TRUE(open());
  }
  for (int round = 0; round < 20; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe[0]);
      publish_for_ever(file(), pipe[1], round);
    }
    ::close(pipe[1]);
    int last = -1;
    const int enough = std::uniform_int_distribution<>(1, 30)(random);
    while (last < enough && ::read(pipe[0], &last, sizeof last) == sizeof last) {
    }
    ::kill(child, SIGKILL);
    while (::read(pipe[0], &last, sizeof last) == sizeof last) {  // said before the kill reached it
    }
    ::waitpid(child, nullptr, 0);
    ::close(pipe[0]);
    ASSERT_GE(last, enough);

    auto store = std::move(open(std::chrono::seconds(5)).value());
    for (int i = 0; i <= last; ++i)
      ASSERT_TRUE(store->find(fmt::format("{}-{}.png", round, i)).value()) << round << ' ' << i;
    ASSERT_TRUE(store->begin_run());
    for (const Sha256& blob : *store->sweepable(1000)) ASSERT_TRUE(store->removed(blob));
    EXPECT_EQ(store->counts()->pending, 0u);
    EXPECT_EQ(store->counts()->blobs, store->counts()->aliases);
  }
}

}  // namespace
}  // namespace portcullis::store::sqlite

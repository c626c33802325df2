// What is particular to SQLite: files, locks, migrations, kills.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "base/fd.h"
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
  ASSERT_TRUE(open().value()->set_switch({"uploads", "closed", "", "", clock_.now(), {}}));
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
  ASSERT_TRUE(store->set_switch({"uploads", "open", "hello", "", clock_.now(), {}}));
  auto other = std::move(Connection::open(file(), std::chrono::seconds(1)).value());
  ASSERT_TRUE(other->execute("BEGIN IMMEDIATE"));
  const auto claim = store->claim(sha256_of(as_bytes("cat")), {}, clock_.now());
  ASSERT_FALSE(claim);
  EXPECT_EQ(claim.error().code, "database-locked");
  EXPECT_EQ((*store->get_switch("uploads"))->message, "hello");
  ASSERT_TRUE(other->execute("ROLLBACK"));
  EXPECT_TRUE(store->claim(sha256_of(as_bytes("cat")), {}, clock_.now()));
}

TEST_F(SqliteTest, says_what_to_do_about_a_folder_that_cannot_be_written) {
  ASSERT_TRUE(open());
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0555));
  const bool is_root = ::geteuid() == 0;
  if (is_root) ASSERT_EQ(::seteuid(65534), 0);
  const auto made = open_sqlite({folder_.path() / "new.sqlite"}, clock_);
  const auto opened = open();
  if (is_root) ASSERT_EQ(::seteuid(0), 0);
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().what, HasSubstr("rights of the file and its folder"));
  // Its owner may open the file itself; a database without a log beside it cannot be used.
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, Fault::storage);
}

TEST_F(SqliteTest, nobody_else_may_read_the_database) {
  ASSERT_TRUE(open());
  EXPECT_EQ(std::filesystem::status(file()).permissions(), std::filesystem::perms(0600));
}

Status publish(Store& store, const std::string& alias, const Clock& clock) {
  const Sha256 blob = sha256_of(as_bytes(alias));
  const auto claim = TRY(store.claim(blob, {1, 1, {}, "image/png", "", 1}, clock.now()));
  Store::Publication publication{
      claim.id, {alias, "t", blob, clock.now(), policy::Origin::upload}, {}, {}};
  publication.verdict.emplace().id = alias;
  publication.rendition = RenditionRecord{blob, "identity", blob, "{}"};
  return store.publish(publication);
}

TEST_F(SqliteTest, Invariant10_a_switch_that_cannot_be_read_is_closed) {
  const char* spoilings[] = {
      "UPDATE switch SET state = 'ajar'",
      "ALTER TABLE switch RENAME TO lost",
  };
  for (const char* spoiling : spoilings) {
    std::filesystem::remove(file());
    auto store = std::move(open(std::chrono::seconds(5)).value());
    ASSERT_TRUE(store->set_switch({"uploads", "open", "", "", clock_.now(), {}}));
    ASSERT_TRUE(publish(*store, "before.png", clock_));
    auto other = std::move(Connection::open(file(), std::chrono::seconds(1)).value());
    ASSERT_TRUE(other->execute(spoiling));
    EXPECT_FALSE(publish(*store, "after.png", clock_)) << spoiling;
    EXPECT_FALSE(*store->find("after.png")) << spoiling;
    EXPECT_TRUE(*store->find("before.png")) << spoiling;
  }
}

TEST_F(SqliteTest, a_claim_gives_up_when_the_sweeper_does_not_come_back) {
  auto store = std::move(
      open_sqlite({.file = file(), .sweeper_timeout = std::chrono::milliseconds(1)}, clock_)
          .value());
  const Sha256 blob = sha256_of(as_bytes("cat"));
  ASSERT_TRUE(store->abandon(store->claim(blob, {}, clock_.now())->id));
  ASSERT_EQ(store->sweepable(10)->size(), 1u);
  const auto claim = store->claim(blob, {}, clock_.now());
  ASSERT_FALSE(claim);
  EXPECT_EQ(claim.error().fault, Fault::limits);
  ASSERT_TRUE(store->removed(blob));
  EXPECT_TRUE(store->claim(blob, {}, clock_.now()));
}

// An import claims beside the server, which sweeps. Otherwise the server removed what was written.
TEST_F(SqliteTest, Invariant5_a_claim_of_another_process_waits_for_the_sweeper_too) {
  auto server = std::move(open(std::chrono::seconds(5)).value());
  const SqliteOptions impatient{.file = file(), .sweeper_timeout = std::chrono::milliseconds(1)};
  auto command = std::move(open_sqlite(impatient, clock_).value());
  const Sha256 blob = sha256_of(as_bytes("cat.png"));
  ASSERT_TRUE(publish(*server, "cat.png", clock_));
  ASSERT_TRUE(server->delete_alias("cat.png", std::nullopt));
  ASSERT_EQ(server->sweepable(10)->size(), 1u);
  EXPECT_EQ(command->claim(blob, {}, clock_.now()).error().fault, Fault::limits);
  ASSERT_TRUE(server->removed(blob));
  const auto claim = command->claim(blob, {}, clock_.now());
  ASSERT_TRUE(claim);
  EXPECT_FALSE(claim->already_stored);
  EXPECT_TRUE(server->sweepable(10)->empty());
  // A server that starts meanwhile takes the claim away: its owner must begin anew.
  ASSERT_TRUE(server->begin_run());
  Store::Publication late{claim->id, {"cat.png", "t", blob, clock_.now()}, {}, {}};
  EXPECT_EQ(command->publish(late).error().code, "claim-gone");
}

// Calls everything and only looks for errors of another kind than storage; a crash would end the
// test.
void use(Store& store, const Clock& clock, const std::string& name) {
  const auto expect_sane = [](const auto& result) {
    if (!result) EXPECT_EQ(result.error().fault, Fault::storage) << result.error().what;
  };
  expect_sane(store.find("a.png"));
  expect_sane(store.find("b.png"));
  expect_sane(store.details(sha256_of(as_bytes("a.png"))));
  expect_sane(store.get_switch("uploads"));
  expect_sane(store.lists());
  expect_sane(store.counts());
  expect_sane(store.generation());
  (void)store.recent_verdicts(100);  // facts that are no JSON any more are the record's fault
  (void)publish(store, name, clock);
  (void)store.delete_alias("a.png", "t");
  expect_sane(store.begin_run());
  expect_sane(store.sweepable(100));
}

TEST_F(SqliteTest, a_damaged_database_is_an_error_and_never_a_crash) {
  {
    auto store = std::move(open().value());
    for (const char* alias : {"a.png", "b.png", "c.png"})
      ASSERT_TRUE(publish(*store, alias, clock_));
    ASSERT_TRUE(store->put_list({"l", "l.list", "00", 1, "l.csv", clock_.now()}));
  }
  const Bytes whole = read_file(file().string(), 1 << 20).value();
  ASSERT_GT(whole.size(), 20'000u);
  std::mt19937 random(7);
  int errors = 0;
  for (int round = 0; round < 150; ++round) {
    Bytes bytes = whole;
    if (round % 3 == 0) bytes.resize(random() % bytes.size());
    for (int i = 0; i < 1 << (round % 10) && !bytes.empty(); ++i)
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    for (const char* rest : {"-wal", "-shm"}) std::filesystem::remove(file().string() + rest);
    folder_.write("store.sqlite", ByteView(bytes));
    const auto store = open();
    if (store)
      use(**store, clock_, fmt::format("{}.png", round));
    else
      ++errors;
  }
  EXPECT_GT(errors, 10);
}

// Publishes until it is killed, and tells of each success through the pipe, after it is durable.
[[noreturn]] void publish_for_ever(const std::filesystem::path& file, int pipe, int round) {
  const SystemClock clock;
  auto store = std::move(open_sqlite({file}, clock).value());
  for (int i = 0;; ++i) {
    if (!publish(*store, fmt::format("{}-{}.png", round, i), clock)) ::_exit(1);
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

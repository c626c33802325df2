#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/id.h"
#include "base/log.h"
#include "base/result.h"
#include "base/task.h"

namespace portcullis {
namespace {

TEST(Hex, reads_back_what_it_wrote_and_nothing_else) {
  EXPECT_EQ(to_hex(as_bytes(std::string_view("\x00\xff"
                                             "a",
                                             3))),
            "00ff61");
  for (const char* wrong : {"0", "0g", "0x", " 0"}) EXPECT_FALSE(from_hex(wrong)) << wrong;
  EXPECT_EQ(as_text(*from_hex("4D4e")), "MN");
}

TEST(Digests, are_those_of_the_standards_examples) {
  // FIPS 180-2 and RFC 1321: "abc".
  DigestsBuilder builder;
  builder.add(as_bytes("a"));
  builder.add(as_bytes("bc"));
  const Digests abc = builder.finish();
  EXPECT_EQ(abc.sha256.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(abc.sha1.hex(), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(abc.md5.hex(), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(abc, digests_of(as_bytes("abc")));
  EXPECT_EQ(Sha256::from(abc.sha256.hex()), abc.sha256);
  EXPECT_FALSE(Sha256::from(abc.sha1.hex()));
}

TEST(Time, is_written_as_json_and_http_want_it) {
  const WallTime time{std::chrono::microseconds{1'795'543'859'000'042}};
  EXPECT_EQ(rfc3339(time), "2026-11-24T18:10:59.000042Z");
  EXPECT_EQ(http_date(time), "Tue, 24 Nov 2026 18:10:59 GMT");
}

TEST(Ids, look_like_version_4_and_differ) {
  const std::string id = random_uuid();
  EXPECT_THAT(id, testing::MatchesRegex(
                      "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_NE(id, random_uuid());
}

TEST(Log, writes_one_json_object_whatever_the_values_hold) {
  EXPECT_EQ(
      log::format_line("T", log::Level::info, "a \"b\"\n",
                       {{"n", 3}, {"s", "\x01\xff"}, {"b", true}}),
      R"({"time":"T","level":"info","what":"a \"b\"\u000a","n":3,"s":"\u0001\u00ff","b":true})");
}

TEST(Pool, runs_away_from_the_loop_and_comes_back_to_it) {
  asio::io_context loop;
  Pool pool("test", 2);
  const auto loop_thread = std::this_thread::get_id();
  bool done = false;
  auto work = [&]() -> Task<void> {
    const auto there = co_await pool.run([] { return std::this_thread::get_id(); });
    EXPECT_NE(there, loop_thread);
    EXPECT_EQ(std::this_thread::get_id(), loop_thread);
    auto throwing = []() -> int { throw std::runtime_error("no"); };
    EXPECT_THROW(co_await pool.run(throwing), std::runtime_error);
    done = true;
  };
  asio::co_spawn(loop, work(), asio::detached);
  loop.run();
  EXPECT_TRUE(done);
}

TEST(All, ends_with_the_last_task_and_throws_the_first_exception) {
  asio::io_context loop;
  Pool pool("test", 2);
  int ended = 0;
  bool threw = false;
  auto good = [&]() -> Task<void> {
    co_await pool.run([] {});
    ++ended;
  };
  auto bad = [&]() -> Task<void> {
    co_await pool.run([] {});
    throw std::runtime_error("no");
  };
  auto work = [&]() -> Task<void> {
    co_await all({});
    std::vector<Task<void>> tasks;
    tasks.push_back(good());
    tasks.push_back(bad());
    tasks.push_back(good());
    try {
      co_await all(std::move(tasks));
    } catch (const std::runtime_error&) {
      threw = true;
    }
    EXPECT_EQ(ended, 2);
  };
  asio::co_spawn(loop, work(), asio::detached);
  loop.run();
  EXPECT_TRUE(threw);
}

Result<int> half(int value) {
  if (value % 2 != 0) return fail(Fault::client, "{} is odd", value);
  return value / 2;
}

TEST(Try, returns_the_error_of_the_first_step_that_failed) {
  auto quarter = [](int value) -> Result<int> { return TRY(half(TRY(half(value)))); };
  EXPECT_EQ(quarter(8), 2);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().what, "3 is odd");
}

TEST(Rfc3339, is_read_in_its_forms_and_nothing_else_is) {
  for (const char* same : {"2026-11-24T18:10:59.123456Z", "2026-11-24t18:10:59.123456z",
                           "2026-11-24 18:10:59.1234567Z", "2026-11-24T19:40:59.123456+01:30",
                           "2026-11-24T13:10:59.123456-05:00"}) {
    const auto time = parse_rfc3339(same);
    ASSERT_TRUE(time) << same;
    EXPECT_EQ(rfc3339(*time), "2026-11-24T18:10:59.123456Z") << same;
  }
  EXPECT_TRUE(parse_rfc3339("2024-02-29T00:00:00Z"));
  for (const char* none : {"", "2026", "2026-11-24", "2026-11-24T18:10:59", "2026-13-24T18:10:59Z",
                           "2026-02-29T18:10:59Z", "2026-11-24T24:10:59Z", "2026-11-24T18:60:59Z",
                           "2026-11-24T18:10:61Z", "2026-11-24T18:10:59.Z", "2026-11-24T18:10:59Zx",
                           "2026-11-24T18:10:59+1:30", "2026-11-24T18:10:59+24:00",
                           "2026-11-24X18:10:59Z", "+026-11-24T18:10:59Z", "yesterday"})
    EXPECT_FALSE(parse_rfc3339(none)) << none;
}

}  // namespace
}  // namespace portcullis

// Deadlines, drains and what a connection costs. Time is a VirtualClock; nothing here sleeps.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>

#include "net/net.h"
#include "testing/http_client.h"
#include "testing/http_server.h"
#include "testing/virtual_clock.h"

namespace portcullis::net {
namespace {

using namespace std::chrono_literals;
using portcullis::testing::HttpAnswer;
using portcullis::testing::HttpClient;
using portcullis::testing::HttpServer;
using portcullis::testing::quick_options;
using portcullis::testing::VirtualClock;

const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

Response text(std::string body, int status = 200) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

Task<Response> hello(Request&, BodyReader&) { co_return text("hello"); }

Task<Response> read_body(Request&, BodyReader& body) {
  std::vector<std::byte> block(64 * 1024);
  for (;;) {
    const auto count = co_await body.read(block);
    if (!count) {
      const bool is_slow = count.error().fault == Fault::limits;
      co_return text(count.error().code, is_slow ? 408 : 400);
    }
    if (*count == 0) co_return text("whole");
  }
}

class TimeTest : public ::testing::Test {
 protected:
  // The server may not have begun to wait yet, so time goes on in steps until it reacts.
  bool reacts_when_time_passes(HttpClient& client, std::chrono::seconds most) {
    for (auto passed = 0s; passed < most; passed += 1s) {
      if (client.is_readable(10ms)) return true;
      clock_.advance(1s);
    }
    return client.is_readable(1s);
  }

  VirtualClock clock_;
};

TEST_F(TimeTest, a_head_that_does_not_come_to_its_end_is_answered_408) {
  HttpServer server(hello, clock_);
  auto client = server.connect();
  client.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_TRUE(reacts_when_time_passes(client, 40s));
  EXPECT_EQ(client.read_answer().status, 408);
  client.close_sending_half();
  EXPECT_TRUE(client.is_closed());
}

TEST_F(TimeTest, a_dripping_head_has_no_more_time_than_a_silent_one) {
  HttpServer server(hello, clock_);
  auto client = server.connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\nA: ");
  int drops = 0;
  while (!client.is_readable(10ms) && drops < 100) {
    client.send("a");
    clock_.advance(1s);
    ++drops;
  }
  EXPECT_LT(drops, 40);
  EXPECT_EQ(client.read_answer().status, 408);
}

TEST_F(TimeTest, a_silent_connection_is_closed_without_a_word) {
  HttpServer server(hello, clock_);
  auto fresh = server.connect();
  EXPECT_TRUE(reacts_when_time_passes(fresh, 40s));
  EXPECT_TRUE(fresh.is_closed());

  auto used = server.connect();
  EXPECT_EQ(used.ask(kGet).status, 200);
  clock_.advance(30s);
  EXPECT_FALSE(used.is_readable(30ms));
  EXPECT_EQ(used.ask(kGet).status, 200);
  EXPECT_TRUE(reacts_when_time_passes(used, 90s));
  EXPECT_TRUE(used.is_closed());
}

TEST_F(TimeTest, a_body_that_drips_is_too_slow_for_its_handler) {
  HttpServer server(read_body, clock_);
  auto client = server.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
  int drops = 0;
  while (!client.is_readable(5ms) && drops < 500) {
    client.send("a");
    clock_.advance(1s);
    ++drops;
  }
  EXPECT_GT(drops, 50);
  EXPECT_LT(drops, 100);
  const HttpAnswer answer = client.read_answer();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.body, "stream-too-slow");
  EXPECT_EQ(answer.header("Connection"), "close");
}

TEST_F(TimeTest, the_handlers_own_time_is_not_held_against_the_client) {
  HttpServer server(
      [&](Request& request, BodyReader& body) -> Task<Response> {
        clock_.advance(3600s);
        co_return co_await read_body(request, body);
      },
      clock_);
  auto client = server.connect();
  EXPECT_EQ(client.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").body, "whole");
}

TEST_F(TimeTest, an_early_answer_waits_for_a_dripping_sender_only_so_long) {
  HttpServer server([](Request&, BodyReader&) -> Task<Response> { co_return text("no", 400); },
                    clock_);
  auto client = server.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\na");
  EXPECT_FALSE(client.is_readable(30ms));
  EXPECT_TRUE(reacts_when_time_passes(client, 20s));
  const HttpAnswer answer = client.read_answer();
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.is_closed());  // half: it can still be sent to
  EXPECT_TRUE(client.send("aaa"));
  EXPECT_EQ(server.server().connections(), 1u);
  while (server.server().connections() > 0) clock_.advance(1s);  // until `linger` is over
}

TEST_F(TimeTest, a_sender_that_never_pauses_does_not_hold_a_lingering_connection_open) {
  auto options = quick_options();
  options.max_body = 10;
  HttpServer server(hello, clock_, options);
  auto client = server.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
  const std::string block(64 * 1024, 'a');
  int blocks = 0;
  while (client.send(block) && blocks < 100'000) {
    clock_.advance(1ms);
    ++blocks;
  }
  EXPECT_LT(blocks, 100'000);
}

TEST_F(TimeTest, a_reader_that_takes_nothing_is_cut) {
  HttpServer server(
      [](Request&, BodyReader&) -> Task<Response> { co_return text(std::string(20'000'000, 'a')); },
      clock_);
  auto client = server.connect(4096);
  client.send(kGet);
  ASSERT_TRUE(client.is_readable(5s));
  while (server.server().connections() > 0) {
    client.is_readable(1ms);
    clock_.advance(1s);
  }
  const auto got = client.read_to_end();
  EXPECT_TRUE(!got || got->size() < 20'000'000);
}

TEST_F(TimeTest, a_slow_reader_is_not_cut_however_long_it_takes) {
  const std::size_t size = 8'000'000;
  HttpServer server(
      [&](Request& request, BodyReader&) -> Task<Response> {
        co_return text(std::string(request.path == "/" ? size : 1, 'a'));
      },
      clock_);
  auto client = server.connect(4096);
  client.send(kGet);
  std::size_t got = 0;
  // Far too little at a time for the kernel to call the server's end writable, for two minutes.
  // Each round trip of the witness shows that the loop has gone round.
  auto witness = server.connect();
  for (int i = 0; i < 120; ++i) {
    got += client.read_some(4096).size();
    for (int k = 0; k < 20; ++k)
      ASSERT_EQ(witness.ask("GET /small HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
    clock_.advance(1s);
  }
  EXPECT_LT(got, 2'000'000u);
  while (got < size) {
    const std::size_t more = client.read_some(65536).size();
    if (more == 0) break;
    got += more;
  }
  EXPECT_GE(got, size);
}

TEST_F(TimeTest, a_drain_closes_idle_connections_and_lets_requests_finish) {
  std::promise<void> started, go_on;
  auto may_go_on = go_on.get_future().share();
  Pool waiter("waiter", 1);
  HttpServer server(
      [&](Request& request, BodyReader&) -> Task<Response> {
        if (request.path == "/slow") {
          started.set_value();
          co_await waiter.run([&] { may_go_on.wait(); });
        }
        co_return text("hello");
      },
      clock_, quick_options(), 2);
  auto idle = server.connect();
  EXPECT_EQ(idle.ask(kGet).status, 200);
  auto busy = server.connect();
  busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  started.get_future().wait();

  auto done = server.drain(clock_.steady() + 60s);
  EXPECT_TRUE(idle.is_closed());
  EXPECT_EQ(done.wait_for(20ms), std::future_status::timeout);
  EXPECT_EQ(server.server().connections(), 1u);
  go_on.set_value();
  const HttpAnswer answer = busy.read_answer();
  EXPECT_EQ(answer.body, "hello");
  EXPECT_EQ(answer.header("Connection"), "close");
  busy.close();
  EXPECT_EQ(done.wait_for(20s), std::future_status::ready);
  EXPECT_FALSE(server.connect().is_connected());
}

TEST_F(TimeTest, a_drain_cuts_what_is_left_at_its_deadline) {
  HttpServer server(read_body, clock_);
  auto client = server.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);  // the handler is reading
  auto done = server.drain(clock_.steady() + 10s);
  EXPECT_EQ(done.wait_for(20ms), std::future_status::timeout);
  clock_.advance(11s);
  EXPECT_EQ(done.wait_for(20s), std::future_status::ready);
  EXPECT_EQ(server.server().connections(), 0u);
  EXPECT_EQ(client.read_answer().status, 0);
}

TEST_F(TimeTest, a_drain_of_an_empty_or_drained_server_is_done_at_once) {
  HttpServer server(hello, clock_, quick_options(), 2);
  EXPECT_EQ(server.drain(clock_.steady() + 10s).wait_for(20s), std::future_status::ready);
}

TEST_F(TimeTest, a_server_can_be_destroyed_with_connections_open) {
  HttpServer server(read_body, clock_, quick_options(), 2);
  std::vector<HttpClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(server.connect());
    clients.back().send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab");
  }
}

TEST_F(TimeTest, loops_can_be_destroyed_with_connections_and_drains_under_way) {
  std::optional<HttpClient> idle, reading;
  asio::io_context loop;
  auto server = Server::create({&loop}, quick_options(), read_body, clock_);
  ASSERT_TRUE(server);
  idle.emplace((*server)->port());
  reading.emplace((*server)->port());
  reading->send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n");
  while (!reading->is_readable(0ms) || (*server)->connections() < 2) loop.run_one();
  (*server)->drain(Deadline::max(), [] { ADD_FAILURE() << "it is not done"; });
  loop.poll();
  server->reset();
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(TimeTest, an_idle_connection_holds_no_buffer) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "sanitizers change what memory costs";
#endif
  HttpServer server(read_body, clock_);
  // Fills a whole block, so that one that was kept would show.
  const std::string request = fmt::format(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nee00\r\n{}\r\n0\r\n\r\n",
      std::string(0xee00, 'a'));
  EXPECT_EQ(server.connect().ask(request).status, 200);
  std::vector<HttpClient> clients;
  clients.reserve(400);
  const std::size_t before = resident_bytes();
  for (int i = 0; i < 400; ++i) {
    clients.push_back(server.connect());
    ASSERT_EQ(clients.back().ask(request).status, 200);
  }
  EXPECT_EQ(server.server().connections(), 400u);
  EXPECT_LT((resident_bytes() - before) / 400, 16u * 1024);
}

}  // namespace
}  // namespace portcullis::net

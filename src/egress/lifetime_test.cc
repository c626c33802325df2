// The client, the loops that wait for it and the origins may go in any order.
#include <boost/asio/co_spawn.hpp>
#include <latch>
#include <thread>

#include "egress/egress_testing.h"

namespace portcullis::egress {
namespace {

class Lifetime : public EgressTest {
 protected:
  static Options two_per_host() {
    Options options = allowing("127.0.0.1/32");
    options.max_per_host = 2;
    return options;
  }
  Lifetime() : EgressTest(two_per_host()) {}

  void wait_for_connections(int count) const {
    while (silent_.connections() < count) std::this_thread::yield();
  }
  // `status` is left as it is if the coroutine does not come back.
  void begin(asio::io_context& loop, const std::string& url, std::optional<Status>& status) {
    asio::co_spawn(
        loop,
        [this, url, &status]() -> Task<void> {
          std::string body;  // gone with the coroutine
          status = co_await client_->fetch(url, 1'000'000, 60s, [&body](ByteView bytes) -> Status {
            body += as_text(bytes);
            return {};
          });
        },
        [](std::exception_ptr) {});
  }

  RawOrigin silent_{[](const std::string&) { return RawOrigin::Play{"", true}; }};
};

TEST_F(Lifetime, a_client_that_goes_ends_what_is_under_way_and_what_waits) {
  asio::io_context loop(1);
  std::vector<std::optional<Status>> statuses(5);
  for (auto& status : statuses) begin(loop, silent_.url("/"), status);
  std::thread runner([&] { loop.run(); });
  wait_for_connections(2);
  client_.reset();
  runner.join();  // the loop has nothing left to do
  for (const auto& status : statuses) {
    ASSERT_TRUE(status);
    ASSERT_FALSE(*status);
    EXPECT_EQ(status->error().code, "download-file-error");
  }
}

TEST_F(Lifetime, a_loop_that_goes_takes_its_coroutines_along) {
  std::optional<Status> at_work, waiting;
  {
    asio::io_context loop(1);
    for (int i = 0; i < 2; ++i) begin(loop, silent_.url("/"), at_work);
    begin(loop, silent_.url("/"), waiting);
    loop.poll();
    wait_for_connections(2);
  }
  EXPECT_FALSE(at_work);
  EXPECT_FALSE(waiting);
}

TEST_F(Lifetime, a_loop_that_goes_while_a_body_comes_is_not_given_any_more_of_it) {
  RawOrigin streaming(
      [](const std::string&) { return RawOrigin::Play{answer("200 OK", "", "abc"), false, 1ms}; });
  for (int i = 0; i < 10; ++i) {
    std::optional<Status> status;
    std::latch first(1);
    {
      asio::io_context loop(1);
      asio::co_spawn(
          loop,
          [&]() -> Task<void> {
            auto body = std::make_unique<std::string>();
            bool is_first = true;
            status = co_await client_->fetch(streaming.url("/"), 1'000'000, 60s,
                                             [&](ByteView bytes) -> Status {
                                               *body += as_text(bytes);
                                               if (std::exchange(is_first, false))
                                                 first.count_down();
                                               return {};
                                             });
          },
          [](std::exception_ptr) {});
      loop.poll();
      first.wait();
    }
    EXPECT_FALSE(status);
  }
}

TEST_F(Lifetime, a_stopped_loop_is_left_alone) {
  std::optional<Status> status;
  asio::io_context loop(1);
  begin(loop, silent_.url("/"), status);
  loop.poll();
  wait_for_connections(1);
  loop.stop();
  client_.reset();
  EXPECT_FALSE(status);  // posted, and destroyed with the loop
}

TEST_F(Lifetime, a_loop_may_end_when_the_answer_is_already_on_its_way_to_it) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a cat")}; });
  std::optional<Status> status;
  for (int i = 0; i < 10; ++i) {
    asio::io_context loop(1);
    begin(loop, origin.url("/"), status);
    loop.poll();
    while (origin.connections() <= i) std::this_thread::yield();
  }
}

TEST_F(Lifetime, each_answer_comes_back_on_the_loop_that_asked) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a cat")}; });
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  threads.reserve(4);
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      const auto here = std::this_thread::get_id();
      run_task([&]() -> Task<void> {
        for (int k = 0; k < 5; ++k) {
          const std::string body = co_await fetch(origin.url("/"));
          right += body == "a cat" && std::this_thread::get_id() == here;
        }
      }());
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 20);
}

}  // namespace
}  // namespace portcullis::egress

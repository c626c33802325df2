#include "base/flights.h"

#include <gtest/gtest.h>

#include "testing/run_task.h"

namespace portcullis {
namespace {

using ::portcullis::testing::run_task;

TEST(Flights, do_the_work_of_many_once) {
  Flights<std::string, int> flights;
  Pool pool("test", 1);
  int made = 0, sum = 0;
  const auto make = [&]() -> Task<int> { co_return co_await pool.run([&] { return ++made; }); };
  const auto one = [&]() -> Task<void> { sum += co_await flights.join("key", make); };
  const auto many = [&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    tasks.reserve(10);
    for (int i = 0; i < 10; ++i) tasks.push_back(one());
    co_await all(std::move(tasks));
  };
  run_task(many());
  EXPECT_EQ(made, 1);
  EXPECT_EQ(sum, 10);
  run_task(many());  // what has landed is not remembered
  EXPECT_EQ(made, 2);
}

}  // namespace
}  // namespace portcullis

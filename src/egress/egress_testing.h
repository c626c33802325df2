// egress/egress_testing.h: a client that may also reach this machine, and what it fetches.
#pragma once

#include <gtest/gtest.h>

#include "egress/egress.h"
#include "testing/raw_origin.h"
#include "testing/run_task.h"

namespace portcullis::egress {

using ::portcullis::testing::answer;
using ::portcullis::testing::path_of;
using ::portcullis::testing::RawOrigin;
using ::portcullis::testing::redirect;
using ::portcullis::testing::run_task;
using ::portcullis::testing::whole;
using namespace std::chrono_literals;

inline Options allowing(const char* network) {
  Options options;
  options.allow = {*Network::parse(network)};
  return options;
}

inline const Sink kDiscard = [](ByteView) { return Status(); };

class EgressTest : public ::testing::Test {
 protected:
  explicit EgressTest(Options options = allowing("127.0.0.1/32"))
      : client_(std::move(*Client::create(std::move(options)))) {}

  // The body, or the code of the error.
  Task<std::string> fetch(std::string url, std::uint64_t max_bytes = 1'000,
                          std::chrono::milliseconds timeout = 20s) {
    std::string body;
    const Status status =
        co_await client_->fetch(std::move(url), max_bytes, timeout, [&](ByteView bytes) -> Status {
          body += as_text(bytes);
          return {};
        });
    co_return status ? body : status.error().code;
  }
  std::string get(std::string url, std::uint64_t max_bytes = 1'000,
                  std::chrono::milliseconds timeout = 20s) {
    return run_task(fetch(std::move(url), max_bytes, timeout));
  }
  // All at once, on one loop.
  std::vector<std::string> get_all(const std::vector<std::string>& urls) {
    std::vector<std::string> bodies(urls.size());
    const auto one = [&](std::size_t i) -> Task<void> { bodies[i] = co_await fetch(urls[i]); };
    std::vector<Task<void>> tasks;
    tasks.reserve(urls.size());
    for (std::size_t i = 0; i < urls.size(); ++i) tasks.push_back(one(i));
    run_task(all(std::move(tasks)));
    return bodies;
  }

  std::unique_ptr<Client> client_;
};

}  // namespace portcullis::egress

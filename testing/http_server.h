// testing/http_server.h: a net::Server on free loopback ports, with its loops in threads of its
// own.
//
// Deadlines follow the clock that is handed in and are looked at every few milliseconds, so that a
// test advances a VirtualClock and then waits for what the server does.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "net/net.h"
#include "testing/http_client.h"

namespace portcullis::testing {

inline net::ServerOptions quick_options() {
  net::ServerOptions options;
  options.sweep_interval = std::chrono::milliseconds(5);
  return options;
}

class HttpServer {
 public:
  // `clock` must outlive it.
  HttpServer(net::Handler handler, const Clock& clock, net::ServerOptions options = quick_options(),
             std::size_t loops = 1) {
    std::vector<asio::io_context*> raw;
    for (std::size_t i = 0; i < loops; ++i) {
      contexts_.push_back(std::make_unique<asio::io_context>(1));
      raw.push_back(contexts_.back().get());
    }
    auto server = net::Server::create(raw, std::move(options), std::move(handler), clock);
    PORTCULLIS_CHECK(server);
    server_ = std::move(*server);
    for (const auto& context : contexts_) threads_.emplace_back([&context] { context->run(); });
  }
  // Cuts what is still open and waits for the loops, which end by themselves when nothing is left.
  ~HttpServer() {
    server_.reset();
    for (std::thread& thread : threads_) thread.join();
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const { return server_->port(); }
  net::Server& server() { return *server_; }
  HttpClient connect(int receive_buffer = 0) const { return HttpClient(port(), receive_buffer); }

  // Begins a drain; the future is ready when the server says that it is done.
  std::future<void> drain(Deadline deadline) {
    auto done = std::make_shared<std::promise<void>>();
    auto future = done->get_future();
    server_->drain(deadline, [done] { done->set_value(); });
    return future;
  }

 private:
  std::vector<std::unique_ptr<asio::io_context>> contexts_;
  std::vector<std::thread> threads_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace portcullis::testing

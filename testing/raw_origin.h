// testing/raw_origin.h: an HTTP origin that misbehaves: a thread that gives each connection what a
// script says.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace portcullis::testing {

class RawOrigin {
 public:
  // Gets the head of a request and gives the bytes to answer; the connection is closed after them,
  // or held open until the origin goes if `hold` is set.
  struct Play {
    std::string bytes;
    bool hold = false;
  };
  using Script = std::function<Play(const std::string& head)>;

  explicit RawOrigin(Script script)
      : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_ANY);  // 127.0.0.2 as well
    PORTCULLIS_CHECK(
        ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        ::listen(listener_.get(), 128) == 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~RawOrigin() {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& one : talks_) one.join();
  }
  RawOrigin(const RawOrigin&) = delete;
  RawOrigin& operator=(const RawOrigin&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url(const std::string& path, const std::string& host = "127.0.0.1") const {
    return "http://" + host + ':' + std::to_string(port_) + path;
  }
  int connections() const { return connections_; }
  int most_at_once() const { return most_; }

 private:
  void run() {
    while (true) {
      UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      ++connections_;
      talks_.emplace_back([this, client = std::move(client)]() mutable { talk(client.get()); });
    }
  }
  void talk(int client) {
    const int now = ++at_once_;
    int most = most_;
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
    std::string head;
    char buffer[4096];
    while (!head.contains("\r\n\r\n")) {
      const ssize_t count = ::recv(client, buffer, sizeof buffer, 0);
      if (count <= 0) break;
      head.append(buffer, static_cast<std::size_t>(count));
    }
    const Play play = script_(head);
    std::string_view left = play.bytes;
    while (!left.empty()) {
      const ssize_t count = ::send(client, left.data(), left.size(), MSG_NOSIGNAL);
      if (count <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(count));
    }
    while (play.hold && !stopping_) {  // until the other end closes, or all is over
      pollfd wait{client, POLLIN, 0};
      if (::poll(&wait, 1, 20) > 0 && ::recv(client, buffer, sizeof buffer, 0) <= 0) break;
    }
    --at_once_;
  }

  Script script_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0}, at_once_{0}, most_{0};
  std::vector<std::thread> talks_;
  std::thread thread_;
};

}  // namespace portcullis::testing

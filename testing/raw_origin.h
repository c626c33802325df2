// testing/raw_origin.h: an HTTP origin that misbehaves: a thread for each connection, which gives
// what a script says.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace portcullis::testing {

// "HTTP/1.1 200 OK" and so on; each of `headers` ends with CRLF.
inline std::string answer(const std::string& status, const std::string& headers,
                          const std::string& body = {}) {
  return "HTTP/1.1 " + status + "\r\n" + headers + "\r\n" + body;
}
inline std::string whole(const std::string& body) {
  return answer("200 OK", "Content-Length: " + std::to_string(body.size()) + "\r\n", body);
}
inline std::string redirect(const std::string& to, const std::string& body = {}) {
  return answer("302 Found",
                "Location: " + to + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n",
                body);
}
// Of the head of a request.
inline std::string path_of(const std::string& head) {
  const auto start = head.find(' ') + 1;
  return head.substr(start, head.find(' ', start) - start);
}

class RawOrigin {
 public:
  // The bytes to answer; the connection is closed after them, or held open until the other end or
  // this one goes if `hold` is set. With `drip` they are followed by an 'x' each so often, for as
  // long.
  struct Play {
    std::string bytes;
    bool hold = false;
    std::chrono::milliseconds drip{0};
  };
  // Gets the head of a request. Called on the connection's thread.
  using Script = std::function<Play(const std::string& head)>;
  using BodyScript = std::function<Play(const std::string& head, const std::string& body)>;

  explicit RawOrigin(Script script)
      : RawOrigin(
            BodyScript([script = std::move(script)](const std::string& head, const std::string&) {
              return script(head);
            })) {}
  explicit RawOrigin(BodyScript script)
      : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_ANY);  // all of 127.0.0.0/8
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
  // Of the requests so far.
  std::vector<std::string> heads() const {
    const std::scoped_lock lock(mutex_);
    return heads_;
  }
  std::vector<std::string> bodies() const {
    const std::scoped_lock lock(mutex_);
    return bodies_;
  }

 private:
  void run() {
    while (true) {
      UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) return;
      ++connections_;
      talks_.emplace_back([this, client = std::move(client)]() mutable { talk(client.get()); });
    }
  }

  static std::size_t body_size_in(const std::string& head) {
    constexpr std::string_view kName = "Content-Length: ";
    const auto at = head.find(kName);
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + kName.size()));
  }
  // Something to read, or the other end has gone; not if this origin stops.
  bool wait(int client, std::chrono::milliseconds once) const {
    pollfd poll{client, POLLIN, 0};
    return ::poll(&poll, 1, static_cast<int>(once.count())) > 0;
  }
  bool has_gone(int client) const {
    char byte;
    return ::recv(client, &byte, 1, MSG_DONTWAIT) == 0;
  }
  static bool send(int client, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  void talk(int client) {
    std::string request;
    char buffer[4096];
    std::size_t head_size = 0, size = 0;  // 0 until the head is there
    while (size == 0 || request.size() < size) {
      if (stopping_) return;
      if (!wait(client, std::chrono::milliseconds(20))) continue;
      const ssize_t count = ::recv(client, buffer, sizeof buffer, 0);
      if (count <= 0) return;
      request.append(buffer, static_cast<std::size_t>(count));
      const std::size_t end = request.find("\r\n\r\n");
      if (size == 0 && end != std::string::npos) {
        head_size = end + 4;
        size = head_size + body_size_in(request.substr(0, head_size));
      }
    }
    const std::string head = request.substr(0, head_size), body = request.substr(head_size);
    {
      const std::scoped_lock lock(mutex_);
      heads_.push_back(head);
      bodies_.push_back(body);
    }
    const Play play = script_(head, body);
    if (!send(client, play.bytes)) return;
    const bool drips = play.drip.count() > 0;
    while ((play.hold || drips) && !stopping_) {
      if (wait(client, drips ? play.drip : std::chrono::milliseconds(20)) && has_gone(client))
        return;
      if (drips && !send(client, "x")) return;
    }
  }

  BodyScript script_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  mutable std::mutex mutex_;
  std::vector<std::string> heads_, bodies_;
  std::vector<std::thread> talks_;
  std::thread thread_;
};

}  // namespace portcullis::testing

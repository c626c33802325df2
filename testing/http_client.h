// testing/http_client.h: a blocking HTTP client over a raw socket, for tests that must say exactly
// which bytes are sent and see exactly which come back. Not thread-safe. Nothing waits longer than
// kPatience; then the answer is empty and the test fails where it looks at it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"

namespace portcullis::testing {

struct HttpAnswer {
  int status = 0;  // 0: no whole answer came
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // Empty if there is none.
  std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers)
      if (ascii_equal_ignoring_case(key, name)) return value;
    return "";
  }
};

class HttpClient {
 public:
  static constexpr std::chrono::milliseconds kPatience{20'000};

  // Connects to 127.0.0.1. `receive_buffer` makes a slow reader: the kernel takes little in
  // advance.
  explicit HttpClient(std::uint16_t port, int receive_buffer = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0)
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ =
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  bool is_connected() const { return is_connected_; }

  // False when the other end has closed before everything was sent.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // As much as fits without waiting; gives the count, 0 when nothing did or the other end is gone.
  std::size_t send_what_fits(std::string_view bytes) {
    const ssize_t sent =
        ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }

  // One answer with its body by Content-Length; interim 1xx answers are answers too. `to_head` is
  // for HEAD.
  HttpAnswer read_answer(bool to_head = false) {
    HttpAnswer answer;
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos)
      if (!receive()) return {};
    const std::string head = received_.substr(0, end + 2);
    received_.erase(0, end + 4);
    if (!head.starts_with("HTTP/1.1 ")) return {};
    answer.status = static_cast<int>(number(head.substr(9, 3)));
    for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
      const std::size_t line_end = head.find("\r\n", at);
      const std::size_t colon = head.find(": ", at);
      answer.headers.emplace_back(head.substr(at, colon - at),
                                  head.substr(colon + 2, line_end - colon - 2));
      at = line_end + 2;
    }
    if (to_head || answer.status < 200) return answer;
    const std::size_t length = number(answer.header("Content-Length"));
    while (received_.size() < length)
      if (!receive()) return {};
    answer.body = received_.substr(0, length);
    received_.erase(0, length);
    return answer;
  }

  // send() and read_answer().
  HttpAnswer ask(std::string_view request) {
    send(request);
    return read_answer();
  }

  // Everything up to the other end's close; nothing when it did not close or the connection was
  // reset.
  std::optional<std::string> read_to_end() {
    while (receive()) {
    }
    if (!saw_end_) return std::nullopt;
    return std::exchange(received_, {});
  }
  // The other end has closed and sent nothing more.
  bool is_closed() { return read_to_end() == ""; }
  // At least one byte, or the end, can be read within `patience`.
  bool is_readable(std::chrono::milliseconds patience) {
    if (!received_.empty()) return true;
    pollfd entry{socket_.get(), POLLIN, 0};
    return ::poll(&entry, 1, static_cast<int>(patience.count())) > 0;
  }
  // Reads up to `count` bytes of whatever comes; "" at the end.
  std::string read_some(std::size_t count) {
    if (received_.empty()) receive(count);
    std::string bytes = received_.substr(0, count);
    received_.erase(0, bytes.size());
    return bytes;
  }

  void close_sending_half() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.reset(); }
  // Closes with a reset, as a crashed program's kernel may.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    socket_.reset();
  }

 private:
  static std::size_t number(std::string_view text) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }

  bool receive(std::size_t most = 64 * 1024) {
    pollfd entry{socket_.get(), POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(kPatience.count())) <= 0) return false;
    std::string block(most, '\0');
    const ssize_t count = ::read(socket_.get(), block.data(), block.size());
    saw_end_ = count == 0;
    if (count <= 0) return false;
    received_.append(block, 0, static_cast<std::size_t>(count));
    return true;
  }

  UniqueFd socket_;
  std::string received_;
  bool is_connected_ = false;
  bool saw_end_ = false;
};

}  // namespace portcullis::testing

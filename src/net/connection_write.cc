// The writing half of a connection. The head leaves with the first bytes of the body; whatever does
// not fit into the socket waits for the reader.
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>

#include "base/log.h"
#include "net/connection.h"
#include "net/loop.h"

namespace portcullis::net {

namespace {

constexpr std::uint64_t kPortion = 1024 * 1024;  // of one sendfile
constexpr std::uint64_t kFairShare =
    4 * kPortion;  // sent in one go before others on the loop have a turn

// Drops `count` bytes from the front.
void drop_front(std::span<asio::const_buffer>& pieces, std::size_t count) {
  while (!pieces.empty() && count >= pieces.front().size()) {
    count -= pieces.front().size();
    pieces = pieces.subspan(1);
  }
  if (count > 0) pieces.front() += count;
}

ssize_t send_once(int socket, std::span<const asio::const_buffer> pieces, int flags) {
  std::array<iovec, 4> vectors{};
  const std::size_t count = std::min(pieces.size(), vectors.size());
  for (std::size_t i = 0; i < count; ++i)
    vectors[i] = {const_cast<void*>(pieces[i].data()), pieces[i].size()};
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  return ::sendmsg(socket, &message, flags | MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

Task<bool> Connection::answer(const Response& response, Manner manner) {
  if (const auto* stream = std::get_if<StreamPart>(&response.body))
    co_return co_await answer_stream(response, *stream, manner);
  const auto* file = std::get_if<FilePart>(&response.body);
  const std::string_view text = file ? std::string_view() : std::get<std::string>(response.body);
  const std::uint64_t length = file ? file->length : text.size();
  const std::string head = answer_head(response, length, manner, loop_->date());
  const bool sends_body = length > 0 && !manner.is_head && may_have_body(response.status);

  std::array pieces{asio::const_buffer(head.data(), head.size()),
                    asio::const_buffer(text.data(), sends_body ? text.size() : 0)};
  if (!co_await send(pieces, file && sends_body ? MSG_MORE : 0)) co_return false;
  if (!file || !sends_body) co_return true;
  co_return co_await send_file(*file);
}

// The head leaves with the first piece of the body.
Task<bool> Connection::answer_stream(const Response& response, const StreamPart& part,
                                     Manner manner) {
  const bool sends_body =
      part.reader && part.length != 0 && !manner.is_head && may_have_body(response.status);
  std::string head = answer_head(response, part.length, manner, loop_->date());
  if (!sends_body) {
    std::array pieces{asio::const_buffer(head.data(), head.size())};
    co_return co_await send(pieces, 0);
  }
  const bool in_chunks = !part.length && !manner.is_http_1_0;
  const auto block = loop_->buffers().lease();
  std::uint64_t left = part.length.value_or(UINT64_MAX);
  for (bool is_first = true; left > 0; is_first = false) {
    const auto into = block.bytes().first(std::min<std::uint64_t>(BufferPool::kBlock, left));
    const auto count = co_await part.reader->read(into);
    if (!count) {
      log::warning("an answer from elsewhere broke off", {{"error", count.error().what}});
      if (!is_first) co_return false;
      co_return co_await answer(own_answer(502, reason_of(502)), manner);
    }
    const std::string before = in_chunks ? fmt::format("{}{:x}\r\n", head, *count) : head;
    const std::string_view after = in_chunks ? "\r\n" : "";
    std::array pieces{asio::const_buffer(before.data(), before.size()),
                      asio::const_buffer(into.data(), *count),
                      asio::const_buffer(after.data(), after.size())};
    if (!co_await send(pieces, 0)) co_return false;
    if (*count == 0) co_return !part.length;
    head.clear();
    left -= *count;
  }
  co_return true;
}

Task<bool> Connection::send(std::span<asio::const_buffer> pieces, int flags) {
  drop_front(pieces, 0);
  while (!pieces.empty()) {
    const ssize_t sent = send_once(socket_.native_handle(), pieces, flags);
    if (sent >= 0) {
      drop_front(pieces, static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!co_await until_writable()) co_return false;
    } else if (errno != EINTR) {
      co_return false;
    }
  }
  co_return true;
}

// sendfile raises SIGPIPE when the reader is gone: Server::create() has it ignored.
Task<bool> Connection::send_file(const FilePart& part) {
  auto offset = static_cast<off_t>(part.offset);
  std::uint64_t left = part.length;
  std::uint64_t sent_in_one_go = 0;
  while (left > 0) {
    const ssize_t sent = ::sendfile(socket_.native_handle(), part.fd->get(), &offset,
                                    static_cast<std::size_t>(std::min(left, kPortion)));
    if (sent > 0) {
      left -= static_cast<std::uint64_t>(sent);
      sent_in_one_go += static_cast<std::uint64_t>(sent);
      if (sent_in_one_go < kFairShare) continue;
      co_await asio::post(loop_->executor(), use_task);
    } else if (sent == 0) {
      log::error("a file is shorter than it should be", {{"missing", left}});
      co_return false;
    } else if (errno == EAGAIN) {
      if (!co_await until_writable()) co_return false;
    } else if (errno == EINVAL || errno == ENOSYS) {
      co_return co_await send_file_by_copying({part.fd, static_cast<std::uint64_t>(offset), left});
    } else if (errno == EIO) {
      log::error("cannot read a file that is being sent", {{"error", "input/output error"}});
      co_return false;
    } else if (errno != EINTR) {
      co_return false;
    }
    sent_in_one_go = 0;
  }
  co_return true;
}

// For file systems that cannot do sendfile.
Task<bool> Connection::send_file_by_copying(FilePart part) {
  const auto block = loop_->buffers().lease();
  while (part.length > 0) {
    const auto into = block.bytes().first(std::min(part.length, BufferPool::kBlock));
    const auto count = read_at(part.fd->get(), into, part.offset);
    if (!count || *count == 0) {
      log::error("cannot read a file that is being sent",
                 {{"error", count ? "it is shorter than it should be" : count.error().what}});
      co_return false;
    }
    std::array pieces{asio::const_buffer(into.data(), *count)};
    if (!co_await send(pieces, 0)) co_return false;
    part.offset += *count;
    part.length -= *count;
    co_await asio::post(loop_->executor(), use_task);
  }
  co_return true;
}

Task<bool> Connection::until_writable() {
  begin_wait(loop_->now() + loop_->options().write_stall_timeout);
  unsent_ = unsent();
  writing_ = true;
  const auto [error] = co_await socket_.async_wait(Socket::wait_write, tuple_task);
  writing_ = false;
  end_wait();
  co_return !error && !cut_;
}

int Connection::unsent() const {
  int count = 0;
  // const_cast: asking the kernel changes nothing, native_handle() is just not const.
  ::ioctl(const_cast<Socket&>(socket_).native_handle(), SIOCOUTQ, &count);
  return count;
}

}  // namespace portcullis::net

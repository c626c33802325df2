#include "net/body.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "net/loop.h"

namespace portcullis::net {

namespace {

// Room for at least this much is read into directly; into less, through a leased block, so that a
// handler that asks for a few bytes at a time does not cost a system call each.
constexpr std::size_t kWorthReadingDirectly = 16 * 1024;
constexpr std::string_view kInvitation = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Body::Body(Connection& connection, Head& head)
    : connection_(connection),
      head_(head),
      remaining_(head.request.content_length.value_or(0)),
      patience_(connection.loop().options().body_timeout),
      done_(!head.request.has_body) {}

bool Body::client_waits_for_invitation() const {
  return head_.expects_continue && !invited_ && taken_ == 0 && connection_.input().empty();
}

Task<Result<std::size_t>> Body::read(std::span<std::byte> into) {
  if (failure_) co_return std::unexpected(*failure_);
  if (done_) co_return std::size_t{0};
  PORTCULLIS_CHECK(!into.empty());
  auto result = co_await read_some(into);
  connection_.input().release_if_empty();
  if (!result) failure_ = result.error();
  co_return result;
}

Task<Result<std::size_t>> Body::read_some(std::span<std::byte> into) {
  if (client_waits_for_invitation()) CO_TRY(co_await invite());
  const std::size_t count =
      head_.chunks ? CO_TRY(co_await read_chunked(into)) : CO_TRY(co_await read_known_length(into));
  taken_ += count;
  const std::uint64_t most = connection_.loop().options().max_body;
  if (taken_ > most) co_return fail(Fault::limits, "the body is over {} bytes", most);
  co_return count;
}

Task<Status> Body::invite() {
  invited_ = true;
  std::array pieces{asio::const_buffer(kInvitation.data(), kInvitation.size())};
  if (!co_await connection_.send(pieces, 0)) co_return fail(Fault::client, "the client vanished");
  co_return Status{};
}

Task<Result<std::size_t>> Body::read_known_length(std::span<std::byte> into) {
  into = into.first(std::min<std::uint64_t>(into.size(), remaining_));
  Input& input = connection_.input();
  std::size_t count = 0;
  if (input.empty() && (into.size() >= kWorthReadingDirectly || into.size() == remaining_)) {
    input.release_if_empty();
    count = CO_TRY(co_await receive(into));
  } else {
    if (input.empty()) CO_TRY(co_await receive_more());
    count = std::min(into.size(), input.bytes().size());
    std::memcpy(into.data(), input.bytes().data(), count);
    input.eat(count);
  }
  remaining_ -= count;
  done_ = remaining_ == 0;
  co_return count;
}

Task<Result<std::size_t>> Body::read_chunked(std::span<std::byte> into) {
  Input& input = connection_.input();
  for (;;) {
    if (!input.empty()) {
      const auto step = CO_TRY(head_.chunks->decode(input.bytes(), into));
      input.eat(step.eaten);
      done_ = step.done;
      if (step.made > 0 || step.done) co_return step.made;
      if (step.eaten > 0 && !input.empty()) continue;
    }
    if (input.space(connection_.loop().buffers()).empty())
      co_return fail(Fault::client, "a chunk's head or the trailers are too long");
    CO_TRY(co_await receive_more());
  }
}

Task<Result<std::size_t>> Body::receive(std::span<std::byte> into) {
  const SteadyTime start = connection_.loop().now();
  const auto count = co_await connection_.receive(into, start + patience_);
  patience_ -= connection_.loop().now() - start;
  if (count && *count == 0) co_return fail(Fault::client, "the client vanished within the body");
  co_return count;
}

Task<Status> Body::receive_more() {
  Input& input = connection_.input();
  const std::size_t count = CO_TRY(co_await receive(input.space(connection_.loop().buffers())));
  input.filled(count);
  co_return Status{};
}

Task<bool> Body::discard() {
  if (failure_) co_return false;
  if (done_) co_return true;
  // It holds the body back until invited and takes a final answer instead; whether the body still
  // follows then is unknown, so the connection ends.
  if (client_waits_for_invitation()) co_return false;
  patience_ = connection_.loop().options().discard_timeout;
  const auto block = connection_.loop().buffers().lease();
  while (!done_)
    if (!co_await read(block.bytes())) co_return false;
  co_return true;
}

}  // namespace portcullis::net

// decoder/packet.h: one packet with descriptors over a SOCK_SEQPACKET socket. Private to the room.
#pragma once

#include <array>
#include <span>
#include <type_traits>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace portcullis::decoder {

// Blocks while the other end's queue is full. A closed other end is an error, not a signal.
Status send_packet(int socket, ByteView packet, std::span<const int> fds);

// The code of the error when the other end went without having read what was sent to it.
inline constexpr const char* kUnread = "unread";

struct Received {
  std::size_t size = 0;  // 0: the other end is closed
  std::vector<UniqueFd> fds;
};
// Waits for a packet, at most `timeout` (negative: for ever; then Fault::limits). Descriptors
// beyond `max_fds` and a packet larger than `into` are errors.
Result<Received> receive_packet(int socket, std::span<std::byte> into, std::size_t max_fds,
                                std::chrono::milliseconds timeout);

template <class T>
Status send_struct(int socket, const T& value, std::span<const int> fds = {}) {
  static_assert(std::is_trivially_copyable_v<T>);
  return send_packet(socket, std::as_bytes(std::span(&value, 1)), fds);
}

// A packet of exactly T with its magic.
template <class T>
Result<T> receive_struct(int socket, std::vector<UniqueFd>& fds, std::size_t max_fds,
                         std::chrono::milliseconds timeout) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  Received received =
      TRY(receive_packet(socket, std::as_writable_bytes(std::span(&value, 1)), max_fds, timeout));
  if (received.size == 0) return fail(Fault::upstream, "the other end is gone");
  if (received.size != sizeof(T) || value.magic != T{}.magic)
    return fail(Fault::upstream, "a message of another shape");
  fds = std::move(received.fds);
  return value;
}

}  // namespace portcullis::decoder

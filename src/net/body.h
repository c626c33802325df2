// net/body.h: the body of the request being served. Private.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "net/connection.h"
#include "net/head.h"

namespace portcullis::net {

class Body final : public BodyReader {
 public:
  // `connection` and `head` must outlive it.
  Body(Connection& connection, Head& head);

  Task<Result<std::size_t>> read(std::span<std::byte> into) override;

  // Reads on and drops everything, for at most discard_timeout. True when the body has been eaten
  // to its end, so that the next request can follow; false when the connection cannot be used
  // again.
  Task<bool> discard();

 private:
  Task<Result<std::size_t>> read_some(std::span<std::byte> into);
  Task<Result<std::size_t>> read_known_length(std::span<std::byte> into);
  Task<Result<std::size_t>> read_chunked(std::span<std::byte> into);
  Task<Result<std::size_t>> receive(std::span<std::byte> into);
  Task<Status> receive_more();
  Task<Status> invite();
  bool client_waits_for_invitation() const;

  Connection& connection_;
  Head& head_;
  std::uint64_t remaining_;  // of a body of known length
  std::uint64_t taken_ = 0;
  std::chrono::nanoseconds
      patience_;  // what is left of the time that may be spent waiting for the client
  bool invited_ = false;
  bool done_;
  std::optional<Error> failure_;
};

}  // namespace portcullis::net

// net/sockets.h: Asio's types with the loop's concrete executor, spelled once. A type-erased
// executor costs a quarter more CPU a request. Private.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>

#include "base/task.h"

namespace portcullis::net {

using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;
using ErrorCode = boost::system::error_code;

// co_await gives (error, value) instead of throwing.
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> tuple_task{use_task};

}  // namespace portcullis::net

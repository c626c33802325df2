// net/connection.h: one client's connection, from the first byte to the last: heads, bodies,
// answers, farewell.
//
// Runs as one coroutine on its loop's thread. At most one socket operation is under way at a time;
// the loop's sweep ends it by cancelling when its deadline has passed. Private.
#pragma once

#include <boost/intrusive/list_hook.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "net/answer.h"
#include "net/buffers.h"
#include "net/head.h"
#include "net/net.h"
#include "net/sockets.h"

namespace portcullis::net {

class Loop;

class Connection : public boost::intrusive::list_base_hook<
                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Connection(std::shared_ptr<Loop> loop, Socket socket, std::string peer);
  // Leaves the loop's list, if the loop is destroyed before the connection has ended.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  static Task<void> run(std::shared_ptr<Connection> self);

  // For the loop.
  void sweep(SteadyTime now);
  void say_goodbye_if_idle();
  void cut();

  // For the body.
  Loop& loop() { return *loop_; }
  Input& input() { return input_; }
  // At least one byte, or 0 at the end of the stream. Fault::limits when the deadline has passed,
  // else Fault::client.
  Task<Result<std::size_t>> receive(std::span<std::byte> into, Deadline deadline);
  // The same, into input(); there must be space.
  Task<Result<std::size_t>> receive_more(Deadline deadline);
  // False when the client is gone or took nothing for write_stall_timeout.
  Task<bool> send(std::span<asio::const_buffer> pieces, int flags);

 private:
  // What was read of a head: its length in input(), or a status to refuse with, or neither when the
  // connection is over.
  struct HeadRead {
    std::size_t size = 0;
    int refuse_with = 0;
  };

  Task<bool> serve_one();
  Task<HeadRead> read_head();
  Task<bool> wait_for_first_byte();
  Task<Response> ask_handler(Request& request, BodyReader& body);
  Task<void> refuse(int status, std::string_view what);
  Response own_answer(int status, std::string_view what) const;

  Task<bool> answer(const Response& response, Manner manner);
  Task<bool> answer_stream(const Response& response, const StreamPart& part, Manner manner);
  Task<bool> send_file(const FilePart& part);
  Task<bool> send_file_by_copying(FilePart part);
  Task<bool> until_writable();
  // Half-closes, then reads and drops what still comes, so that a reset does not overtake the
  // answer.
  Task<void> linger();

  void begin_wait(Deadline deadline) {
    deadline_ = deadline;
    expired_ = false;
  }
  void end_wait() { deadline_ = Deadline::max(); }
  int unsent() const;

  const std::shared_ptr<Loop> loop_;
  Socket socket_;
  const std::string peer_;
  Input input_;
  Deadline deadline_ = Deadline::max();
  int unsent_ = 0;  // bytes in the kernel's send queue when last looked at
  bool expired_ = false;
  bool writing_ = false;
  bool idle_ = false;
  bool cut_ = false;
  bool is_first_request_ = true;
};

}  // namespace portcullis::net

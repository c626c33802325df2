// net/upstream_line.h: one connection to an upstream, and all of one loop. Private.
//
// Everything here runs on the loop's one thread. At most one socket operation of a line is under
// way at a time; a sweep, which runs only while a line waits, ends it by cancelling when its
// deadline has passed.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/list_hook.hpp>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "net/buffers.h"
#include "net/head.h"
#include "net/net.h"
#include "net/sockets.h"

namespace portcullis::net {

class Lines;

class Line : public boost::intrusive::list_base_hook<
                 boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Line(std::shared_ptr<Lines> lines, Socket socket);
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  Task<Status> connect(Tcp::endpoint endpoint, Deadline deadline);
  Task<Status> send(std::span<const asio::const_buffer> pieces, Deadline deadline);
  // At least one byte, or 0 at the end of the stream.
  Task<Result<std::size_t>> receive(std::span<std::byte> into, Deadline deadline);
  // The same into input(); the end of the stream is an error.
  Task<Status> receive_more(Deadline deadline);

  Input& input() { return input_; }
  Lines& lines() { return *lines_; }
  // Nothing was received since the last begin().
  bool is_untouched() const { return is_untouched_; }
  void begin() { is_untouched_ = true; }

  // For Lines.
  void sweep(SteadyTime now);
  Socket take_socket() { return std::move(socket_); }

 private:
  void begin_wait(Deadline deadline);
  void end_wait() { deadline_ = Deadline::max(); }
  Error error_of(const ErrorCode& error, std::string_view what) const;

  const std::shared_ptr<Lines> lines_;
  Socket socket_;
  Input input_;
  Deadline deadline_ = Deadline::max();
  bool expired_ = false;
  bool is_untouched_ = true;
};

class Lines : public std::enable_shared_from_this<Lines> {
 public:
  Lines(Executor executor, std::shared_ptr<const UpstreamOptions> options, const Clock& clock);

  // One that waits to be used again; null: none.
  std::shared_ptr<Line> take_idle();
  // A new one.
  Task<Result<std::shared_ptr<Line>>> connect(Deadline deadline);
  // Keeps its connection for the next request.
  void keep(Line& line);

  Executor executor() const { return executor_; }
  const UpstreamOptions& options() const { return *options_; }
  SteadyTime now() const { return clock_.steady(); }
  BufferPool& buffers() { return buffers_; }

  // For Line: the sweep looks at it.
  void enter(Line& line);
  void leave(Line& line);

 private:
  struct Lookup;
  Task<Result<std::vector<Tcp::endpoint>>> endpoints();
  static Task<void> look_up(std::shared_ptr<Lookup> lookup, std::string host, std::string port);
  Task<void> sweep();

  const Executor executor_;
  const std::shared_ptr<const UpstreamOptions> options_;
  const Clock& clock_;
  BufferPool buffers_;
  Timer sweep_timer_;
  bool is_sweeping_ = false;
  boost::intrusive::list<Line, boost::intrusive::constant_time_size<false>> waiting_;
  struct Idle {
    Socket socket;
    SteadyTime since;
  };
  std::vector<Idle> idle_;            // the one used last at the end
  std::size_t open_ = 0;              // lines in use; counted by Line itself
  std::vector<Tcp::endpoint> known_;  // where the name leads
  SteadyTime known_since_{};
  friend class Line;
};

// The body of one answer. Keeps its line for others once it was read to the end.
class LineBody final : public BodyReader {
 public:
  LineBody(std::shared_ptr<Line> line, AnswerHead& head, Deadline whole);
  Task<Result<std::size_t>> read(std::span<std::byte> into) override;
  // There is nothing to read.
  void end();

 private:
  Task<Result<std::size_t>> read_some(std::span<std::byte> into);
  Task<Result<std::size_t>> read_known_length(std::span<std::byte> into);
  Task<Result<std::size_t>> read_chunked(std::span<std::byte> into);
  Task<Result<std::size_t>> receive(std::span<std::byte> into);

  std::shared_ptr<Line> line_;  // null once it is done with
  std::unique_ptr<ChunkedDecoder> chunks_;
  std::optional<std::uint64_t> left_;  // none: chunked, or up to the end of the connection
  bool keep_alive_;
  Deadline whole_;
  std::chrono::nanoseconds patience_;
  bool done_ = false;
  std::optional<Error> failure_;
};

}  // namespace portcullis::net

// net/net.h: an HTTP/1.1 server with streamed bodies, a client of one HTTP/1.1 server behind it,
// and a streaming multipart/form-data parser.
//
// Beast stays inside src/net/*.cc; what crosses this door are the plain structs below. A Server
// runs on the io_contexts it is given, one listening socket each (SO_REUSEPORT); a connection
// belongs to the loop that accepted it, and so do its handler's coroutine, its Request and its
// BodyReader. Each io_context is run by one thread. TCP_NODELAY is set. No TLS and no HTTP/2: a
// terminator in front speaks them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/task.h"

namespace portcullis::net {

struct Header {
  std::string name;  // as it was sent
  std::string value;
};

// Valid while the handler runs. Names are compared without regard to case.
struct Request {
  std::string id;      // random, for the log; not taken from the client
  std::string method;  // "GET"
  std::string target;  // as it was sent: path and query, still percent-encoded
  std::string path;    // before '?', still percent-encoded
  std::string query;   // after '?', still percent-encoded; empty if there is none
  std::vector<Header> headers;
  std::optional<std::uint64_t> content_length;  // none: no body, or a chunked one
  bool has_body = false;
  std::string peer;  // address of the other end, without port

  // The first header of that name.
  std::optional<std::string_view> header(std::string_view name) const;
  std::vector<std::string_view> all_headers(std::string_view name) const;
};

// One decoding of %XX; nothing if an escape is broken. '+' stays.
std::optional<std::string> percent_decode(std::string_view text);
// %XX for all but letters, digits, '-', '.', '_' and '~'.
std::string percent_encode(std::string_view text);
// The decoded pairs of a query string, in order; one without '=' has an empty value, one with a
// broken escape is skipped.
std::vector<std::pair<std::string, std::string>> query_pairs(std::string_view query);
// The decoded values of `key` in a query string, in order ('+' stays a plus). Pairs with broken
// escapes are skipped.
std::vector<std::string> query_values(std::string_view query, std::string_view key);

// Reads a body piece by piece, of a request or of an upstream's answer; the next piece is taken off
// the socket only when asked for.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // Fills the front of `into`, at least one byte; 0 means the body has ended as it should. A client
  // that asked to be told with 100 Continue is told at the first call. `into` of 64 KiB costs the
  // fewest calls. Errors: Fault::limits when it is over the server's max_body or too slow (code
  // "stream-too-slow"), Fault::client when the client vanished or the framing is broken. After an
  // error every further call fails.
  virtual Task<Result<std::size_t>> read(std::span<std::byte> into) = 0;
};

// Part of an open file; `fd` is shared so that a hot file can be served many times at once
// (pread/sendfile).
struct FilePart {
  std::shared_ptr<const UniqueFd> fd;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// A body that comes from elsewhere while it is sent; the next piece is asked for when the last has
// left. When it fails, or ends before `length`, the connection is cut, so that nobody takes the
// part for the whole; when it fails at its first piece the answer is a 502.
struct StreamPart {
  std::shared_ptr<BodyReader> reader;   // null: an answer to HEAD
  std::optional<std::uint64_t> length;  // none: not known before its end
};

struct Response {
  int status = 200;
  std::vector<Header> headers;  // Content-Length, Date, Connection are the server's business; no
                                // length with 204 and 304
  std::variant<std::string, FilePart, StreamPart> body;
  bool close = false;  // close the connection afterwards
};

// A handler never throws and always answers; an exception, or a header that cannot be sent (CR or
// LF in it), becomes a 500 and a log line. For HEAD it gives the same Response as for GET; only the
// length of the body is sent. It may answer before the body was read: the server then reads and
// discards the rest, up to `max_body` and for at most `discard_timeout`, and answers after that,
// because a sender that has not finished would never see the answer; beyond the bound it answers at
// once, half-closes and goes on reading within `linger`. After an error of the BodyReader the
// answer of the handler is sent and the connection closed in the same manner.
using Handler = std::function<Task<Response>(Request&, BodyReader&)>;

struct ServerOptions {
  std::string host = "127.0.0.1";            // an IP address, v4 or v6
  std::uint16_t port = 0;                    // 0: any free one, see Server::port()
  std::size_t max_header_bytes = 32 * 1024;  // larger: 431; below 64 KiB
  std::size_t max_target_bytes = 8 * 1024;   // longer: 414
  // Announced larger: 413 at once, with the lingering above.
  std::uint64_t max_body = 64 * 1024 * 1024;
  std::size_t max_connections = 4096;  // beyond it accepting waits
  // From the first byte of a head to its end, else 408; also from connecting to that first byte.
  std::chrono::milliseconds header_timeout{15'000};
  // Between two requests.
  std::chrono::milliseconds idle_timeout{60'000};
  // Spent waiting for the client in all reads of one body together.
  std::chrono::milliseconds body_timeout{60'000};
  // The client took no byte of an answer. A slow reader has no other limit.
  std::chrono::milliseconds write_stall_timeout{60'000};
  std::chrono::milliseconds discard_timeout{10'000};
  std::chrono::milliseconds linger{2'000};
  // Of real time: how often deadlines are compared with the clock.
  std::chrono::milliseconds sweep_interval{1'000};
  // The body of an answer that the server itself gives (400, 408, 413, 414, 431, 500): content type
  // and text.
  std::function<std::pair<std::string, std::string>(int status, std::string_view what)> error_body;
};

class Server {
 public:
  // `loops` must outlive the server; they may already run. Fails when the address cannot be bound
  // ("port 8080 is taken: ..."), also when another Portcullis listens there. Has the process ignore
  // SIGPIPE, which sendfile would raise.
  static Result<std::unique_ptr<Server>> create(std::vector<asio::io_context*> loops,
                                                ServerOptions options, Handler handler,
                                                const Clock& clock);
  // Cuts what is still open. Handlers under way end on their loops after that: `clock` and what
  // `handler` refers to must live until the loops have run out of work or are destroyed.
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;
  // Stops accepting, tells idle connections goodbye, lets requests under way finish; those left at
  // `deadline` (of the clock) are cut: their sockets, that is, for a handler that waits for
  // something else ends in its own time. `done` is called once, on the first loop, when the last
  // handler has ended. Thread-safe.
  virtual void drain(Deadline deadline, std::function<void()> done) = 0;
};

// --- asking a server behind this one ---

struct UpstreamOptions {
  std::string host = "127.0.0.1";  // an IP address or a name, from the configuration only
  std::uint16_t port = 80;
  std::size_t max_header_bytes = 32 * 1024;  // of an answer; below 64 KiB
  // Of one loop: requests at once, and connections that are kept for the next one.
  std::size_t max_busy = 256, max_idle = 16;
  std::chrono::milliseconds connect_timeout{2'000};
  // Spent waiting for the upstream in all reads of one body together.
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds idle_timeout{4'000};  // a connection that waited longer is not used
  // Of real time: how often deadlines are compared with the clock.
  std::chrono::milliseconds sweep_interval{250};
};

struct UpstreamRequest {
  std::string method;                        // "GET"
  std::string target;                        // path and query, percent-encoded
  std::vector<Header> headers;               // Host and those of framing are the client's business
  BodyReader* body = nullptr;                // borrowed until ask() has ended; null: none
  std::optional<std::uint64_t> length = {};  // of the body; none: sent in chunks
  Deadline whole = Deadline::max();          // for the answer's body too
};
struct UpstreamAnswer {
  int status = 0;               // 200..599
  std::vector<Header> headers;  // without Content-Length and those about the connection
  // Of the body; in an answer to HEAD what it would be. None: not known before its end.
  std::optional<std::uint64_t> length;
  // Null: there is none. Reading to the end keeps the connection for others; dropping it before
  // closes it. Errors: Fault::upstream.
  std::shared_ptr<BodyReader> body;

  std::optional<std::string_view> header(std::string_view name) const;
};

// A client of one server, over plain HTTP/1.1. Thread-safe: connections belong to the loop of the
// coroutine that asks. An answer's body is read, and dropped, on that loop.
class Upstream {
 public:
  // `clock` must outlive it and all that it gave.
  static std::unique_ptr<Upstream> create(UpstreamOptions options, const Clock& clock);
  // Before the loops are destroyed.
  virtual ~Upstream() = default;
  // `deadline` bounds everything up to the head of the answer. Codes: "upstream-unreachable",
  // "upstream-slow", "upstream-broken" (what came is no answer, or the connection broke) with
  // Fault::upstream; "upstream-busy" with Fault::limits; an error of `body` comes back as it is. A
  // kept connection that turns out to be closed is replaced once, if the request has no body and
  // may be made twice.
  virtual Task<Result<UpstreamAnswer>> ask(UpstreamRequest request, Deadline deadline) = 0;
};

// The whole of a small body; Fault::upstream, code "upstream-broken", beyond `most` bytes.
Task<Result<std::string>> read_text(BodyReader& body, std::size_t most);

// --- what a gate must refuse ---

enum class Refusal {
  framing,  // two servers could disagree where the body ends
  host,     // not exactly one Host
  target,   // not origin-form
  syntax,   // not HTTP/1.1 as RFC 9112 writes it
};
// Looks at one request head, the bytes up to and with the empty line; nothing means it may be
// served. Pure.
std::optional<Refusal> refuse_ambiguous(std::string_view head);

// --- multipart/form-data (RFC 7578), as a push parser ---

struct PartHeader {
  std::string name;                     // of the field; required
  std::optional<std::string> filename;  // as sent, never used as a path
  std::string content_type;             // empty: not given
};

struct MultipartLimits {
  std::size_t max_header_bytes = 8 * 1024;  // of one part
  std::size_t max_parts = 100;
};

// Feeds on a body in any portions and calls back. Not thread-safe. Nothing is buffered but a part's
// headers and at most one boundary's length of data. After an error it stays in error.
class MultipartParser {
 public:
  struct Events {
    std::function<Status(const PartHeader&)> part_begin;
    std::function<Status(ByteView)> part_data;
    std::function<Status()> part_end;
  };
  // From the Content-Type header; Fault::client when it is not multipart/form-data with a boundary
  // of RFC 2046.
  static Result<MultipartParser> create(std::string_view content_type, MultipartLimits limits,
                                        Events events);
  MultipartParser(MultipartParser&&) noexcept;
  MultipartParser& operator=(MultipartParser&&) noexcept;
  ~MultipartParser();

  // Errors of the callbacks come back as they are; a malformed body is Fault::client, a limit
  // Fault::limits.
  Status feed(ByteView bytes);
  // The body has ended: an error unless the closing boundary was seen.
  Status finish();

 private:
  struct State;
  explicit MultipartParser(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace portcullis::net

#include <boost/asio/post.hpp>
#include <csignal>
#include <utility>

#include "net/loop.h"
#include "net/net.h"

namespace portcullis::net {

namespace {

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

Error cannot_listen(const Tcp::endpoint& endpoint, const ErrorCode& error) {
  const std::string host = endpoint.address().to_string();
  if (error == asio::error::address_in_use)
    return {Fault::us, fmt::format("port {} is taken: another program listens on {} already",
                                   endpoint.port(), host)};
  return {Fault::us,
          fmt::format("cannot listen on {} port {}: {}", host, endpoint.port(), error.message())};
}

Result<Acceptor> listen(Executor executor, const Tcp::endpoint& endpoint, bool shares_port) {
  ErrorCode error;
  Acceptor acceptor(executor);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error && shares_port) acceptor.set_option(ReusePort(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(Acceptor::max_listen_connections, error);
  if (!error) acceptor.non_blocking(true, error);
  if (error) return std::unexpected(cannot_listen(endpoint, error));
  return acceptor;
}

// Loops share one port by SO_REUSEPORT, which would let a second Portcullis of the same user share
// it as well and get half of the connections. A socket without that option finds out.
Result<std::vector<Acceptor>> listen_on_all(const std::vector<asio::io_context*>& loops,
                                            Tcp::endpoint endpoint) {
  const bool shares_port = loops.size() > 1;
  if (shares_port && endpoint.port() != 0)
    TRY(listen(loops.front()->get_executor(), endpoint, false));
  std::vector<Acceptor> acceptors;
  for (asio::io_context* loop : loops) {
    acceptors.push_back(TRY(listen(loop->get_executor(), endpoint, shares_port)));
    ErrorCode ignored;
    endpoint.port(acceptors.back().local_endpoint(ignored).port());
  }
  return acceptors;
}

class LoopsServer final : public Server {
 public:
  LoopsServer(std::vector<Acceptor> acceptors, std::shared_ptr<ServerState> state)
      : state_(std::move(state)) {
    ErrorCode ignored;
    port_ = acceptors.front().local_endpoint(ignored).port();
    for (Acceptor& acceptor : acceptors)
      loops_.push_back(std::make_shared<Loop>(std::move(acceptor), state_));
    state_->loops.assign(loops_.begin(), loops_.end());
    for (const auto& loop : loops_) loop->start();
  }
  ~LoopsServer() override {
    for (const auto& loop : loops_) loop->stop();
  }

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override { return state_->connections.load(); }

  void drain(Deadline deadline, std::function<void()> done) override {
    state_->when_empty(loops_.front()->executor(), std::move(done));
    for (const auto& loop : loops_) loop->drain(deadline);
  }

 private:
  const std::shared_ptr<ServerState> state_;
  std::vector<std::shared_ptr<Loop>> loops_;
  std::uint16_t port_ = 0;
};

Status check_options(const ServerOptions& options) {
  // A head, and the byte by which it is found to be too long, must fit into one block.
  if (options.max_header_bytes >= BufferPool::kBlock)
    return fail(Fault::us, "max_header_bytes must be below {}", BufferPool::kBlock);
  return {};
}

}  // namespace

Result<std::unique_ptr<Server>> Server::create(std::vector<asio::io_context*> loops,
                                               ServerOptions options, Handler handler,
                                               const Clock& clock) {
  PORTCULLIS_CHECK(!loops.empty() && handler);
  TRY(check_options(options));
  ErrorCode error;
  const auto address = asio::ip::make_address(options.host, error);
  if (error)
    return fail(Fault::us, "cannot listen on \"{}\": it is not an IP address", options.host);
  auto acceptors = TRY(listen_on_all(loops, Tcp::endpoint(address, options.port)));
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): it cannot fail
  auto state = std::make_shared<ServerState>(std::move(options), std::move(handler), clock);
  return std::make_unique<LoopsServer>(std::move(acceptors), std::move(state));
}

}  // namespace portcullis::net

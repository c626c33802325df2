#include <boost/asio/basic_signal_set.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <csignal>
#include <cstdio>

#include "app/commands.h"
#include "app/guarded_fetcher.h"
#include "app/places.h"
#include "media/media.h"

namespace portcullis::app {

namespace {

using Signals = asio::basic_signal_set<Executor>;

net::Response text_answer(std::string text) {
  return {200, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text), false};
}

Task<net::Response> admin(const net::Request& request, const media::Dummy& dummy) {
  if (request.path == "/healthz")
    co_return text_answer("dummy mode: nothing is screened, nothing is kept\n");
  if (request.path == "/metrics")
    co_return text_answer(
        fmt::format("# TYPE portcullis_dummy_mode gauge\nportcullis_dummy_mode 1\n"
                    "# TYPE portcullis_aliases gauge\nportcullis_aliases {}\n",
                    dummy.pictures()));
  co_return net::Response{404, {}, std::string(), false};
}

Result<net::ServerOptions> loopback(const std::string& text, const char* option) {
  const config::Address address = TRY(config::parse_address(text));
  if (!address.is_loopback())
    return fail(Fault::us,
                "{} {}: dummy mode screens nothing, so it listens on loopback only, such as "
                "127.0.0.1:8080",
                option, text);
  net::ServerOptions options;
  options.host = address.host;
  options.port = address.port;
  options.max_body = 64 * 1024 * 1024;
  return options;
}

Task<void> drain_on_signal(asio::io_context& loop, net::Server& media, net::Server& control,
                           const Clock& clock) {
  Signals signals(co_await asio::this_coro::executor, SIGTERM, SIGINT);
  (void)co_await signals.async_wait(use_task);
  const auto done = std::make_shared<int>(2);
  for (net::Server* server : {&media, &control})
    server->drain(clock.steady() + std::chrono::seconds(5), [done, &loop] {
      if (--*done == 0) loop.stop();
    });
}

}  // namespace

Result<int> dummy_command(const DummyOptions& options) {
  if (!options.config.empty())
    return fail(Fault::us,
                "dummy mode keeps everything in memory and opens no data folder: leave --config "
                "out");
  static const SystemClock clock;
  const net::ServerOptions media_options = TRY(loopback(options.listen, "--listen"));
  const net::ServerOptions admin_options = TRY(loopback(options.admin, "--admin"));
  config::Config config;
  config.egress.allow = {"0.0.0.0/0", "::/0"};  // other tests' servers
  const auto fetcher = TRY(GuardedFetcher::create(config));
  media::Dummy dummy(options.api_key, {}, *fetcher, clock);
  asio::io_context loop(1);
  const auto media = TRY(net::Server::create(
      {&loop}, media_options,
      [&](net::Request& request, net::BodyReader& body) { return dummy.handle(request, body); },
      clock));
  const auto control = TRY(net::Server::create(
      {&loop}, admin_options,
      [&](net::Request& request, net::BodyReader&) { return admin(request, dummy); }, clock));
  std::printf(
      "Portcullis %s in DUMMY MODE: nothing is screened, nothing is kept. For tests alone.\n"
      "  media    http://127.0.0.1:%u/\n  admin    http://127.0.0.1:%u/metrics\n",
      kVersion, media->port(), control->port());
  std::fflush(stdout);
  asio::co_spawn(loop, drain_on_signal(loop, *media, *control, clock), asio::detached);
  loop.run();
  return 0;
}

}  // namespace portcullis::app

#include "app/gate.h"

#include <sys/resource.h>

#include <boost/asio/basic_signal_set.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <csignal>

#include "app/automatic_closing.h"
#include "app/bans.h"
#include "app/metrics.h"
#include "app/secret.h"
#include "app/switches_api.h"
#include "app/switching.h"
#include "base/log.h"

namespace portcullis::app {

namespace {

using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;
using Signals = asio::basic_signal_set<Executor>;

constexpr std::chrono::milliseconds kWatchInterval{
    250};  // a lockdown or a list takes effect within this
constexpr std::chrono::seconds kSweepInterval{10};
constexpr std::size_t kSweepAtOnce = 1'000;
constexpr std::chrono::seconds kValidatorBody{10};  // of 25 in all

Task<void> pause(std::chrono::milliseconds time) {
  Timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(use_task);
}

// Connections, hot files and spools all need descriptors.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65'536);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::optional<log::Level> level_from(const std::string& name) {
  if (name == "debug") return log::Level::debug;
  if (name == "info") return log::Level::info;
  if (name == "warning") return log::Level::warning;
  if (name == "error") return log::Level::error;
  return std::nullopt;
}

// "crop=16x9&resize=2048"
Result<std::vector<decoder::Operation>> preprocess_steps(const config::Config& config) {
  auto steps = image::operations_from(net::query_pairs(config.media.preprocess_steps));
  if (!steps)
    return fail(Fault::us, "[media] preprocess_steps = \"{}\": {}", config.media.preprocess_steps,
                steps.error().what);
  return steps;
}

Result<media::Options> media_options(const config::Config& config, const DataFolder& data) {
  media::Options options;
  options.preprocess = TRY(preprocess_steps(config));
  options.filters = config.media.filters;
  const config::Quality& quality = config.media.quality;
  for (const auto& [format, value] : {std::pair(decoder::Format::avif, quality.avif),
                                      std::pair(decoder::Format::jpeg, quality.jpeg),
                                      std::pair(decoder::Format::jxl, quality.jxl),
                                      std::pair(decoder::Format::webp, quality.webp)})
    options.quality[static_cast<std::size_t>(format)] = static_cast<std::uint8_t>(value);
  options.fetch_timeout = config.egress.timeout;
  options.hosts = config.site.hosts;
  for (const std::string& text : config.site.trusted_proxies) {
    auto network = Network::parse(text);
    if (!network) return fail(Fault::us, "[site] trusted_proxies: {}", network.error().what);
    options.trusted_proxies.push_back(*network);
  }
  options.trusted_accounts = config.site.trusted_accounts;
  options.slow_after = config.attempts.slow_after;
  options.close_after = config.attempts.close_after;
  options.attempts_window = config.attempts.window;
  options.close_for = config.attempts.close_for;
  options.max_bytes = config.media.max_bytes;
  options.max_variant_bytes = config.media.max_variant_bytes;
  options.keep_variants = config.media.retention.variants;
  options.keep_proxied = config.media.retention.proxy;
  options.api_key = config.listen.api_key;
  options.prefix = config.listen.media_prefix;
  if (config.validator.is_on()) options.validator_secret = config.validator.secret;
  options.spool = data.spool();
  options.max_file_size = config.media.max_file_size;
  options.max_file_count = config.media.max_file_count;
  options.spool_bytes = config.media.spool_bytes;
  options.cache_max_age = config.media.cache_max_age;
  options.upload_timeout = config.http.upload_timeout;
  options.refusal_step = config.media.refusal_step;
  return options;
}

net::ServerOptions server_options(const config::Config& config, const config::Address& address) {
  net::ServerOptions options;
  options.host = address.host;
  options.port = address.port;
  options.max_header_bytes = config.http.max_header_bytes;
  // The multipart wrapping around each file is small; a part's header alone is bounded by 8 KiB.
  options.max_body = config.media.max_file_size * config.media.max_file_count + 64 * 1024;
  options.max_connections = config.http.max_connections;
  options.header_timeout = config.http.header_timeout;
  options.idle_timeout = config.http.idle_timeout;
  options.body_timeout = config.http.body_timeout;
  options.error_body = [](int status, std::string_view what) {
    const std::string_view code = status == 413   ? "validate-file-size"
                                  : status == 408 ? "stream-too-slow"
                                                  : "invalid-request";
    return std::pair<std::string, std::string>(
        "application/json",
        fmt::format(R"({{"error":"{0}","message":"{0}","msg":"{0}","files":null,"code":"{1}"}})",
                    what, code));
  };
  return options;
}

// Who has not shown the secret is told nothing, and pict-rs waits for the whole answer.
net::ServerOptions validator_options(const config::Config& config) {
  net::ServerOptions options = server_options(config, config.validator.listen);
  options.max_body = config.media.max_file_size;
  options.body_timeout = std::min<std::chrono::milliseconds>(options.body_timeout, kValidatorBody);
  options.error_body = [](int, std::string_view) { return std::pair<std::string, std::string>(); };
  return options;
}

Result<std::unique_ptr<net::Upstream>> pict_rs_client(const config::PictRs& pict_rs,
                                                      const Clock& clock) {
  const config::PlainServer server = TRY(config::parse_plain_server(pict_rs.url));
  return net::Upstream::create({.host = server.host, .port = server.port}, clock);
}

}  // namespace

Result<std::unique_ptr<Gate>> Gate::create(std::filesystem::path config_file, const Clock& clock) {
  config::Config config = TRY(load_config(config_file));
  std::unique_ptr<Gate> gate(new Gate(std::move(config_file), clock));
  TRY(gate->prepare(std::move(config)));
  return gate;
}

Status Gate::prepare(config::Config config) {
  if (const auto level = level_from(config.log_level)) log::set_level(*level);
  raise_file_limit();
  std::signal(SIGPIPE, SIG_IGN);
  const DataFolder data = TRY(open_data_folder(config));
  lock_ = TRY(lock_data_folder(data));
  const std::size_t loops = threads_or_cores(config.listen.loops);
  for (std::size_t i = 0; i < loops; ++i) loops_.push_back(std::make_unique<asio::io_context>(1));
  engine_ = TRY(Engine::create(std::move(config), clock_));
  files_ = blob::real_file_system();
  blobs_ = TRY(blob::open_folder(data.blobs(), *files_));
  keeper_ = std::make_unique<evidence::Keeper>(TRY(keeper_options(engine_->config, data)),
                                               *engine_->store, *files_, clock_);
  TRY(clean_up());
  TRY(note_policy());
  fetcher_ = TRY(GuardedFetcher::create(engine_->config));
  if (const auto& address = engine_->config.media.import_fallback; address != "off")
    before_ = TRY(OldPictRs::create(address));
  media::Options options = TRY(media_options(engine_->config, data));
  if (const auto& program = engine_->config.media.purge_hook; !program.empty()) {
    purge_hook_ = std::make_unique<Hook>("media.purge_hook", program);
    options.on_deleted = [this](const std::vector<std::string>& aliases) {
      purge_hook_->tell(purge_lines(aliases, engine_->config.site.hosts));
    };
  }
  if (const auto& program = engine_->config.alert.hook; !program.empty())
    alert_hook_ = std::make_unique<Hook>("alert.hook", program);
  options.ban = [this](const scan::Screening& screening) {
    const std::scoped_lock lock(banning_);
    return ban_refused(*engine_->store, engine_->data, clock_, screening);
  };
  options.on_refused = [this](const std::string& rule) {
    const auto closed =
        close_if_too_many(*engine_->store, engine_->config.close_uploads, rule, clock_.now());
    if (!closed)
      log::error("whether uploads should close cannot be seen", {{"why", closed.error().what}});
    return closed ? *closed : std::nullopt;
  };
  options.on_alert = [this](std::string_view what, std::string_view text) { alert(what, text); };
  if (const config::PictRs& pict_rs = engine_->config.pict_rs; pict_rs.is_on()) {
    pict_rs_ = TRY(pict_rs_client(pict_rs, clock_));
    options.pict_rs_key = TRY(load_secret(pict_rs.api_key));
  }
  media_ = std::make_unique<media::Media>(
      std::move(options),
      media::Services{*engine_->store, *blobs_, *engine_->scanner, *engine_->decoders, *fetcher_,
                      *keeper_, engine_->pools.files, engine_->pools.db, engine_->pools.decode,
                      clock_, pict_rs_.get(), before_.get()});
  return listen();
}

void Gate::alert(std::string_view what, std::string_view text) {
  if (alert_hook_) alert_hook_->tell(alert_line(clock_.now(), what, text));
}

// That the rules changed is part of what was done.
Status Gate::note_policy() {
  const std::string now = engine_->scanner->ruleset()->policy.digest().hex();
  constexpr const char* kPolicy = "policy";
  const auto before = TRY(engine_->store->setting(kPolicy));
  if (before && *before == now) return {};
  TRY(engine_->store->audit({.actor = actor(),
                             .action = "policy changed",
                             .subject = now,
                             .details = fmt::format(R"({{"before":"{}"}})", before.value_or(""))},
                            clock_.now()));
  return engine_->store->put_setting(kPolicy, now);
}

// What an earlier run left half done goes before anything is served.
Status Gate::clean_up() {
  TRY(engine_->store->begin_run());
  std::size_t swept = 0;
  while (const std::size_t some = TRY(media::sweep(*engine_->store, *blobs_, kSweepAtOnce)))
    swept += some;
  const std::size_t orphans = TRY(media::remove_orphans(*engine_->store, *blobs_));
  if (swept + orphans > 0)
    log::info("cleared what an earlier run left", {{"blobs", swept}, {"unknown_files", orphans}});
  TRY(keeper_->remove_orphans());
  generation_ = TRY(engine_->store->generation());
  last_unpublished_ =
      TRY(engine_->store->setting(std::string(store::kLastUnpublished))).value_or("");
  return {};
}

Status Gate::listen() {
  const config::Config& config = engine_->config;
  std::vector<asio::io_context*> loops;
  loops.reserve(loops_.size());
  for (const auto& loop : loops_) loops.push_back(loop.get());
  media_server_ = TRY(net::Server::create(
      loops, server_options(config, config.listen.media),
      [this](net::Request& request, net::BodyReader& body) {
        return media_->handle(request, body);
      },
      clock_));
  if (config.validator.is_on())
    validator_server_ = TRY(net::Server::create(
        loops, validator_options(config),
        [this](net::Request& request, net::BodyReader& body) {
          return media_->validate(request, body);
        },
        clock_));
  net::ServerOptions options = server_options(config, config.listen.admin);
  options.max_body = 64 * 1024;
  options.max_connections = 64;
  admin_server_ = TRY(net::Server::create(
      {&control_}, std::move(options),
      [this](net::Request& request, net::BodyReader& body) { return admin(request, body); },
      clock_));
  return {};
}

Gate::~Gate() {
  for (const auto& loop : loops_) loop->stop();
  for (std::thread& thread : threads_) thread.join();
  if (engine_) engine_->pools.join();
  fetcher_.reset();
  before_.reset();
  if (media_) media_->abandon();
  pict_rs_.reset();
  // Requests that were cut in the middle go while what they refer to is still there.
  media_server_.reset();
  validator_server_.reset();
  admin_server_.reset();
  loops_.clear();
}

config::Address Gate::media_address() const {
  return {config().listen.media.host, media_server_->port()};
}
config::Address Gate::admin_address() const {
  return {config().listen.admin.host, admin_server_->port()};
}

std::optional<config::Address> Gate::validator_address() const {
  if (!validator_server_) return std::nullopt;
  return config::Address{config().validator.listen.host, validator_server_->port()};
}

Status Gate::run() {
  for (const auto& loop : loops_)
    threads_.emplace_back([&loop] {
      ::pthread_setname_np(::pthread_self(), "loop");
      const auto guard = asio::make_work_guard(*loop);
      loop->run();
    });
  asio::co_spawn(control_, handle_signals(), asio::detached);
  asio::co_spawn(control_, watch_database(), asio::detached);
  asio::co_spawn(control_, sweep_now_and_then(), asio::detached);
  asio::co_spawn(control_, tell_audit_head(), asio::detached);
  const auto guard = asio::make_work_guard(control_);
  control_.run();
  log::info("stopped", {});
  return {};
}

// Another process (the command line) changed something: lists may be new. The upload switch needs
// no snapshot: every upload reads it, and publishing reads it again.
Task<void> Gate::watch_database() {
  while (!stopping_) {
    co_await pause(kWatchInterval);
    const auto now =
        co_await engine_->pools.db.run([this] { return engine_->store->generation(); });
    if (!now || *now == generation_) continue;
    generation_ = *now;
    const Status reloaded =
        co_await engine_->pools.db.run([this] { return engine_->reload_lists_if_changed(); });
    if (!reloaded)
      log::error("lists could not be read again; the old ones stay",
                 {{"why", reloaded.error().what}});
    const auto unpublished = co_await engine_->pools.db.run(
        [this] { return engine_->store->setting(std::string(store::kLastUnpublished)); });
    if (unpublished && unpublished->value_or("") != last_unpublished_) {
      last_unpublished_ = unpublished->value_or("");
      media_->forget_stored();
    }
  }
}

// Where the chain ends, for whoever keeps it elsewhere.
Task<void> Gate::tell_audit_head() {
  while (!stopping_) {
    const auto head =
        co_await engine_->pools.db.run([this] { return engine_->store->audit_head(); });
    if (head && *head) {
      const std::string text = to_text(**head);
      log::info("audit head", {{"head", text}});
      alert("audit-head", text);
    }
    co_await pause(engine_->config.alert.audit_head);
  }
}

Task<void> Gate::sweep_now_and_then() {
  while (!stopping_) {
    Result<std::size_t> swept = kSweepAtOnce;
    while (!stopping_ && swept && *swept == kSweepAtOnce)  // a purge leaves millions
      swept = co_await engine_->pools.files.run(
          [this] { return media::sweep(*engine_->store, *blobs_, kSweepAtOnce); });
    if (!swept)
      log::warning("sweeping failed; it will be tried again", {{"why", swept.error().what}});
    const auto maintained = co_await engine_->pools.db.run([this] { return media_->maintain(); });
    if (!maintained) log::warning("what may go stays for now", {{"why", maintained.error().what}});
    co_await media_->tidy_up();
    co_await pause(kSweepInterval);
  }
}

Task<void> Gate::handle_signals() {
  Signals signals(co_await asio::this_coro::executor, SIGTERM, SIGINT, SIGHUP);
  while (true) {
    const int signal = co_await signals.async_wait(use_task);
    if (signal == SIGHUP) {
      co_await reload_config();
      continue;
    }
    if (stopping_) {  // asked twice: at once
      control_.stop();
      co_return;
    }
    drain();
  }
}

Task<void> Gate::reload_config() {
  const Status done = co_await engine_->pools.db.run([this]() -> Status {
    engine_->set_config(TRY(load_config(config_file_)));
    TRY(engine_->reload(true));
    return note_policy();
  });
  if (done)
    log::info("config and policy read again", {});
  else
    log::error("config or policy is wrong; the old ones stay", {{"why", done.error().what}});
}

void Gate::drain() {
  stopping_ = true;
  log::info("stopping: letting requests under way finish", {});
  const Deadline deadline = clock_.steady() + engine_->config.http.drain_timeout;
  std::vector<net::Server*> servers{media_server_.get(), admin_server_.get()};
  if (validator_server_) servers.push_back(validator_server_.get());
  draining_ = servers.size();
  for (net::Server* server : servers)
    server->drain(deadline, [this] {
      asio::post(control_, [this] {
        if (--draining_ == 0) control_.stop();
      });
    });
}

Task<net::Response> Gate::admin(net::Request& request, net::BodyReader& body) {
  if (request.path == "/api/switches" || request.path.starts_with("/api/switches/"))
    co_return co_await answer_switches(engine_->config.listen.admin_token, request, body,
                                       *engine_->store, engine_->pools.db, clock_);
  if (request.path == "/metrics" && request.method == "GET") co_return co_await metrics();
  if (request.path == "/healthz" && request.method == "GET") {
    const auto problems = engine_->problems();
    std::string text = problems.empty() ? "ok\n" : "";
    for (const std::string& problem : problems) text += problem + '\n';
    co_return net::Response{
        problems.empty() ? 200 : 503, {{"Content-Type", "text/plain; charset=utf-8"}}, text, false};
  }
  co_return net::Response{404, {}, std::string(), false};
}

Task<net::Response> Gate::metrics() {
  Readings readings{.media = media_->counters()};
  readings.decoders = engine_->decoders->health();
  readings.connections = media_server_->connections();
  readings.problems = engine_->problems().size();
  readings.services = engine_->loader.services().readings();
  co_await engine_->pools.db.run([&] {
    if (auto counts = engine_->store->counts()) readings.stored = *counts;
    if (const auto flipped = engine_->store->switches())
      readings.switches = all_switches(*flipped, clock_.now());
  });
  co_return net::Response{200,
                          {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                          metrics_text(readings),
                          false};
}

}  // namespace portcullis::app

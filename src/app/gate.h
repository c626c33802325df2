// app/gate.h: the running server: listeners, loops, reloading, sweeping, shutting down.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "app/engine.h"
#include "app/guarded_fetcher.h"
#include "app/hook.h"
#include "app/keeping.h"
#include "app/old_pict_rs.h"
#include "media/media.h"
#include "net/net.h"

namespace portcullis::app {

class Gate {
 public:
  // Takes the data folder (one gate each), clears what an earlier run left, binds the listeners.
  static Result<std::unique_ptr<Gate>> create(std::filesystem::path config_file,
                                              const Clock& clock);
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // Serves until SIGTERM or SIGINT and the drain after it. SIGHUP reads config and policy again.
  Status run();

  config::Address media_address() const;
  config::Address admin_address() const;
  std::optional<config::Address> validator_address() const;  // none: it is off
  const config::Config& config() const { return engine_->config; }
  std::vector<std::string> problems() const { return engine_->problems(); }

 private:
  Gate(std::filesystem::path config_file, const Clock& clock)
      : config_file_(std::move(config_file)), clock_(clock) {}

  Status prepare(config::Config config);
  Status listen();
  Status clean_up();
  Task<void> watch_database();
  Task<void> sweep_now_and_then();
  Task<void> tell_audit_head();
  Status note_policy();
  void alert(std::string_view what, std::string_view text);
  Task<void> handle_signals();
  Task<void> reload_config();
  void drain();
  Task<net::Response> admin(net::Request& request, net::BodyReader& body);
  Task<net::Response> metrics();

  std::filesystem::path config_file_;
  const Clock& clock_;
  UniqueFd lock_;
  asio::io_context control_{1};  // signals, timers, the admin listener; run by run()
  std::vector<std::unique_ptr<asio::io_context>> loops_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<blob::FileSystem> files_;
  std::unique_ptr<blob::BlobStore> blobs_;
  std::unique_ptr<GuardedFetcher> fetcher_;
  std::unique_ptr<OldPictRs> before_;  // null: there is none
  std::unique_ptr<evidence::Keeper> keeper_;
  std::unique_ptr<Hook> purge_hook_, alert_hook_;
  std::unique_ptr<net::Upstream> pict_rs_;  // null: none
  std::unique_ptr<media::Media> media_;
  std::unique_ptr<net::Server> media_server_, admin_server_, validator_server_;
  std::vector<std::thread> threads_;
  std::uint64_t generation_ = 0;
  std::string last_unpublished_;
  std::mutex banning_;
  bool stopping_ = false;
  std::size_t draining_ = 0;
};

}  // namespace portcullis::app

#include "app/engine.h"

#include "base/log.h"

namespace portcullis::app {

namespace {

// More threads than workers, because each waits for its turn inside decoder::Pool, which knows who
// goes first.
constexpr std::size_t kWaitingDecodes = 30;

class NoDecoders final : public decoder::Pool {
 public:
  explicit NoDecoders(std::string why) : why_(std::move(why)) {}
  Result<decoder::Decoded> decode(const decoder::Job&, Deadline) override {
    return fail_with(Fault::upstream, "decoder-unanswered", "no decoder: {}", why_);
  }
  Health health() const override { return {}; }
  std::string version() const override { return "none"; }

 private:
  std::string why_;
};

// Everything about the lists that a ruleset depends on.
std::string names_and_versions(const std::vector<store::HashListRow>& rows) {
  std::string text;
  for (const store::HashListRow& row : rows)
    text += fmt::format("{}={} {} {} {} #{} {} {}\n", row.name, row.version, row.radius,
                        row.min_quality, row.observe, row.tag, row.max_age.count(),
                        row.max_age.count() > 0 ? row.checked.time_since_epoch().count() : 0);
  return text;
}

}  // namespace

std::unique_ptr<decoder::Pool> no_decoders(std::string why) {
  return std::make_unique<NoDecoders>(std::move(why));
}

Pools::Pools(const config::Config& config)
    : decoders(threads_or_cores(config.decoder.workers)),
      cpu("cpu", threads_or_cores(0)),
      files("files", 4),
      db("db", 8),
      inference("inference", threads_or_cores(config.inference.threads)),
      decode("decode", decoders + kWaitingDecodes) {}

void Pools::join() {
  for (Pool* pool : {&decode, &inference, &cpu, &files, &db}) pool->join();
}

Result<std::unique_ptr<Engine>> Engine::create(config::Config config, const Clock& clock) {
  DataFolder data = TRY(open_data_folder(config));
  decoder::Options options;
  options.program = decoder_program();
  options.workers = threads_or_cores(config.decoder.workers);
  options.memory = config.decoder.memory;
  options.timeout = config.decoder.timeout;
  options.jobs_per_worker = config.decoder.jobs_per_worker;
  std::string problem;
  auto decoders = decoder::Pool::create(options, clock);
  if (!decoders) {
    problem = decoders.error().what;
    log::error("no decoder could be started, so no upload will be taken", {{"why", problem}});
    decoders = no_decoders(problem);
  }
  auto store = TRY(store::open_sqlite({.file = data.database()}, clock));
  std::unique_ptr<Engine> engine(new Engine(std::move(config), std::move(data), clock,
                                            std::move(*decoders), std::move(store),
                                            std::move(problem)));
  TRY(engine->reload(true));
  return engine;
}

Engine::Engine(config::Config read_config, DataFolder opened_data, const Clock& given_clock,
               std::unique_ptr<decoder::Pool> started_decoders,
               std::unique_ptr<store::Store> opened_store, std::string decoder_problem)
    : config(std::move(read_config)),
      data(std::move(opened_data)),
      clock(given_clock),
      decoders(std::move(started_decoders)),
      store(std::move(opened_store)),
      pools(config),
      loader(config, data, pools.cpu, pools.inference, clock),
      decoder_problem_(std::move(decoder_problem)) {}

Status Engine::reload(bool fresh) {
  const auto rows = TRY(store->lists());
  auto ruleset = TRY(loader.load(rows, fresh));
  lists_ = names_and_versions(rows);
  {
    const std::scoped_lock lock(mutex_);
    problems_ = loader.problems();
    if (!decoder_problem_.empty()) problems_.push_back("decoder: " + decoder_problem_);
  }
  log::info("ruleset loaded", {{"ruleset", ruleset->digest}, {"signals", ruleset->signals.size()}});
  if (scanner)
    scanner->set_ruleset(std::move(ruleset));
  else
    scanner = std::make_unique<scan::Scanner>(*decoders, scan::Scanner::Pools{pools.decode},
                                              std::move(ruleset));
  return {};
}

Status Engine::reload_lists_if_changed() {
  return names_and_versions(TRY(store->lists())) == lists_ ? Status() : reload(false);
}

std::vector<std::string> Engine::problems() const {
  const std::scoped_lock lock(mutex_);
  return problems_;
}

}  // namespace portcullis::app

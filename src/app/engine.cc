#include "app/engine.h"

#include "base/log.h"

namespace portcullis::app {

namespace {

// More threads than workers, because each waits for its turn inside decoder::Pool, which knows who
// goes first.
constexpr std::size_t kWaitingDecodes = 30;

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
  auto decoders = decoder::Pool::create(options, clock);
  auto store = TRY(store::open_sqlite({.file = data.database()}, clock));
  std::unique_ptr<Engine> engine(
      new Engine(std::move(config), std::move(data), clock, std::move(decoders), std::move(store)));
  TRY(engine->reload(true));
  return engine;
}

Engine::Engine(config::Config read_config, DataFolder opened_data, const Clock& given_clock,
               std::unique_ptr<decoder::Pool> started_decoders,
               std::unique_ptr<store::Store> opened_store)
    : config(std::move(read_config)),
      data(std::move(opened_data)),
      clock(given_clock),
      decoders(std::move(started_decoders)),
      store(std::move(opened_store)),
      pools(config),
      loader(config, data, pools.cpu, pools.inference, clock) {}

Status Engine::reload(bool fresh) {
  const auto rows = TRY(store->lists());
  auto ruleset = TRY(loader.load(rows, fresh));
  lists_ = names_and_versions(rows);
  {
    const std::scoped_lock lock(mutex_);
    problems_ = loader.problems();
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
  std::vector<std::string> problems;
  {
    const std::scoped_lock lock(mutex_);
    problems = problems_;
  }
  if (const std::string why = decoders->health().problem; !why.empty())
    problems.push_back("decoder: " + why);
  return problems;
}

}  // namespace portcullis::app

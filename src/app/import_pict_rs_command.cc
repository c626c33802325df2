// portcullis import pict-rs: takes over what an existing pict-rs holds.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <limits>

#include "app/bans.h"
#include "app/command_line.h"
#include "app/commands.h"
#include "app/engine.h"
#include "app/hook.h"
#include "app/keeping.h"
#include "app/progress.h"
#include "app/secret.h"
#include "app/takeover.h"
#include "base/log.h"
#include "blob/blob.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

struct Options {
  TakeoverOptions takeover;
  std::string postgres, api, key, files;
  bool json = false, report = false;
};

// Nothing is fetched from strangers while taking over.
class NoFetcher final : public media::Fetcher {
 public:
  Result<std::string> host_of(const std::string&) const override { return nothing(); }
  Task<Status> fetch(std::string, std::uint64_t, std::chrono::milliseconds, Sink) override {
    co_return nothing();
  }

 private:
  static std::unexpected<Error> nothing() {
    return fail(Fault::us, "an import fetches nothing from other sites");
  }
};

std::filesystem::path report_file(const DataFolder& data) {
  return data.root / "import-pict-rs.jsonl";
}

std::string first_of(const TakeoverLine& line) {
  if (line.aliases.empty()) return "-";
  const std::size_t more = line.aliases.size() - 1;
  return line.aliases.front() + (more > 0 ? fmt::format(" (+{})", more) : "");
}

Result<int> show_report(const DataFolder& data, bool as_json) {
  const auto lines = TakeoverReport::read(report_file(data));
  if (!lines)
    return fail(Fault::client, "there is no report of an import yet ({})", lines.error().what);
  std::vector<std::vector<std::string>> rows;
  for (const TakeoverLine& line : *lines)
    if (as_json)
      std::printf("%s\n", to_json(line).c_str());
    else
      rows.push_back({line.what, first_of(line), line.file, line.why});
  std::fputs(table(rows).c_str(), stdout);
  return 0;
}

Result<std::unique_ptr<OldStore>> old_store(const Options& options, Engine& engine,
                                            egress::ConfiguredClient& http) {
  std::optional<OldFolder> folder;
  if (!options.files.empty()) {
    std::error_code error;
    const auto root = std::filesystem::canonical(options.files, error);
    if (error || !std::filesystem::is_directory(root, error))
      return fail(Fault::client, "--files {}: there is no such folder that this user may read",
                  options.files);
    folder = OldFolder{root};
  }
  if (!options.postgres.empty()) {
    if (!folder)
      return fail(Fault::client, "--postgres needs --files: the folder that pict-rs stores into");
    auto database = TRY(pictrs::Database::open(TRY(secret_or_text(options.postgres))));
    return old_database(std::move(database), *std::move(folder), engine.pools.files);
  }
  pictrs::Client::Options client_options;
  client_options.api_key = TRY(secret_or_text(options.key));
  auto client = TRY(
      pictrs::Client::create(TRY(secret_or_text(options.api)), std::move(client_options), http));
  return old_server(std::move(client), std::move(folder), engine.data.spool(), engine.pools.files,
                    engine.clock);
}

// What is found has to be kept if the policy says so.
Status check_keys(const Engine& engine, const evidence::Keeper& keeper) {
  const policy::Policy& policy = engine.scanner->ruleset()->policy;
  if ((!policy.holds() || keeper.can(store::Kept::held)) &&
      (!policy.preserves() || keeper.can(store::Kept::preserved)))
    return {};
  return fail(Fault::client,
              "the policy keeps some of what it refuses, but [evidence] in the configuration has "
              "not both keys: `portcullis evidence keygen` makes them (--dry-run needs none)");
}

void print_end(const TakeoverProgress& end, const Options& options, std::uint64_t linked,
               const DataFolder& data) {
  const bool dry = options.takeover.dry_run;
  if (options.json) {
    json::object reported;
    for (const auto& [what, count] : end.reported) reported[what] = count;
    std::printf("%s\n", json::serialize(json::object{{"pictures", end.done},
                                                     {"names_taken", end.taken},
                                                     {"linked", linked},
                                                     {"there_already", end.there_already},
                                                     {"refused_before", end.refused_before},
                                                     {"nameless", end.nameless},
                                                     {"skipped", end.skipped},
                                                     {"reported", std::move(reported)}})
                            .c_str());
    return;
  }
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%llu pictures looked at. %llu names %s, %llu were there already.\n",
              number(end.done), number(end.taken), dry ? "would be taken over" : "taken over",
              number(end.there_already));
  if (linked > 0) std::printf("%llu files are hard links to the old ones.\n", number(linked));
  if (end.refused_before > 0)
    std::printf("%llu names had been refused before (--refused-too judges them again).\n",
                number(end.refused_before));
  if (end.nameless > 0)
    std::printf("%llu old files have no name, so nothing needs them.\n", number(end.nameless));
  if (end.skipped > 0)
    std::printf("%llu rows or names of the old store could not be read.\n", number(end.skipped));
  for (const auto& [what, count] : end.reported)
    if (count > 0) std::printf("  %-11s %llu\n", what.c_str(), number(count));
  if (!dry && !end.reported.empty())
    std::printf("What was not taken over: `portcullis import pict-rs --report`, or %s\n",
                report_file(data).c_str());
}

// Something stayed behind that nobody decided to leave.
bool is_incomplete(const TakeoverProgress& end) {
  for (const auto& [what, count] : end.reported)
    if (count > 0 && what != "refused" && what != "held") return true;
  return end.skipped > 0;
}

Result<int> run(const std::string& config_file, const Options& options) {
  static const SystemClock clock;
  log::set_level(log::Level::error);
  config::Config config = TRY(load_config(TRY(find_config(config_file))));
  if (options.report) return show_report(TRY(open_data_folder(config)), options.json);
  if (options.postgres.empty() == options.api.empty())
    return fail(Fault::client,
                "say what to take over: --postgres URL --files DIR, or --api URL "
                "--key KEY");
  auto engine = TRY(Engine::create(std::move(config), clock));
  const auto http = TRY(egress::ConfiguredClient::create({}));
  const auto old = TRY(old_store(options, *engine, *http));
  std::unique_ptr<TakeoverReport> report;
  if (!options.takeover.dry_run) report = TRY(TakeoverReport::open(report_file(engine->data)));

  evidence::Keeper::Options keeping = TRY(keeper_options(engine->config, engine->data));
  keeping.held_per_uploader = std::numeric_limits<std::int32_t>::max();  // nobody uploads here
  const auto files = blob::real_file_system();
  const auto real_blobs = TRY(blob::open_folder(engine->data.blobs(), *files));
  LinkingBlobs blobs(*real_blobs);
  evidence::Keeper keeper(keeping, *engine->store, *files, clock);
  if (!options.takeover.dry_run) TRY(check_keys(*engine, keeper));

  ProgressBar bar("Import", !options.json);
  std::unique_ptr<Hook> purge_hook, alert_hook;
  if (const auto& program = engine->config.media.purge_hook; !program.empty())
    purge_hook = std::make_unique<Hook>("media.purge_hook", program);
  if (const auto& program = engine->config.alert.hook; !program.empty())
    alert_hook = std::make_unique<Hook>("alert.hook", program);
  std::mutex banning, alerting;
  media::Options door_options;
  door_options.spool = engine->data.spool();
  door_options.max_file_size = engine->config.media.max_file_size;
  door_options.max_bytes = engine->config.media.max_bytes;
  door_options.upload_timeout = engine->config.http.upload_timeout;
  door_options.refusal_step = std::chrono::milliseconds(0);
  door_options.ban = [&](const scan::Screening& screening) {
    const std::scoped_lock lock(banning);
    return ban_refused(*engine->store, engine->data, clock, screening);
  };
  door_options.on_alert = [&](std::string_view what, std::string_view text) {
    const std::scoped_lock lock(alerting);
    if (alert_hook) alert_hook->tell(alert_line(clock.now(), what, text));
    if (what != "evidence") return;
    bar.clear();
    std::fprintf(stderr, "portcullis: %s\n", std::string(text).c_str());
  };
  NoFetcher fetcher;
  media::TakeOver door(std::move(door_options),
                       {*engine->store, blobs, *engine->scanner, *engine->decoders, fetcher, keeper,
                        engine->pools.files, engine->pools.db, engine->pools.decode, clock});

  TakeoverOptions takeover_options = options.takeover;
  takeover_options.at_once = engine->pools.decoders + 1;
  takeover_options.max_file_size = engine->config.media.max_file_size;
  Takeover takeover{*old, door, blobs, *engine->store, report.get(), clock, takeover_options,
                    {},   {}};
  takeover.on_progress = [&](const TakeoverProgress& progress) {
    std::uint64_t stays = 0;
    for (const auto& [what, count] : progress.reported) stays += count;
    bar.show(progress.done, std::max(progress.total, progress.done),
             fmt::format("{} not taken", stays));
  };
  takeover.on_line = [&](const TakeoverLine& line) {
    if (purge_hook && !line.verdict.empty() && !takeover_options.dry_run)
      purge_hook->tell(purge_lines(line.aliases, engine->config.site.hosts));
    if (options.json) {
      std::printf("%s\n", to_json(line).c_str());
      return;
    }
    bar.clear();
    std::printf("%-11s %s  %s\n", line.what.c_str(), first_of(line).c_str(), line.why.c_str());
  };
  const auto note_in_audit = [&](std::string action, const json::object& details) -> Status {
    if (takeover_options.dry_run) return {};
    store::AuditEntry entry;
    entry.actor = actor();
    entry.action = std::move(action);
    entry.subject = "pict-rs";
    entry.details = json::serialize(details);
    return engine->store->audit(entry, clock.now());
  };
  TRY(note_in_audit("import begin", {{"from", old->name()}}));
  const TakeoverProgress end = TRY(takeover.run());
  TRY(note_in_audit("import end", {{"pictures", end.done}, {"names", end.taken}}));
  bar.clear();
  print_end(end, options, blobs.linked(), engine->data);
  return is_incomplete(end) ? 2 : 0;
}

}  // namespace

void add_import_pict_rs_command(const CommandLine& line, CLI::App& group) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      line, group, "pict-rs",
      "Take over what an existing pict-rs holds, screening it on the way; exit 0 done, 2 something "
      "is damaged, missing or could not be judged",
      options, run);
  command->add_option("--postgres", options->postgres,
                      "Its database: postgres://…, env:NAME or file:PATH; with --files");
  command->add_option("--api", options->api,
                      "Or its address: http://HOST:PORT, env:NAME or file:PATH; with --key. Delete "
                      "tokens and proxied addresses are lost this way");
  command->add_option("--key", options->key,
                      "Key of its internal API (server.api_key): env:NAME or file:PATH or the key");
  command->add_option("--files", options->files, "Folder that it stores files into");
  command->add_option("--rate", options->takeover.rate, "Pictures a second; 0: no limit")
      ->capture_default_str();
  command->add_flag("--dry-run", options->takeover.dry_run,
                    "Judge everything and say what would become of it; change nothing");
  command->add_flag("--refused-too", options->takeover.refused_too,
                    "Judge again what an earlier run refused");
  command->add_flag("--report", options->report, "List what was not taken over, and end");
  command->add_flag("--json", options->json, "One JSON object a line");
}

}  // namespace portcullis::app

// portcullis rescan: what is stored, judged once more.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <limits>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/hook.h"
#include "app/keeping.h"
#include "app/progress.h"
#include "app/rescan.h"
#include "base/log.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

struct Options {
  RescanOptions rescan;
  std::string since;
  bool json = false;
};

// "2026-11-24"
Result<WallTime> day_from(const std::string& text) {
  int year = 0, month = 0, day = 0, end = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &end) == 3 &&
      static_cast<std::size_t>(end) == text.size()) {
    const std::chrono::year_month_day read{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (read.ok()) return WallTime{std::chrono::sys_days(read)};
  }
  return fail(Fault::client, "\"{}\" is no day: write for example 2026-11-24", text);
}

Result<int> run(const std::string& config_file, const Options& options) {
  static const SystemClock clock;
  log::set_level(log::Level::error);
  RescanOptions rescan_options = options.rescan;
  if (!options.since.empty()) rescan_options.since = TRY(day_from(options.since));
  auto engine = TRY(Engine::create(TRY(load_config(TRY(find_config(config_file)))), clock));
  evidence::Keeper::Options keeping = TRY(keeper_options(engine->config, engine->data));
  if (!rescan_options.dry_run && (!keeping.review || !keeping.evidence))
    return fail(Fault::client,
                "what is found is sealed and taken off, but [evidence] in the configuration has "
                "not both keys: `portcullis evidence keygen` makes them (--dry-run needs none)");
  keeping.held_per_uploader =
      std::numeric_limits<std::int32_t>::max();  // no quota for our own work
  const auto files = blob::real_file_system();
  const auto blobs = TRY(blob::open_folder(engine->data.blobs(), *files));
  evidence::Keeper keeper(keeping, *engine->store, *files, clock);
  std::unique_ptr<Hook> hook;
  if (const auto& program = engine->config.media.purge_hook; !program.empty())
    hook = std::make_unique<Hook>("media.purge_hook", program);

  ProgressBar bar("Rescan", !options.json);
  Rescan rescan{*engine, *blobs, keeper, rescan_options, {}, {}};
  rescan.on_progress = [&](const RescanProgress& progress) {
    bar.show(progress.done, progress.total, fmt::format("{} found", progress.found));
  };
  rescan.on_hit = [&](const RescanHit& hit) {
    if (hook && !rescan_options.dry_run)
      hook->tell(purge_lines(hit.aliases, engine->config.site.hosts));
    if (options.json) {
      std::printf("%s\n", json::serialize(json::object{{"blob", hit.blob.hex()},
                                                       {"aliases", json::value_from(hit.aliases)},
                                                       {"rule", hit.rule},
                                                       {"reason", hit.reason},
                                                       {"evidence", hit.evidence}})
                              .c_str());
      return;
    }
    bar.clear();
    std::printf("%s  %s  %s\n", hit.aliases.empty() ? "-" : hit.aliases.front().c_str(),
                hit.rule.c_str(),
                hit.evidence.empty() ? "would be taken off" : hit.evidence.c_str());
  };
  const RescanProgress end = TRY(rescan.run());
  bar.clear();
  if (options.json)
    std::printf("%s\n", json::serialize(json::object{{"judged", end.judged},
                                                     {"found", end.found},
                                                     {"not_judged", end.not_judged}})
                            .c_str());
  else
    std::printf("%llu pictures judged, %llu %s, %llu could not be judged.\n",
                static_cast<unsigned long long>(end.judged),
                static_cast<unsigned long long>(end.found),
                rescan_options.dry_run ? "would be taken off" : "taken off and sealed",
                static_cast<unsigned long long>(end.not_judged));
  return end.not_judged > 0 ? 2 : 0;
}

}  // namespace

void add_rescan_command(const CommandLine& line) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      line, line.app, "rescan",
      "Judge what is stored by today's lists, models and policy; exit 0 done, 2 some not judged",
      options, run);
  command->add_option("--rate", options->rescan.rate, "Pictures a second; 0: no limit")
      ->capture_default_str();
  command->add_option("--since", options->since, "Only what came since that day, 2026-11-24");
  command->add_flag("--dry-run", options->rescan.dry_run, "Say what would be taken off");
  command->add_flag("--json", options->json, "One JSON object a line");
}

}  // namespace portcullis::app

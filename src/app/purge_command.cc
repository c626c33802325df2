// portcullis purge: pictures go, many at once.
#include <boost/json.hpp>
#include <cstdio>
#include <limits>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/hook.h"
#include "app/keeping.h"
#include "app/known_images.h"
#include "app/progress.h"
#include "app/purge.h"
#include "app/selected_purge.h"
#include "base/log.h"
#include "media/media.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

constexpr int kSomeLeft = 2;

struct Options {
  PurgeOptions purge;
  SelectedPurge selected;
  bool dry_run = false, yes = false, json = false;
};

// Everything that a purge works with.
struct Opened {
  static Result<Opened> open(const std::string& config_file);

  // Files of what went, unless a running gate removes them.
  Status sweep();
  void tell(const std::vector<std::string>& aliases) {
    if (hook && !aliases.empty()) hook->tell(purge_lines(aliases, engine->config.site.hosts));
  }

  std::unique_ptr<Engine> engine;
  UniqueFd lock;
  std::unique_ptr<blob::FileSystem> files;
  std::unique_ptr<blob::BlobStore> blobs;
  std::unique_ptr<evidence::Keeper> keeper;
  std::unique_ptr<Hook> hook;
};

Result<Opened> Opened::open(const std::string& config_file) {
  static const SystemClock clock;
  log::set_level(log::Level::error);
  Opened opened;
  opened.engine = TRY(Engine::create(TRY(load_config(TRY(find_config(config_file)))), clock));
  const Engine& engine = *opened.engine;
  opened.lock = TRY(lock_purging(engine.data));
  opened.files = blob::real_file_system();
  opened.blobs = TRY(blob::open_folder(engine.data.blobs(), *opened.files));
  evidence::Keeper::Options keeping = TRY(keeper_options(engine.config, engine.data));
  keeping.held_per_uploader = std::numeric_limits<std::int32_t>::max();
  opened.keeper = std::make_unique<evidence::Keeper>(keeping, *engine.store, *opened.files, clock);
  if (const auto& program = engine.config.media.purge_hook; !program.empty())
    opened.hook = std::make_unique<Hook>("media.purge_hook", program);
  return opened;
}

Status Opened::sweep() {
  const auto serving = lock_data_folder(engine->data);
  if (!serving) return {};
  TRY(engine->store->begin_run());
  while (TRY(media::sweep(*engine->store, *blobs, 1'000)) > 0) {
  }
  return {};
}

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

Result<int> preview_federated(Opened& opened, const Options& options) {
  const auto counts = TRY(opened.engine->store->count_remote());
  const auto examples = TRY(opened.engine->store->remote_aliases_after("", 5));
  if (options.json) {
    json::array some;
    for (const auto& one : examples)
      some.push_back(json::object{{"alias", one.alias.alias}, {"origin", one.alias.url}});
    std::printf("%s\n", json::serialize(json::object{{"aliases", counts.aliases},
                                                     {"without_origin", counts.without_origin},
                                                     {"bytes", counts.bytes},
                                                     {"examples", some}})
                            .c_str());
    return 0;
  }
  std::printf("%llu stored pictures of other sites would go, %s.\n",
              static_cast<unsigned long long>(counts.aliases), megabytes(counts.bytes).c_str());
  if (counts.without_origin > 0)
    std::printf("%llu of them have no known origin and would stay (--even-without-origin).\n",
                static_cast<unsigned long long>(counts.without_origin));
  for (const auto& one : examples)
    std::printf("  %s  %s\n", one.alias.alias.c_str(), one.alias.url.c_str());
  return 0;
}

Result<int> purge_federated(const std::string& config_file, const Options& options) {
  Opened opened = TRY(Opened::open(config_file));
  if (options.dry_run) return preview_federated(opened, options);
  const Clock& clock = opened.engine->clock;
  Rescan rescan{*opened.engine, *opened.blobs, *opened.keeper, {}, {}, {}};
  ProgressBar bar("Purge", !options.json);
  Purge purge{rescan, options.purge, {}, {}, {}};
  purge.on_progress = [&](const PurgeProgress& progress) {
    bar.show(progress.done, progress.total, fmt::format("{} purged", progress.purged));
  };
  const auto gone = [&](const std::vector<std::string>& aliases) { opened.tell(aliases); };
  purge.on_gone = gone;
  rescan.on_hit = [&](const RescanHit& hit) { opened.tell(hit.aliases); };
  purge.on_left = [&](const store::Alias& alias, std::string_view why) {
    bar.clear();
    if (options.json)
      std::printf("%s\n",
                  json::serialize(json::object{{"left", alias.alias}, {"why", why}}).c_str());
    else
      std::printf("%s stays: %s\n", alias.alias.c_str(), std::string(why).c_str());
  };
  TRY(opened.engine->store->audit({.actor = actor(), .action = "purge federated begun"},
                                  clock.now()));
  const PurgeProgress end = TRY(purge.run());
  TRY(opened.engine->store->audit(
      {.actor = actor(),
       .action = "purge federated done",
       .details = fmt::format(R"({{"purged":{},"preserved":{},"left":{}}})", end.purged,
                              end.preserved, end.not_kept + end.without_origin)},
      clock.now()));
  TRY(opened.sweep());
  bar.clear();
  if (options.json)
    std::printf("%s\n", json::serialize(json::object{{"purged", end.purged},
                                                     {"preserved", end.preserved},
                                                     {"not_kept", end.not_kept},
                                                     {"without_origin", end.without_origin},
                                                     {"bytes", end.bytes}})
                            .c_str());
  else
    std::printf("%llu purged, %s; %llu were on a list and are kept as evidence; %llu stay.\n",
                static_cast<unsigned long long>(end.purged), megabytes(end.bytes).c_str(),
                static_cast<unsigned long long>(end.preserved),
                static_cast<unsigned long long>(end.not_kept + end.without_origin));
  return end.not_kept + end.without_origin > 0 ? kSomeLeft : 0;
}

Result<int> purge_selected(const std::string& config_file, const Options& options) {
  Opened opened = TRY(Opened::open(config_file));
  Engine& engine = *opened.engine;
  ProgressBar bar("Purge", !options.json);
  SelectedPurge selected = options.selected;
  selected.on_progress = [&](std::uint64_t done, std::uint64_t total) { bar.show(done, total); };
  selected.on_gone = [&](const std::vector<std::string>& aliases) { opened.tell(aliases); };
  const SelectedPreview preview = TRY(selected.preview(*engine.store));
  const bool is_told_only = options.dry_run || !options.yes;
  std::uint64_t gone = 0;
  if (!is_told_only) {
    gone = TRY(selected.run(*engine.store, options.purge.rate, actor(), engine.clock));
    TRY(opened.sweep());
  }
  bar.clear();
  if (options.json) {
    std::printf("%s\n",
                json::serialize(json::object{{"what", selected.name()},
                                             {"aliases", preview.aliases},
                                             {"examples", json::value_from(preview.examples)},
                                             {"gone", gone}})
                    .c_str());
    return 0;
  }
  if (!is_told_only) {
    std::printf("%s: %llu aliases went; each answers 410 from now on.\n", selected.name().c_str(),
                static_cast<unsigned long long>(gone));
    return 0;
  }
  std::printf("%s: %llu aliases would go.\n", selected.name().c_str(),
              static_cast<unsigned long long>(preview.aliases));
  for (const std::string& alias : preview.examples) std::printf("  %s\n", alias.c_str());
  if (preview.aliases > 0 && !options.dry_run) std::printf("Add --yes to do it.\n");
  return 0;
}

}  // namespace

void add_purge_commands(const CommandLine& line) {
  const auto options = std::make_shared<Options>();
  CLI::App* group = line.app.add_subcommand("purge", "Take pictures off, many at once");
  group->require_subcommand(1);
  const auto common = [&](CLI::App* command) {
    command->add_flag("--dry-run", options->dry_run, "Only say what would go");
    command->add_option("--rate", options->purge.rate, "Aliases a second; 0: no limit")
        ->capture_default_str();
    command->add_flag("--json", options->json, "For machines");
    return command;
  };
  common(add_command(line, *group, "federated",
                     "Every stored picture of other sites; posts then show it from its origin. "
                     "Exit 0 done, 2 some stay",
                     options, purge_federated))
      ->add_flag("--even-without-origin", options->purge.even_without_origin,
                 "Also those that then lead nowhere");
  const auto selected = [&](const char* name, const char* what, SelectedPurge::By by) {
    CLI::App* command = common(add_command(line, *group, name, what, options, purge_selected));
    command
        ->add_option_function<std::string>("key",
                                           [options, by](const std::string& key) {
                                             options->selected.by = by;
                                             options->selected.key = key;
                                           })
        ->required();
    command->add_flag("--yes", options->yes, "Do it; without, it is only shown");
    return command;
  };
  selected("alias", "The picture behind an alias, under all its aliases", SelectedPurge::By::alias);
  selected("sha256", "The picture with this SHA-256, as it was sent or as it is stored",
           SelectedPurge::By::sha256)
      ->add_option("--near", options->selected.near,
                   "And those that look like it, within so many bits of PDQ (0 to 31)")
      ->check(CLI::Range(0, 31));
  selected("user", "Everything that a Lemmy account (local_user.id) uploaded",
           SelectedPurge::By::uploader);
  selected("host", "Everything that was fetched from a host", SelectedPurge::By::host);
}

}  // namespace portcullis::app

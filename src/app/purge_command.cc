// portcullis purge: pictures go, many at once.
#include <boost/json.hpp>
#include <cstdio>

#include "app/command_line.h"
#include "app/federated_purge.h"
#include "app/places.h"
#include "app/progress.h"
#include "app/purging.h"
#include "app/selected_purge.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

struct Options {
  SelectedPurge selected;
  double rate = 0;
  bool dry_run = false, yes = false, json = false;
};

Result<int> purge_selected(const std::string& config_file, const Options& options) {
  Purging purging = TRY(Purging::open(config_file));
  Engine& engine = *purging.engine;
  ProgressBar bar("Purge", !options.json);
  SelectedPurge selected = options.selected;
  selected.on_progress = [&](std::uint64_t done, std::uint64_t total) { bar.show(done, total); };
  selected.on_gone = [&](const std::vector<std::string>& aliases) { purging.tell(aliases); };
  const SelectedPreview preview = TRY(selected.preview(*engine.store));
  const bool is_told_only = options.dry_run || !options.yes;
  std::uint64_t gone = 0;
  if (!is_told_only) {
    gone = TRY(selected.run(*engine.store, options.rate, actor(), engine.clock));
    TRY(purging.sweep());
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
    command->add_option("--rate", options->rate, "Aliases a second; 0: no limit")
        ->capture_default_str();
    command->add_flag("--json", options->json, "For machines");
    return command;
  };
  add_federated_purge_command(line, *group);
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

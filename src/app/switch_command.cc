#include <cstdio>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/places.h"
#include "app/switching.h"

namespace portcullis::app {

namespace {

struct SwitchOptions {
  std::string name, state, message, reason, lasts;
  bool json = false;
};

struct Opened {
  std::unique_ptr<store::Store> store;
  WallTime now;
};
Result<Opened> open(const std::string& config_file) {
  static const SystemClock clock;
  const config::Config config = TRY(load_config(TRY(find_config(config_file))));
  const DataFolder data = TRY(open_data_folder(config));
  return Opened{TRY(store::open_sqlite({.file = data.database()}, clock)), clock.now()};
}

Result<Flip> wanted_from(const SwitchOptions& options) {
  Flip wanted{options.name, options.state, options.message, options.reason, actor()};
  if (!options.lasts.empty())
    wanted.lasts =
        std::chrono::ceil<std::chrono::seconds>(TRY(config::parse_duration(options.lasts)));
  return wanted;
}

void print(const std::vector<store::Switch>& switches, bool as_json) {
  if (as_json) {
    boost::json::array all;
    for (const store::Switch& value : switches) all.push_back(to_json(value));
    std::printf("%s\n", boost::json::serialize(all).c_str());
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const store::Switch& value : switches) rows.push_back({value.name, to_text(value)});
  std::fputs(table(rows).c_str(), stdout);
}

Result<int> switch_command(const std::string& config, const SwitchOptions& options) {
  if (options.name.empty() != options.state.empty())
    return fail(Fault::client, "say NAME and STATE, e.g. `portcullis switch remote block`");
  const Opened opened = TRY(open(config));
  if (!options.name.empty()) TRY(flip(*opened.store, TRY(wanted_from(options)), opened.now));
  print(all_switches(TRY(opened.store->switches()), opened.now), options.json);
  return 0;
}

Result<int> lockdown_command(const std::string& config, const SwitchOptions& options) {
  const Opened opened = TRY(open(config));
  const std::string& what = options.name;
  if (options.state == "on")
    TRY(lock_down(*opened.store, what, TRY(wanted_from(options)), opened.now));
  else
    TRY(lift_lockdown(*opened.store, what, actor(), opened.now));
  print(all_switches(TRY(opened.store->switches()), opened.now), options.json);
  if (!options.json)
    std::printf("This holds at once, also for uploads under way, and over restarts.\n");
  return 0;
}

void add_options(CLI::App& command, SwitchOptions& options) {
  command.add_option("--message", options.message, "What people are told");
  command.add_option("--reason", options.reason, "For other admins; people do not see it");
  command.add_option("--for", options.lasts, "How long, e.g. 2h; then what was before holds again");
  command.add_flag("--json", options.json, "For machines");
}

}  // namespace

void add_switch_commands(const CommandLine& line) {
  auto options = std::make_shared<SwitchOptions>();
  CLI::App* command = add_command(line, line.app, "switch", "Show the switches, or flip one",
                                  options, switch_command);
  command->add_option("name", options->name, "uploads or remote");
  command->add_option("state", options->state,
                      "uploads: open, closed; remote: cache, pass_through, block, default");
  add_options(*command, *options);
  command = add_command(line, line.app, "lockdown",
                        "Close uploads and store no remote pictures, at once; off restores what "
                        "was before",
                        options, lockdown_command);
  command->add_option("state", options->state, "on or off")
      ->required()
      ->check(CLI::IsMember({"on", "off"}));
  command->add_option("what", options->name, "uploads or remote; left out: both");
  add_options(*command, *options);
}

}  // namespace portcullis::app

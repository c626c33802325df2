#include "app/app.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/places.h"
#include "base/log.h"

namespace portcullis::app {

namespace {

constexpr int kWrongUsage = 2;

// Runs a command and says on standard error what went wrong.
int finish(Result<int> result) {
  if (result) return *result;
  std::fprintf(stderr, "portcullis: %s\n", result.error().what.c_str());
  return 1;
}

int run_command(int argc, char** argv) {
  CLI::App app("Portcullis: screens every image before a Lemmy site stores it.", "portcullis");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  std::string config;
  std::function<Result<int>()> chosen;
  const auto with_config = [&config](CLI::App* command) {
    command->add_option(
        "--config", config,
        "Config file (default: ./portcullis.toml, then /etc/portcullis/portcullis.toml)");
    return command;
  };

  InitOptions init;
  CLI::App* command = app.add_subcommand("init", "Write a config file and make a data folder");
  command->add_option("--data", init.data, "Data folder")->capture_default_str();
  command->add_option("--config", init.config, "Config file to write")->capture_default_str();
  command->add_option("--listen", init.listen,
                      "ADDRESS:PORT that Lemmy's pictrs.url will point at");
  command->add_option("--admin", init.admin, "ADDRESS:PORT of /metrics, loopback only");
  command->add_option("--api-key", init.api_key,
                      "Key of the internal API, as in Lemmy's pictrs.api_key");
  command->add_flag("--prefix", init.prefix,
                    "Make a secret path prefix, for a media listener that is not on loopback");
  command->callback([&] { chosen = [&] { return init_command(init); }; });

  command = with_config(app.add_subcommand("serve", "Run the gate"));
  DummyOptions dummy;
  bool is_dummy = false;
  CLI::Option* flag = command->add_flag(
      "--dummy", is_dummy, "For other programs' tests: takes any bytes, keeps them in memory");
  command->add_option("--listen", dummy.listen, "With --dummy: ADDRESS:PORT on loopback")
      ->needs(flag);
  command->add_option("--admin", dummy.admin, "With --dummy: ADDRESS:PORT on loopback")
      ->needs(flag);
  command->add_option("--api-key", dummy.api_key, "With --dummy: key of the internal API")
      ->needs(flag);
  command->callback([&] {
    dummy.config = config;
    chosen = [&] { return is_dummy ? dummy_command(dummy) : serve_command(config); };
  });

  command = with_config(
      app.add_subcommand("check", "Look at everything the gate needs and say what to do"));
  command->callback([&] { chosen = [&] { return check_command(config); }; });

  bool json = false;
  command = with_config(app.add_subcommand("status", "Switches, counts, lists, versions"));
  command->add_flag("--json", json, "For machines");
  command->callback([&] { chosen = [&] { return status_command(config, json); }; });

  ScanOptions scan;
  command = with_config(
      app.add_subcommand("scan", "Judge files; exit 0 accepted, 1 refused or held, 2 not judged"));
  command->add_option("files", scan.files, "Files, folders, or - for standard input")->required();
  command->add_flag("--json", scan.json, "One JSON object a line");
  command->callback([&] {
    chosen = [&] {
      scan.config = config;
      return scan_command(scan);
    };
  });

  const CommandLine line{app, chosen, with_config, config};
  add_evidence_commands(line);
  add_list_commands(line);
  add_audit_commands(line);
  add_policy_commands(line);
  add_rescan_command(line);
  add_switch_commands(line);
  add_purge_commands(line);
  add_import_announced_command(line);
  add_import_pict_rs_command(line, import_group(line));

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  return finish(chosen());
}

}  // namespace

int run(int argc, char** argv) {
  try {
    return run_command(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "portcullis: unexpected error: %s\n", error.what());
    return 1;
  }
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - row[i].size() + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

}  // namespace portcullis::app

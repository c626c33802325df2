// app/command_line.h: how the commands of one subject add themselves to the program's own.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace portcullis::app {

struct CommandLine {
  CLI::App& app;
  // The command that was asked for; gives the exit code.
  std::function<Result<int>()>& chosen;
  // Adds --config, whose value is in `config` when `chosen` runs.
  std::function<CLI::App*(CLI::App*)> with_config;
  const std::string& config;
};

// Adds a command to a group (or the program): `run` gets the config's name and `options`, which all
// commands of the group may share.
template <class Options>
CLI::App* add_command(const CommandLine& line, CLI::App& group, const char* name, const char* what,
                      std::shared_ptr<Options> options,
                      Result<int> (*run)(const std::string& config, const Options& options)) {
  CLI::App* command = line.with_config(group.add_subcommand(name, what));
  command->callback([&chosen = line.chosen, &config = line.config, options, run] {
    chosen = [&config, options, run] { return run(config, *options); };
  });
  return command;
}

void add_evidence_commands(const CommandLine& line);
void add_list_commands(const CommandLine& line);  // hashlist, ban and unban
void add_audit_commands(const CommandLine& line);
void add_policy_commands(const CommandLine& line);
void add_switch_commands(const CommandLine& line);  // switch and lockdown
void add_purge_commands(const CommandLine& line);
void add_rescan_command(const CommandLine& line);
void add_import_announced_command(const CommandLine& line);

// The group `import`, made when it is asked for first; its commands are in files of their own.
CLI::App& import_group(const CommandLine& line);
void add_import_pict_rs_command(const CommandLine& line, CLI::App& group);

}  // namespace portcullis::app

// app/command_line.h: how the commands of one subject add themselves to the program's own.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace CLI {
class App;
}

namespace portcullis::app {

struct CommandLine {
  CLI::App& app;
  // The command that was asked for; gives the exit code.
  std::function<Result<int>()>& chosen;
  // Adds --config, whose value is in `config` when `chosen` runs.
  std::function<CLI::App*(CLI::App*)> with_config;
  const std::string& config;
};

void add_evidence_commands(const CommandLine& line);
void add_list_commands(const CommandLine& line);  // hashlist, ban and unban
void add_audit_commands(const CommandLine& line);
void add_policy_commands(const CommandLine& line);
void add_rescan_command(const CommandLine& line);

}  // namespace portcullis::app

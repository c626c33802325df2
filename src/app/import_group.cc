// portcullis import: the group of commands that take something over.
#include "app/command_line.h"

namespace portcullis::app {

CLI::App& import_group(const CommandLine& line) {
  const auto is_it = [](const CLI::App* command) { return command->get_name() == "import"; };
  if (const auto there = line.app.get_subcommands(is_it); !there.empty()) return *there.front();
  CLI::App* group = line.app.add_subcommand("import", "Take over what another program knows");
  group->require_subcommand(1);
  return *group;
}

}  // namespace portcullis::app

// app/federated_purge.h: the command `purge federated`. Private to this room.
#pragma once

#include "app/command_line.h"

namespace portcullis::app {

void add_federated_purge_command(const CommandLine& line, CLI::App& group);

}  // namespace portcullis::app

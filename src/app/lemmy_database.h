// app/lemmy_database.h: Lemmy's database, as a command or the config names it.
#pragma once

#include <memory>
#include <string>

#include "config/config.h"
#include "lemmy/lemmy.h"

namespace portcullis::app {

// For the option --lemmy-db of commands.
inline constexpr const char* kLemmyDbHelp =
    "Lemmy's database: file:PATH or env:NAME, where the address lies, or the address itself, "
    "postgres://USER:PASSWORD@HOST:PORT/DATABASE, which others on this machine may see (default: "
    "[lemmy] database)";

// `where` as --lemmy-db says it; empty: [lemmy] database. Nothing is shown of the address but what
// postgres::shown_url() leaves of it.
Result<std::unique_ptr<lemmy::Database>> open_lemmy(const std::string& where,
                                                    const config::Config& config, lemmy::Use use);

}  // namespace portcullis::app

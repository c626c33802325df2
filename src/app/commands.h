// app/commands.h: what each command of the program does. Each gives the process's exit code or an
// error for people. Private to this room.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace portcullis::app {

struct InitOptions {
  std::string data = "./data";
  std::string config = "./portcullis.toml";
  std::string listen, admin, api_key;
  bool prefix = false;
};
Result<int> init_command(const InitOptions& options);

Result<int> serve_command(const std::string& config);

// `serve --dummy`: for other programs' tests.
struct DummyOptions {
  std::string config;  // must be empty
  std::string listen = "127.0.0.1:8080", admin = "127.0.0.1:9089", api_key;
};
Result<int> dummy_command(const DummyOptions& options);

Result<int> check_command(const std::string& config);
Result<int> status_command(const std::string& config, bool json);

struct ScanOptions {
  std::string config;
  std::vector<std::string> files;  // "-" is standard input; a folder stands for the files in it
  bool json = false;
  std::string policy = {};  // empty: the config's
  bool facts = false;       // show everything that the policy looked at
};
Result<int> scan_command(const ScanOptions& options);

// Columns of text, padded, for people.
std::string table(const std::vector<std::vector<std::string>>& rows);

}  // namespace portcullis::app

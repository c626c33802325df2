// app/hashlist.h: the commands about known pictures: lists, this site's bans, the allow-list.
// Private to this room.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace portcullis::app {

struct ListOptions {
  std::string config;
  std::string name, source;        // of add and remove
  std::vector<std::string> names;  // of update; none: every list that has a source
  std::vector<std::string> files;  // of test, allow, disallow
  std::string kind, format = "auto", tag, credentials, max_age, why;
  std::optional<int> radius, min_quality;
  bool observe = false, force = false, json = false;
};
Result<int> hashlist_add_command(const ListOptions& options);
Result<int> hashlist_update_command(const ListOptions& options);
Result<int> hashlist_list_command(const ListOptions& options);
Result<int> hashlist_remove_command(const ListOptions& options);
// Which lists each file is on, whatever the policy makes of it. Exit 0 none, 1 some, 2 not known.
Result<int> hashlist_test_command(const ListOptions& options);
Result<int> hashlist_allow_command(const ListOptions& options);
Result<int> hashlist_disallow_command(const ListOptions& options);
Result<int> hashlist_allowed_command(const ListOptions& options);

struct BanOptions {
  std::string config, why;
  std::vector<std::string> what;    // files and aliases
  std::vector<std::string> hashes;  // "sha256:…", "pdq:…"
  bool undo = false, json = false;
};
Result<int> ban_command(const BanOptions& options);

}  // namespace portcullis::app

// app/list_install.h: changing which lists there are, so that at any moment, a kill or a power cut
// included, either the old version or the new one is there. Private to this room.
//
// A list is a row in the store that names a file in lists/. The file is written and synced first,
// the row second; the old file goes last. What a kill leaves behind goes with the next change.
#pragma once

#include "app/places.h"
#include "hash/hash.h"
#include "store/store.h"

namespace portcullis::app {

inline constexpr const char* kBanned = "banned";  // the list of this site's own bans

struct OpenedStore {
  config::Config config;
  DataFolder data;
  std::unique_ptr<store::Store> store;
};
Result<OpenedStore> open_store(const std::string& config_file, const Clock& clock);

// One process at a time changes a list. Another waits, after saying on standard error for which
// process. The system lets go of it when the process ends in whatever way.
class ListLock {
 public:
  static Result<ListLock> take(const DataFolder& data, const std::string& list);

 private:
  explicit ListLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

std::optional<store::HashListRow> find_list(const std::vector<store::HashListRow>& rows,
                                            const std::string& name);

// Under the list's lock: writes the file of `row.name` and fills in file, version and count.
Status stage_list(const DataFolder& data, const hash::ListEntries& entries,
                  store::HashListRow& row);
// Under the list's lock, after the row was put or removed: files of the list other than `keep` go.
void clean_up_list(const DataFolder& data, const std::string& list, const std::string& keep);

// Says so on standard error when no rule of the policy would ever act on this list.
void warn_if_unused(const config::Config& config, const std::vector<store::HashListRow>& rows,
                    const std::string& name);

// An entry of the audit chain, after the thing was done: "list add", "ban", … `details` is JSON.
Status record_action(store::Store& store, const std::string& action, const std::string& subject,
                     std::string details, WallTime now);

}  // namespace portcullis::app

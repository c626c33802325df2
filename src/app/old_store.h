// app/old_store.h: a pict-rs that is to be taken over: what it holds, and the files themselves.
// Private to this room.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/fd.h"
#include "base/task.h"
#include "pictrs/pictrs.h"

namespace portcullis::app {

struct OldPicture {
  pictrs::FileKey key;
  std::string identifier;  // empty: not known
  WallTime created;
  std::vector<pictrs::Name> names;
};
struct OldPage {
  std::vector<OldPicture> pictures;
  std::string next;         // goes to the following page(); empty: this was the last
  std::size_t skipped = 0;  // rows and names that could not be read
};
// Open for reading; its digests were computed of the bytes that are there.
struct OldFile {
  UniqueFd fd;
  std::uint64_t size = 0;
  Digests digests;
  bool has_name = false;  // it lies in the old store's folder, so it can be linked
};

// Used on one loop.
class OldStore {
 public:
  virtual ~OldStore() = default;
  // For people, and to know it again: "postgres://…", without secrets.
  virtual std::string name() const = 0;
  virtual std::string files() const = 0;  // where they come from, for people
  // Pictures in all; 0: it cannot tell.
  virtual Task<Result<std::uint64_t>> count() = 0;
  // Empty: from the beginning.
  virtual Task<Result<OldPage>> page(std::string from, std::size_t most) = 0;
  // Code "missing": it is not there; "validate-file-size": more than `max_bytes`. Any other error
  // is no matter of this picture.
  virtual Task<Result<OldFile>> open(const OldPicture& picture, std::uint64_t max_bytes) = 0;
};

// The folder of a file system store. Pool: blocks on files.
struct OldFolder {
  std::filesystem::path root;
  Result<OldFile> open(const std::string& identifier, std::uint64_t max_bytes) const;
};

// Its database, and its folder.
std::unique_ptr<OldStore> old_database(std::unique_ptr<pictrs::Database> database, OldFolder folder,
                                       Pool& files);
// Its HTTP API; files come from `folder` if one is given, else over HTTP into unnamed files in
// `spool`. Delete tokens and the URLs of remote pictures are not to be had this way.
std::unique_ptr<OldStore> old_server(std::unique_ptr<pictrs::Client> client,
                                     std::optional<OldFolder> folder, std::filesystem::path spool,
                                     Pool& files, const Clock& clock);

}  // namespace portcullis::app

// app/places.h: where things lie: beside the program, in the data folder, on the command line.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "config/config.h"

namespace portcullis::app {

inline constexpr const char* kVersion = PORTCULLIS_VERSION;

// The folder this program was started from.
std::filesystem::path program_folder();
// portcullis-decoder, beside this program.
std::filesystem::path decoder_program();
// `name` ("models", "profiles") beside the program or in ../share/portcullis; an error says where
// it was looked for.
Result<std::filesystem::path> shipped(const std::string& name);

// `given`, or else ./portcullis.toml, or else /etc/portcullis/portcullis.toml.
Result<std::filesystem::path> find_config(const std::string& given);

// Finds and reads the config; models that it does not name are the ones shipped with the program.
Result<config::Config> load_config(const std::filesystem::path& file);

struct DataFolder {
  std::filesystem::path root;
  std::filesystem::path database() const { return root / "portcullis.sqlite"; }
  std::filesystem::path blobs() const { return root / "blobs"; }
  std::filesystem::path spool() const { return root / "spool"; }
  std::filesystem::path lists() const { return root / "lists"; }
  std::filesystem::path evidence() const { return root / "evidence"; }
};
// Makes what is missing, readable by this user only, and tries that files can be made.
Result<DataFolder> open_data_folder(const config::Config& config);
// Held by `serve` while it runs; an error when another one does.
Result<UniqueFd> lock_data_folder(const DataFolder& data);

// Of one purge at a time. Fault::client: another one is at work.
Result<UniqueFd> lock_purging(const DataFolder& data);

// Who runs this command, for the record: the name of the account on this machine.
std::string actor();

// Replaces `path` so that after a power cut either the old or the new text is there, whole.
Status write_durably(const std::filesystem::path& path, ByteView bytes);
// The same for what `write` puts into a new file, which is open for reading and writing.
Status write_durably(const std::filesystem::path& path, const std::function<Status(int fd)>& write);
// Both in the same folder.
Status rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace portcullis::app

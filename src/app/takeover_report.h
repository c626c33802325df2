// app/takeover_report.h: what was not taken over from an old store, and why: a file of one JSON
// object a line, in the data folder. Private to this room.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace portcullis::app {

struct TakeoverLine {
  // "refused", "held", "damaged", "missing", "unanswered", "no-picture", "name-taken"
  std::string what;
  std::vector<std::string> aliases;
  std::string sha256;  // of the old file, as the old store has it
  std::string file;    // where it lies in the old store's folder; empty: not known
  std::string why;
  std::string verdict;  // id; empty: none
  bool operator==(const TakeoverLine&) const = default;
};
std::string to_json(const TakeoverLine& line);

class TakeoverReport {
 public:
  // Locks the file: an error when another import is at work. What stands in it stays.
  static Result<std::unique_ptr<TakeoverReport>> open(const std::filesystem::path& path);
  Status begin_anew();  // what stands in it goes
  Status add(const TakeoverLine& line);
  Status sync();

  // The last line about each picture and name, in their order; a line that is none is left out.
  static Result<std::vector<TakeoverLine>> read(const std::filesystem::path& path);
  // How many of each kind.
  static std::map<std::string, std::uint64_t> counts(const std::vector<TakeoverLine>& lines);

 private:
  explicit TakeoverReport(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace portcullis::app

// app/hook.h: runs an admin's program when something happened.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace portcullis::app {

// Runs the program without arguments, one run at a time, on a thread of its own, with the lines
// that have come in since the last run on its standard input. A run that takes longer than 30 s is
// killed. Thread-safe.
class Hook {
 public:
  Hook(std::string name, std::filesystem::path program);
  ~Hook();  // after the run under way; what was not told by then is told first
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

  // Whole lines. At most 32 MiB wait; what is beyond is logged as not told.
  void tell(std::string_view lines);

 private:
  void work();
  void run(const std::string& lines) const;

  const std::string name_;
  const std::filesystem::path program_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

// For caches in front: "https://HOST/pictrs/image/ALIAS" and "https://HOST/api/v4/image/ALIAS", for
// each alias and host; without hosts, paths. Every address that begins with one of them and goes on
// with '?' shows the same picture.
std::string purge_lines(const std::vector<std::string>& aliases,
                        const std::vector<std::string>& hosts);
// For people: {"when":"2026-11-24T18:10:59Z","what":"verdict","text":"…"}
std::string alert_line(WallTime when, std::string_view what, std::string_view text);

}  // namespace portcullis::app

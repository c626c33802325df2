// app/purge_hook.h: tells an admin's program which pictures are gone, so that it can empty caches
// in front.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace portcullis::app {

// Runs the program without arguments, one run at a time, on a thread of its own. Its standard input
// holds an address a line; every address that begins with one of them and goes on with '?' shows
// the same picture. A run that takes longer than 30 s is killed. Thread-safe.
class PurgeHook {
 public:
  // `hosts`: names of the site; without any, lines are paths.
  PurgeHook(std::filesystem::path program, std::vector<std::string> hosts);
  ~PurgeHook();  // after the run under way; what was not told by then is told first
  PurgeHook(const PurgeHook&) = delete;
  PurgeHook& operator=(const PurgeHook&) = delete;

  // At most 100,000 wait; what is beyond is logged as not told.
  void tell(const std::vector<std::string>& aliases);

 private:
  void work();
  void run(const std::vector<std::string>& aliases) const;

  const std::filesystem::path program_;
  const std::vector<std::string> hosts_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

// "https://HOST/pictrs/image/ALIAS" and "https://HOST/api/v4/image/ALIAS", for each alias and host.
std::string purge_lines(const std::vector<std::string>& aliases,
                        const std::vector<std::string>& hosts);

}  // namespace portcullis::app

// media/dummy.h: the same API without looking at anything, for other programs' tests.
//
// Takes any bytes as they are and keeps them in memory. Nothing of Media is in it: no store, no
// folder, no decoder, no model, so a Dummy can never serve what a site has stored, nor store what
// it was given. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "media/media.h"

namespace portcullis::media {

class Dummy {
 public:
  struct Limits {
    std::uint64_t max_file_size = 40 * 1024 * 1024;
    std::uint64_t max_bytes = 512ull * 1024 * 1024;  // of all pictures together
    std::chrono::milliseconds fetch_timeout{8'000};
  };
  // `api_key` as in Options; the others must outlive the Dummy.
  Dummy(std::string api_key, Limits limits, Fetcher& fetcher, const Clock& clock);
  ~Dummy();
  Task<net::Response> handle(net::Request& request, net::BodyReader& body);
  std::size_t pictures() const;

 private:
  struct Picture {
    std::string token, bytes;
    WallTime created;
  };

  Task<net::Response> upload(const net::Request& request, net::BodyReader& body, bool backgrounded);
  Task<net::Response> download(std::string url);
  Task<net::Response> read(std::string alias, std::string url, bool details);
  net::Response remove(const std::string& alias, const std::string& token);
  net::Response internal(bool purge, const std::string& alias);
  // The alias of what was stored; empty when there is no room.
  std::string keep(std::string bytes);
  Task<std::string> fetch(std::string url);

  const std::string api_key_;
  const Limits limits_;
  Fetcher& fetcher_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Picture> pictures_;
  std::map<std::string, std::string> proxied_;    // URL to alias
  std::map<std::string, std::string> unclaimed_;  // upload id to alias
  std::uint64_t bytes_ = 0;
};

}  // namespace portcullis::media

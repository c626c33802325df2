// media/attempts.h: who was refused what a short while ago, so that nobody finds out by trying what
// is let through. Private to the room.
//
// In memory and bounded: a restart forgets, and when too many are remembered the one that was
// silent for the longest goes first. Accounts and networks stand there as keyed digests. Only
// refusals because of what a picture shows count. Thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "hash/hash.h"
#include "media/uploader.h"

namespace portcullis::media {

class Attempts {
 public:
  struct Options {
    // Different refused pictures within `window`: after this many each further answer takes longer,
    // and after this many uploads are closed for that account for a while. A network, which many
    // people share, may have kNetworkShare times as many.
    std::size_t slow_after = 3, close_after = 10;
    std::chrono::seconds window{86'400}, close_for{3'600};
    std::size_t most_remembered = 50'000;  // accounts and networks
  };
  static constexpr std::size_t kNetworkShare = 3;

  Attempts(Options options, const Clock& clock);

  // Whether uploads are closed for this uploader right now.
  bool is_closed(const Uploader& uploader);
  // Whether a picture with these fingerprints is, by any of them, near one that this uploader was
  // refused within the window.
  bool varies_refused(const Uploader& uploader, const std::vector<hash::Dihedral>& fingerprints);
  // Remembers a refusal. The same bytes, and pictures near a refused one, are the same attempt.
  void note(const Uploader& uploader, const Sha256& original,
            const std::vector<hash::Dihedral>& fingerprints);
  // By how many times longer than usual an answer to this uploader takes: 1, or 2, 4, 8.
  int slowness(const Uploader& uploader);
  // How many are remembered.
  std::size_t size() const;

 private:
  struct Refused {
    Sha256 original;
    std::vector<hash::PdqHash> looks;  // of those good enough to be compared; a few frames
    SteadyTime when{};
  };
  struct Source {
    std::deque<Refused> refused;
    SteadyTime closed_until{};
  };
  using Order = std::list<std::string>;  // keys, the one that was silent for the longest in front
  struct Entry {
    Source source;
    Order::iterator place;
  };
  struct Key {
    std::string text;
    std::size_t share = 1;
  };

  std::vector<Key> keys_of(const Uploader& uploader) const;
  Source* find(const std::string& key);
  Source& find_or_add(const std::string& key);
  void forget_old(Source& source) const;

  const Options options_;
  const Clock& clock_;
  std::array<unsigned char, 32> secret_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  Order order_;
};

}  // namespace portcullis::media

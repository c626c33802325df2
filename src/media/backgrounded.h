// media/backgrounded.h: uploads and downloads that are screened after they were answered. Private
// to the room.
#pragma once

#include <expected>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "media/answers.h"

namespace portcullis::media {

struct NotTaken {
  net::Response answer;
  bool shows_forbidden = false;  // a verdict on what the picture shows
  // Why, for the log and the admin; code "refused", "held", "not-kept" (refused, and
  // not kept although it should have been) or "unanswered" for a verdict.
  Error why = {};
  std::string verdict = {};  // id of the one that is recorded
};
using Taken = std::expected<Uploaded, NotTaken>;

// Each is claimed once. Thread-safe.
class Backgrounded {
 public:
  using Outcome = Taken;
  // Nothing when too many wait to be claimed.
  std::optional<std::string> begin(WallTime now);
  void finish(const std::string& id, Outcome outcome);

  enum class State { unknown, working, done };
  struct Claim {
    State state = State::unknown;
    Outcome outcome = std::unexpected(NotTaken{});  // when done: it is no longer known then
  };
  Claim claim(const std::string& id);
  // Those that were not claimed since `before` are forgotten; gives what they had stored.
  std::vector<Uploaded> expire(WallTime before);

 private:
  static constexpr std::size_t kMost = 1'000;
  struct Entry {
    WallTime begun;
    std::optional<Outcome> outcome;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace portcullis::media

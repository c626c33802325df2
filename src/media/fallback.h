// media/fallback.h: pictures that have not been taken over yet, as the old store gives them.
// Private to the room.
//
// They are not screened, so whoever keeps them is told to do so for a short while only, nothing of
// them is stored, and what was deleted here is never asked for; nor what was refused or taken off
// this site, which is for the caller to see to.
#pragma once

#include "media/routes.h"
#include "media/shared.h"

namespace portcullis::media {

class Fallback {
 public:
  explicit Fallback(Shared& shared) : shared_(shared) {}

  bool is_on() const { return shared_.services.before != nullptr; }
  // Nothing when the old store has no such picture either, or cannot be asked.
  Task<std::optional<net::Response>> original(const net::Request& request, const Route& route,
                                              bool relayed);
  Task<std::optional<net::Response>> process(const net::Request& request, const Route& route,
                                             bool relayed);
  Task<std::optional<net::Response>> details(const Route& route);

 private:
  using Fetch = std::function<Task<Status>(Fetcher::Sink)>;
  // What somebody deleted here must not be shown from there. True if that cannot be found out.
  Task<bool> was_deleted(const std::string& alias);
  Task<StoredPointer> fetch(Fetch fetch, store::Details details, WallTime created);

  Shared& shared_;
};

}  // namespace portcullis::media

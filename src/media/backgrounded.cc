#include "media/backgrounded.h"

#include "base/id.h"

namespace portcullis::media {

std::optional<std::string> Backgrounded::begin(WallTime now) {
  const std::scoped_lock lock(mutex_);
  if (entries_.size() >= kMost) return std::nullopt;
  std::string id = random_uuid();
  entries_[id].begun = now;
  return id;
}

void Backgrounded::finish(const std::string& id, Outcome outcome) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = entries_.find(id); found != entries_.end())
    found->second.outcome = std::move(outcome);
}

Backgrounded::Claim Backgrounded::claim(const std::string& id) {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return {};
  std::optional<Outcome>& outcome = found->second.outcome;
  Claim claim{.state = State::working};
  if (!outcome) return claim;
  claim = {State::done, *std::move(outcome)};
  entries_.erase(found);
  return claim;
}

std::vector<Uploaded> Backgrounded::expire(WallTime before) {
  std::vector<Uploaded> stored;
  const std::scoped_lock lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    auto& [begun, outcome] = entry->second;
    if (!outcome || begun > before) {
      ++entry;
      continue;
    }
    if (*outcome) stored.push_back(**std::move(outcome));
    entry = entries_.erase(entry);
  }
  return stored;
}

}  // namespace portcullis::media

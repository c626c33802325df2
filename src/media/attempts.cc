#include "media/attempts.h"

#include <sodium.h>

#include <algorithm>

namespace portcullis::media {

namespace {

constexpr int kNear = 31;                // of 256 bits, PDQ's own advice
constexpr std::size_t kLooksOfOne = 16;  // frames of an animation that are compared
constexpr std::size_t kMostSteps = 3;    // of doubling

std::vector<hash::PdqHash> looks_of(const std::vector<hash::Dihedral>& fingerprints) {
  std::vector<hash::PdqHash> looks;
  for (const hash::Dihedral& fingerprint : fingerprints)
    if (fingerprint.quality >= hash::kMinQuality && looks.size() < kLooksOfOne)
      looks.push_back(fingerprint.pdq[0]);
  return looks;
}

bool is_near(const std::vector<hash::PdqHash>& looks,
             const std::vector<hash::Dihedral>& fingerprints) {
  return std::ranges::any_of(fingerprints, [&](const hash::Dihedral& fingerprint) {
    return fingerprint.quality >= hash::kMinQuality &&
           std::ranges::any_of(looks, [&](const hash::PdqHash& look) {
             return std::ranges::any_of(fingerprint.pdq, [&](const hash::PdqHash& turned) {
               return hash::distance(look, turned) <= kNear;
             });
           });
  });
}

}  // namespace

Attempts::Attempts(Options options, const Clock& clock) : options_(options), clock_(clock) {
  PORTCULLIS_CHECK(::sodium_init() >= 0);
  ::randombytes_buf(secret_.data(), secret_.size());
}

// An address that no trusted proxy told is believed of nobody.
std::vector<Attempts::Key> Attempts::keys_of(const Uploader& uploader) const {
  const auto keyed = [this](std::string_view text) {
    std::string digest(32, '\0');
    ::crypto_generichash(reinterpret_cast<unsigned char*>(digest.data()), digest.size(),
                         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                         secret_.data(), secret_.size());
    return digest;
  };
  std::vector<Key> keys;
  if (!uploader.account.empty()) keys.push_back({keyed("account " + uploader.account), 1});
  if (const auto address =
          uploader.address_is_verified ? IpAddress::parse(uploader.address) : std::nullopt)
    keys.push_back(
        {keyed("network " + Network::around(*address, address->is_v4() ? 24 : 48).text()),
         kNetworkShare});
  return keys;
}

Attempts::Source* Attempts::find(const std::string& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  forget_old(found->second.source);
  return &found->second.source;
}

Attempts::Source& Attempts::find_or_add(const std::string& key) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    order_.splice(order_.end(), order_, found->second.place);
    forget_old(found->second.source);
    return found->second.source;
  }
  if (entries_.size() >= options_.most_remembered) {
    entries_.erase(order_.front());
    order_.pop_front();
  }
  order_.push_back(key);
  return entries_.emplace(key, Entry{{}, std::prev(order_.end())}).first->second.source;
}

void Attempts::forget_old(Source& source) const {
  const SteadyTime now = clock_.steady();
  while (!source.refused.empty() && source.refused.front().when + options_.window <= now)
    source.refused.pop_front();
}

bool Attempts::is_closed(const Uploader& uploader) {
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(keys_of(uploader), [&](const Key& key) {
    const Source* source = find(key.text);
    return source && clock_.steady() < source->closed_until;
  });
}

bool Attempts::varies_refused(const Uploader& uploader,
                              const std::vector<hash::Dihedral>& fingerprints) {
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(keys_of(uploader), [&](const Key& key) {
    const Source* source = find(key.text);
    return source && std::ranges::any_of(source->refused, [&](const Refused& one) {
             return is_near(one.looks, fingerprints);
           });
  });
}

void Attempts::note(const Uploader& uploader, const Sha256& original,
                    const std::vector<hash::Dihedral>& fingerprints) {
  const std::scoped_lock lock(mutex_);
  const SteadyTime now = clock_.steady();
  for (const Key& key : keys_of(uploader)) {
    Source& source = find_or_add(key.text);
    const bool is_same = std::ranges::any_of(source.refused, [&](const Refused& one) {
      return one.original == original || is_near(one.looks, fingerprints);
    });
    if (is_same) continue;
    const std::size_t most = options_.close_after * key.share;
    source.refused.push_back({original, looks_of(fingerprints), now});
    if (source.refused.size() >= most) source.closed_until = now + options_.close_for;
    if (source.refused.size() > most) source.refused.pop_front();
  }
}

int Attempts::slowness(const Uploader& uploader) {
  const std::scoped_lock lock(mutex_);
  std::size_t steps = 0;
  for (const Key& key : keys_of(uploader))
    if (const Source* source = find(key.text)) {
      const std::size_t most = options_.slow_after * key.share, count = source->refused.size();
      steps = std::max(steps, count > most ? count - most : 0);
    }
  return 1 << std::min(steps, kMostSteps);
}

std::size_t Attempts::size() const {
  const std::scoped_lock lock(mutex_);
  return entries_.size();
}

}  // namespace portcullis::media

#include "app/selected_purge.h"

#include <algorithm>

#include "app/pace.h"
#include "hash/hash.h"
#include "image/image.h"

namespace portcullis::app {

namespace {

constexpr std::size_t kExamples = 5;
constexpr std::size_t kPage = 500;

using Prints = std::vector<hash::Dihedral>;

Result<Prints> prints_of(store::Store& store, const Sha256& blob) {
  const std::string facts = TRY(store.facts_of(blob));
  if (facts.empty()) return Prints();
  auto seen = image::seen_from_json(facts);
  return seen ? std::move(seen->fingerprints) : Prints();
}

// In any of the eight ways to turn and mirror one of them.
bool look_alike(const Prints& a, const Prints& b, int radius) {
  for (const hash::Dihedral& one : a)
    for (const hash::Dihedral& other : b) {
      if (one.quality < hash::kMinQuality || other.quality < hash::kMinQuality) continue;
      if (std::ranges::any_of(one.pdq, [&](const hash::PdqHash& turned) {
            return hash::distance(turned, other.pdq[0]) <= radius;
          }))
        return true;
    }
  return false;
}

}  // namespace

std::string SelectedPurge::name() const {
  const char* kind = by == By::alias      ? "alias"
                     : by == By::sha256   ? "sha256"
                     : by == By::uploader ? "user"
                                          : "host";
  return fmt::format("{} {}", kind, key);
}

Result<std::vector<Sha256>> SelectedPurge::look_alikes(store::Store& store,
                                                       std::vector<Sha256> blobs) const {
  Prints wanted;
  for (const Sha256& blob : blobs)
    std::ranges::move(TRY(prints_of(store, blob)), std::back_inserter(wanted));
  if (wanted.empty())
    return fail(Fault::client,
                "nothing is written down of what {} looks like, so nothing can be "
                "compared with it: purge it without --near",
                key);
  const std::uint64_t total = TRY(store.counts()).blobs;
  std::optional<Sha256> after;
  std::uint64_t done = 0;
  while (true) {
    const auto page = TRY(store.stored_after(after, kPage));
    for (const Sha256& blob : page)
      if (std::ranges::find(blobs, blob) == blobs.end() &&
          look_alike(wanted, TRY(prints_of(store, blob)), *near))
        blobs.push_back(blob);
    if (on_progress) on_progress(done += page.size(), total);
    if (page.size() < kPage) return blobs;
    after = page.back();
  }
}

Result<store::Store::Selection> SelectedPurge::selection(store::Store& store) const {
  if (by == By::uploader) return store::Store::Selection{.uploader = key};
  if (by == By::host) return store::Store::Selection{.host = key};
  if (by == By::alias) {
    const auto found = TRY(store.find(key));
    if (!found) return fail(Fault::client, "there is no alias {}", key);
    return store::Store::Selection{.blobs = {found->alias.blob}};
  }
  const auto digest = Sha256::from(key);
  if (!digest) return fail(Fault::client, "{} is no SHA-256: it has 64 hexadecimal digits", key);
  auto blobs = TRY(store.blobs_of(*digest));
  if (blobs.empty()) return fail(Fault::client, "no stored picture is, or was made of, {}", key);
  if (near) blobs = TRY(look_alikes(store, std::move(blobs)));
  return store::Store::Selection{.blobs = std::move(blobs)};
}

Result<SelectedPreview> SelectedPurge::preview(store::Store& store) {
  if (by == By::alias && TRY(store.stand_in(key))) {
    is_stand_in_ = true;
    return SelectedPreview{1, {key}};
  }
  selection_ = TRY(selection(store));
  SelectedPreview preview;
  std::string after;
  while (true) {
    const auto page = TRY(store.selected_after(selection_, after, kPage));
    for (const store::Alias& alias : page)
      if (preview.examples.size() < kExamples) preview.examples.push_back(alias.alias);
    preview.aliases += page.size();
    if (page.size() < kPage) return preview;
    after = page.back().alias;
  }
}

Result<std::uint64_t> SelectedPurge::run(store::Store& store, double rate, const std::string& who,
                                         const Clock& clock) {
  Pace pace(rate);
  std::uint64_t gone = 0;
  std::string after;
  while (true) {
    std::vector<std::string> aliases;
    if (is_stand_in_)
      aliases = {key};
    else
      for (store::Alias& alias : TRY(store.selected_after(selection_, after, pace.batch())))
        aliases.push_back(std::move(alias.alias));
    if (aliases.empty()) return gone;
    after = aliases.back();
    const auto went = TRY(store.take_off(aliases, "purge " + name(), who, clock.now()));
    gone += went.aliases.size();
    if (on_gone) on_gone(went.aliases);
    if (is_stand_in_) return gone;
    pace.did(aliases.size());
  }
}

}  // namespace portcullis::app

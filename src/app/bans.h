// app/bans.h: changing this site's own bans and the list `banned` that is made of them, together.
// Private to this room.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/places.h"
#include "scan/scan.h"
#include "store/store.h"

namespace portcullis::app {

struct BanChange {
  std::vector<std::string> lifted;  // each ban `of` these goes
  std::vector<store::Ban> added;
};

// Asks `decide` for a change, under the list's lock and with the bans as they are, and carries it
// out: rows and list in one commit, so a kill leaves either all of it or nothing. Blocks.
Status change_bans(store::Store& store, const DataFolder& data, const Clock& clock,
                   const std::function<BanChange(const std::vector<store::Ban>&)>& decide);

// What a rule with ban_hash wants: the original's digest, and the perceptual hashes of what was
// seen of it. Crops and borders are not among them, because nobody is there to look; `portcullis
// ban` adds those. One thread at a time.
Status ban_refused(store::Store& store, const DataFolder& data, const Clock& clock,
                   const scan::Screening& screening);

}  // namespace portcullis::app

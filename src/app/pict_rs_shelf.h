// app/pict_rs_shelf.h: federated thumbnails that an existing pict-rs stores.
#pragma once

#include "app/lemmy_purge.h"
#include "pictrs/pictrs.h"

namespace portcullis::app {

// Deletes aliases one by one, never a file as such: a file that a user's alias needs as well stays.
// The tombstone is written first, so that no address leads nowhere in between.
class PictRsShelf final : public PictureShelf {
 public:
  PictRsShelf(pictrs::Client& pict_rs, store::Store& store, const Clock& clock,
              std::function<void(const std::vector<std::string>&)> on_gone)
      : pict_rs_(pict_rs), store_(store), clock_(clock), on_gone_(std::move(on_gone)) {}

  // An error of pict-rs ends it; what came before stays done, and is done again without harm.
  Result<std::vector<Taken>> take_off(const std::vector<lemmy::Thumbnail>& batch,
                                      const store::Job& job) override;

  // The copies that are served for remote addresses, by what is written down here. Gives how many
  // went. Blocks.
  Result<std::uint64_t> purge_proxied();

 private:
  Result<Taken> take_off_one(const lemmy::Thumbnail& one);

  pictrs::Client& pict_rs_;
  store::Store& store_;
  const Clock& clock_;
  std::function<void(const std::vector<std::string>&)> on_gone_;
};

}  // namespace portcullis::app

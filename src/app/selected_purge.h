// app/selected_purge.h: pictures that a moderator names by something they have in common go, and
// answer 410. What is left of one that was killed in the middle is still selected the next time.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"

namespace portcullis::app {

struct SelectedPreview {
  std::uint64_t aliases = 0;
  std::vector<std::string> examples;
};

struct SelectedPurge {
  enum class By { alias, sha256, uploader, host };
  By by = By::alias;
  std::string key;
  std::optional<int> near = std::nullopt;  // with sha256: bits of PDQ
  std::function<void(std::uint64_t done, std::uint64_t total)> on_progress = {};
  std::function<void(const std::vector<std::string>& aliases)> on_gone = {};

  std::string name() const;  // "user 17"
  // Finds out what the key means, which run() needs. Fault::client: nothing of that kind. Blocks,
  // with `near` for as long as it takes to look at every stored picture.
  Result<SelectedPreview> preview(store::Store& store);
  // Gives how many aliases went. Blocks.
  Result<std::uint64_t> run(store::Store& store, double rate, const std::string& who,
                            const Clock& clock);

 private:
  Result<store::Store::Selection> selection(store::Store& store) const;
  Result<std::vector<Sha256>> look_alikes(store::Store& store, std::vector<Sha256> blobs) const;

  store::Store::Selection selection_;
  bool is_stand_in_ = false;
};

}  // namespace portcullis::app

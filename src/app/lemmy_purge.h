// app/lemmy_purge.h: the federated thumbnails that Lemmy's database names go, wherever they are
// stored: for pictures of which nothing is written down here that says where they came from, above
// all those of a pict-rs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lemmy/lemmy.h"
#include "store/store.h"

namespace portcullis::app {

// Where they are stored.
class PictureShelf {
 public:
  enum class Taken {
    gone,       // and leads to its origin, where that is known
    not_there,  // it was not stored
    a_users,    // it is somebody's upload by what is written down here, so it stays
    kept_back,  // it is on a list: kept as evidence, or left because that was not possible
  };
  virtual ~PictureShelf() = default;
  // Takes them off, those without an origin too, and saves the job, which is as it is afterwards.
  // Gives what became of each. Blocks.
  virtual Result<std::vector<Taken>> take_off(const std::vector<lemmy::Thumbnail>& batch,
                                              const store::Job& job) = 0;
};

// Of this gate's own store. Lists are asked first, by what is written down of a picture.
class OwnShelf final : public PictureShelf {
 public:
  // What `kept_back` keeps as evidence, or says must stay, is not taken off. May be empty.
  OwnShelf(store::Store& store, const Clock& clock,
           std::function<Result<bool>(const store::Alias&)> kept_back,
           std::function<void(const std::vector<std::string>&)> on_gone)
      : store_(store),
        clock_(clock),
        kept_back_(std::move(kept_back)),
        on_gone_(std::move(on_gone)) {}
  Result<std::vector<Taken>> take_off(const std::vector<lemmy::Thumbnail>& batch,
                                      const store::Job& job) override;

 private:
  store::Store& store_;
  const Clock& clock_;
  std::function<Result<bool>(const store::Alias&)> kept_back_;
  std::function<void(const std::vector<std::string>&)> on_gone_;
};

struct LemmyPurgeOptions {
  double rate = 0;                   // thumbnails a second at most; 0: as fast as it goes
  bool even_without_origin = false;  // those that then lead nowhere
  bool without_row = false;          // also aliases of which Lemmy has no row any more
  bool rewrite_posts = false;        // write origins into Lemmy's posts
};

struct LemmyPurgeProgress {
  std::uint64_t done = 0, total = 0;
  std::uint64_t purged = 0, not_there = 0, a_users = 0, without_origin = 0, rewritten = 0;
};

struct LemmyPurge {
  lemmy::Database& database;  // surveyed
  PictureShelf& shelf;
  store::Store& store;
  const Clock& clock;
  LemmyPurgeOptions options;
  // Asked where the database does not know an origin; gives nothing when it does not either.
  std::function<std::string(const lemmy::Thumbnail&)> find_origin = {};
  std::function<void(const LemmyPurgeProgress&)> on_progress = {};
  std::function<void(const lemmy::Thumbnail&, std::string_view why)> on_left = {};

  // Blocks until all are dealt with. An error ends it where it stands; a second run goes on there.
  Result<LemmyPurgeProgress> run(const lemmy::Survey& survey);

 private:
  using Page = std::vector<lemmy::Thumbnail>;
  // Those of a page that can go.
  Page leaving(Page page, LemmyPurgeProgress& progress) const;
  Status take_off(const Page& leaving, const store::Job& job, LemmyPurgeProgress& progress);
};

}  // namespace portcullis::app

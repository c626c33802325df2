#include "app/lemmy_purge.h"

#include "app/pace.h"
#include "base/id.h"

namespace portcullis::app {

namespace {

constexpr std::string_view kKind = "purge by lemmy";
constexpr std::string_view kWithRow = "row:", kWithoutRow = "no row:";

}  // namespace

Result<std::vector<PictureShelf::Taken>> OwnShelf::take_off(
    const std::vector<lemmy::Thumbnail>& batch, const store::Job& job) {
  std::vector<Taken> taken;
  std::vector<store::Alias> going;
  for (const lemmy::Thumbnail& one : batch) {
    auto found = TRY(store_.find(one.alias));
    taken.push_back(!found ? Taken::not_there : Taken::gone);
    if (!found) continue;
    store::Alias& alias = found->alias;
    if (alias.source == policy::Origin::upload)
      taken.back() = Taken::a_users;
    else if (kept_back_ && TRY(kept_back_(alias)))
      taken.back() = Taken::kept_back;
    if (taken.back() != Taken::gone) continue;
    if (alias.url.empty()) alias.url = one.origin;  // what we wrote down is better
    going.push_back(std::move(alias));
  }
  const auto gone = TRY(store_.purge_remote(going, job, clock_.now()));
  if (on_gone_) on_gone_(gone.aliases);
  return taken;
}

LemmyPurge::Page LemmyPurge::leaving(Page page, LemmyPurgeProgress& progress) const {
  progress.done += page.size();
  if (find_origin)
    for (lemmy::Thumbnail& one : page)
      if (one.origin.empty()) one.origin = find_origin(one);
  if (options.even_without_origin) return page;
  std::erase_if(page, [&](const lemmy::Thumbnail& one) {
    if (!one.origin.empty()) return false;
    ++progress.without_origin;
    if (on_left)
      on_left(one,
              one.is_disputed ? "its posts disagree about its origin" : "its origin is not known");
    return true;
  });
  return page;
}

Status LemmyPurge::take_off(const Page& leaving, const store::Job& job,
                            LemmyPurgeProgress& progress) {
  using Taken = PictureShelf::Taken;
  const std::vector<Taken> taken = TRY(shelf.take_off(leaving, job));
  PORTCULLIS_CHECK(taken.size() == leaving.size());
  std::vector<lemmy::Rewrite> rewrites;
  for (std::size_t i = 0; i < taken.size(); ++i) {
    progress.purged += taken[i] == Taken::gone;
    progress.not_there += taken[i] == Taken::not_there;
    progress.a_users += taken[i] == Taken::a_users;
    const bool is_there_no_more = taken[i] == Taken::gone || taken[i] == Taken::not_there;
    if (is_there_no_more && !leaving[i].origin.empty())
      rewrites.push_back({leaving[i].alias, leaving[i].origin});
  }
  if (options.rewrite_posts && !rewrites.empty())
    progress.rewritten += TRY(database.rewrite_thumbnails(rewrites));
  return {};
}

Result<LemmyPurgeProgress> LemmyPurge::run(const lemmy::Survey& survey) {
  store::Job job{random_uuid(), std::string(kKind), std::string(kWithRow), 0, 0, clock.now(), {}};
  if (const auto before = TRY(store.job(job.kind))) job = *before;
  LemmyPurgeProgress progress;
  progress.done = job.done;
  progress.purged = job.found;
  progress.total = survey.federated + (options.without_row ? survey.without_row : 0);
  Pace pace(options.rate);
  bool with_row = job.cursor.starts_with(kWithRow);
  std::string after = job.cursor.substr((with_row ? kWithRow : kWithoutRow).size());
  while (true) {
    Page page = TRY(with_row ? database.federated_after(after, pace.batch())
                             : database.without_row_after(after, pace.batch()));
    const std::size_t count = page.size();
    if (count > 0) after = page.back().alias;
    const Page going = leaving(std::move(page), progress);
    job.cursor = std::string(with_row ? kWithRow : kWithoutRow) + after;
    job.done = progress.done;
    job.found = progress.purged + going.size();
    job.updated = clock.now();
    TRY(take_off(going, job, progress));
    if (on_progress) on_progress(progress);
    pace.did(count);
    if (count == pace.batch()) continue;
    if (!with_row || !options.without_row) break;
    with_row = false;
    after.clear();
  }
  TRY(store.finish_job(job.id));
  return progress;
}

}  // namespace portcullis::app

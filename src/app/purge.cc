#include "app/purge.h"

#include "app/known_images.h"
#include "app/pace.h"
#include "base/id.h"

namespace portcullis::app {

Result<bool> Purge::is_kept_back(const store::Alias& alias, PurgeProgress& progress) {
  Engine& engine = rescan.engine;
  const auto ruleset = engine.scanner->ruleset();
  if (!has_lists(ruleset->policy)) return false;
  const auto provenance = TRY(engine.store->provenance(alias.blob));
  const auto match = on_a_list(*ruleset, provenance.originals);
  if (!match) return false;
  const auto taken_off = rescan.take_off_if_hit(alias.blob);
  if (taken_off) {
    progress.preserved += *taken_off;
    return *taken_off;
  }
  ++progress.not_kept;
  if (on_left)
    on_left(alias, fmt::format("{}, and could not be kept as evidence: {}", *match,
                               taken_off.error().what));
  return true;
}

Result<bool> Purge::may_go(const RemoteAlias& one, PurgeProgress& progress) {
  if (TRY(is_kept_back(one.alias, progress))) return false;
  if (one.alias.url.empty() && !one.is_proxied && !options.even_without_origin) {
    ++progress.without_origin;
    if (on_left) on_left(one.alias, "its origin is not known");
    return false;
  }
  return true;
}

Result<PurgeProgress> Purge::run() {
  store::Store& store = *rescan.engine.store;
  const Clock& clock = rescan.engine.clock;
  store::Job job{random_uuid(), std::string(kKind), {}, 0, 0, clock.now(), {}};
  if (const auto before = TRY(store.job(job.kind))) job = *before;
  PurgeProgress progress;
  progress.done = job.done;
  progress.purged = job.found;
  progress.total = TRY(store.count_remote()).aliases + progress.done;
  Pace pace(options.rate);
  while (true) {
    const auto page = TRY(store.remote_aliases_after(job.cursor, pace.batch()));
    if (page.empty()) break;
    std::vector<store::Alias> going;
    for (const RemoteAlias& one : page)
      if (TRY(may_go(one, progress))) going.push_back(one.alias);
    job.cursor = page.back().alias.alias;
    job.done = progress.done += page.size();
    job.found = progress.purged += going.size();
    job.updated = clock.now();
    const auto gone = TRY(store.purge_remote(going, job, clock.now()));
    progress.bytes += gone.bytes;
    if (on_gone) on_gone(gone.aliases);
    if (on_progress) on_progress(progress);
    pace.did(page.size());
  }
  TRY(store.finish_job(job.id));
  return progress;
}

}  // namespace portcullis::app

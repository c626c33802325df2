#include "app/rescan.h"

#include <boost/json.hpp>
#include <thread>

#include "app/wait_for.h"
#include "base/id.h"
#include "media/media.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

constexpr std::size_t kPage = 100;
constexpr std::chrono::milliseconds kSaveEvery{500};
constexpr std::string_view kKind = "rescan";

// One that was derived from another picture goes with that one.
bool stands_by_itself(const store::Alias& alias) { return alias.parent.empty(); }

// The cursor of a job: under which ruleset, and after which blob.
std::string cursor_text(const std::string& ruleset, const std::optional<Sha256>& after) {
  return ruleset + ":" + (after ? after->hex() : "");
}

bool is_hit(const scan::Screening& screening) {
  const policy::Verdict& verdict = screening.verdict;
  return !verdict.unanswered &&
         (verdict.outcome == policy::Outcome::refuse || verdict.outcome == policy::Outcome::hold);
}

}  // namespace

Result<RescanProgress> Rescan::run() {
  store::Store& store = *engine.store;
  const std::string ruleset = engine.scanner->ruleset()->digest;
  RescanProgress progress;
  progress.total = TRY(store.counts()).blobs;
  std::optional<Sha256> after;
  store::Job job{random_uuid(), std::string(kKind), {}, 0, 0, engine.clock.now(), {}};
  if (!options.dry_run)
    if (const auto before = TRY(store.job(std::string(kKind)))) {
      job.id = before->id;
      if (before->cursor.starts_with(ruleset + ":")) {
        job = *before;
        after = Sha256::from(std::string_view(before->cursor).substr(ruleset.size() + 1));
        progress.done = before->done;
        progress.found = before->found;
      }
    }
  const auto between = options.rate > 0 ? std::chrono::duration<double>(1 / options.rate)
                                        : std::chrono::duration<double>(0);
  const auto save = [&]() -> Status {
    if (options.dry_run) return {};
    job.cursor = cursor_text(ruleset, after);
    job.done = progress.done;
    job.found = progress.found;
    job.updated = engine.clock.now();
    return store.save_job(job);
  };
  auto saved = std::chrono::steady_clock::now();
  while (true) {
    const auto page = TRY(store.stored_after(after, kPage));
    for (const Sha256& blob : page) {
      const auto begun = std::chrono::steady_clock::now();
      TRY(look_at(blob, progress));
      ++progress.done;
      after = blob;
      if (on_progress) on_progress(progress);
      if (begun - saved > kSaveEvery) {
        TRY(save());
        saved = begun;
      }
      std::this_thread::sleep_until(begun +
                                    std::chrono::duration_cast<std::chrono::nanoseconds>(between));
    }
    if (page.size() < kPage) break;
  }
  if (!options.dry_run) TRY(store.finish_job(job.id));
  return progress;
}

Status Rescan::look_at(const Sha256& blob, RescanProgress& progress) {
  const auto provenance = TRY(engine.store->provenance(blob));
  const bool is_wanted = std::ranges::any_of(provenance.aliases, [&](const store::Alias& alias) {
    return stands_by_itself(alias) && (!options.since || alias.created >= *options.since);
  });
  if (!is_wanted) return {};
  const auto screening = TRY(judge(blob, provenance));
  if (!screening || screening->not_taken || screening->verdict.unanswered) {
    ++progress.not_judged;
    return {};
  }
  ++progress.judged;
  if (!is_hit(*screening)) return {};
  ++progress.found;
  RescanHit hit{blob, {}, screening->verdict.rule, screening->verdict.reason, {}};
  for (const store::Alias& alias : provenance.aliases) hit.aliases.push_back(alias.alias);
  if (!options.dry_run) hit.evidence = TRY(take_off(blob, provenance, *screening));
  if (on_hit) on_hit(hit);
  return {};
}

Result<bool> Rescan::take_off_if_hit(const Sha256& blob) {
  RescanProgress progress;
  TRY(look_at(blob, progress));
  if (progress.not_judged > 0) return fail(Fault::upstream, "it could not be judged now");
  return progress.found > 0;
}

// The worst of the verdicts on the originals it was made of; nothing when its file cannot be read.
Result<std::optional<scan::Screening>> Rescan::judge(const Sha256& blob,
                                                     const store::Store::Provenance& provenance) {
  const auto opened = blobs.open(blob);
  if (!opened) return std::nullopt;
  const auto memory = media::store_memory(*engine.store, engine.pools.db, engine.clock);
  scan::Subject subject;
  subject.origin = provenance.aliases.front().source;
  for (const store::Alias& alias : provenance.aliases)
    if (alias.source == policy::Origin::upload) subject.origin = alias.source;
  if (subject.origin == policy::Origin::upload)
    subject.uploader = policy::UploaderClass::unidentified;
  std::optional<scan::Screening> worst;
  for (const store::RenditionRecord& record : provenance.originals) {
    auto seen = image::seen_from_json(record.facts);
    if (!seen) continue;
    const Digests digests = record.digests.value_or(Digests{record.original, {}, {}});
    const Deadline deadline = engine.clock.steady() + engine.config.http.upload_timeout;
    scan::Screening screening =
        wait_for(engine.scanner->scan_again({opened->fd.get(), opened->size, digests},
                                            *std::move(seen), subject, memory.get(), deadline));
    if (!worst || (is_hit(screening) && !is_hit(*worst))) worst = std::move(screening);
  }
  if (worst) return worst;
  // Nothing is known of an original: the stored picture stands for it.
  Bytes bytes(opened->size);
  TRY(read_at(opened->fd.get(), bytes, 0));
  const Deadline deadline = engine.clock.steady() + engine.config.http.upload_timeout;
  return wait_for(engine.scanner->scan({opened->fd.get(), opened->size, digests_of(bytes)}, subject,
                                       memory.get(), deadline, scan::Reuse::no));
}

// Sealed first: a crash in between leaves a picture that the next run takes off.
Result<std::string> Rescan::take_off(const Sha256& blob, const store::Store::Provenance& provenance,
                                     const scan::Screening& screening) {
  const WallTime now = engine.clock.now();
  const store::VerdictRecord verdict{random_uuid(),     screening.facts.sha256, screening.ruleset,
                                     screening.verdict, screening.facts,        now};
  json::object context{{"rescan", true}, {"stored_picture", blob.hex()}};
  json::array aliases;
  evidence::Sender sender;
  for (const store::Alias& alias : provenance.aliases) {
    aliases.push_back(json::object{{"alias", alias.alias},
                                   {"created", rfc3339(alias.created)},
                                   {"source", policy::name(alias.source)},
                                   {"account", alias.uploader},
                                   {"url", alias.url}});
    if (!alias.uploader.empty()) sender.uploader = alias.uploader;
    sender.origin = alias.source;
  }
  context["aliases"] = std::move(aliases);
  sender.context = json::serialize(context);
  const auto opened = TRY(blobs.open(blob));
  const auto kept =
      TRY(keeper.keep(screening.verdict.preserve ? store::Kept::preserved : store::Kept::held,
                      evidence::source_of_file(opened.fd.get()), verdict, sender));
  TRY(engine.store->unpublish(blob, verdict.id, actor(), now));
  return kept.id;
}

}  // namespace portcullis::app

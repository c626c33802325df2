#include "app/bans.h"

#include <set>

#include "app/list_install.h"

namespace portcullis::app {

namespace {

constexpr const char* kSource = "portcullis ban";
constexpr std::size_t kMostFrames = 100;

Status add(hash::ListEntries& entries, const store::Ban& ban) {
  const auto kind = hash::kind_from(ban.kind);
  const auto parsed = hash::parse_list(ban.digest, kind, "ban of " + ban.of);
  if (!kind || !parsed) return fail(Fault::storage, "the ban of {} is damaged", ban.of);
  const auto move = [](auto& into, const auto& from) {
    into.insert(into.end(), from.begin(), from.end());
  };
  move(entries.sha256, parsed->sha256);
  move(entries.sha1, parsed->sha1);
  move(entries.md5, parsed->md5);
  move(entries.pdq, parsed->pdq);
  return {};
}

}  // namespace

Status change_bans(store::Store& store, const DataFolder& data, const Clock& clock,
                   const std::function<BanChange(const std::vector<store::Ban>&)>& decide) {
  const auto lock = TRY(ListLock::take(data, kBanned));
  const auto before = find_list(TRY(store.lists()), kBanned);
  if (before && before->source != kSource)
    return fail(Fault::client,
                "a list \"{}\" was added from {}: add it under another name and remove it, so "
                "that this site's own bans can have that name",
                kBanned, before->source);
  const auto bans = TRY(store.bans());
  const BanChange change = decide(bans);
  const std::set<std::string> lifted(change.lifted.begin(), change.lifted.end());
  hash::ListEntries entries;
  for (const store::Ban& ban : bans)
    if (!lifted.contains(ban.of)) TRY(add(entries, ban));
  for (const store::Ban& ban : change.added) TRY(add(entries, ban));
  std::optional<store::HashListRow> row;
  if (entries.size() > 0) {
    row = before.value_or(store::HashListRow{});
    row->name = kBanned;
    row->source = kSource;
    row->format = "plain";
    TRY(stage_list(data, entries, *row));
    row->added = row->checked = clock.now();
  }
  TRY(store.change_bans(change.lifted, change.added, row));
  clean_up_list(data, kBanned, row ? row->file : "");
  return {};
}

Status ban_refused(store::Store& store, const DataFolder& data, const Clock& clock,
                   const scan::Screening& screening) {
  const std::string of = "sha256:" + screening.facts.sha256.hex();
  const std::string why = fmt::format("rule \"{}\"", screening.verdict.rule);
  BanChange change;
  const auto add_hash = [&](hash::Kind kind, std::string digest) {
    change.added.push_back(
        {of, std::string(hash::name(kind)), std::move(digest), "server", why, clock.now()});
  };
  add_hash(hash::Kind::sha256, screening.facts.sha256.hex());
  std::set<hash::PdqHash> prints;
  if (screening.seen)
    for (const hash::Dihedral& frame : screening.seen->fingerprints)
      if (frame.quality >= hash::kMinQuality && hash::is_plausible(frame.pdq[0]) &&
          prints.size() < kMostFrames)
        prints.insert(frame.pdq[0]);
  for (const hash::PdqHash& print : prints) add_hash(hash::Kind::pdq, hash::to_hex(print));
  bool is_new = false;
  TRY(change_bans(store, data, clock, [&](const std::vector<store::Ban>& bans) {
    is_new = std::ranges::find(bans, of, &store::Ban::of) == bans.end();
    return is_new ? change : BanChange();
  }));
  if (!is_new) return {};
  return store.audit({.actor = "server", .action = "ban", .subject = of}, clock.now());
}

}  // namespace portcullis::app

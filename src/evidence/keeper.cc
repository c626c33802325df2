#include <fcntl.h>
#include <sodium.h>

#include "base/id.h"
#include "evidence/evidence.h"

namespace portcullis::evidence {

namespace fs = std::filesystem;
using store::EvidenceState;
using store::Kept;

Keeper::Keeper(Options options, store::Ledger& ledger, blob::FileSystem& files, const Clock& clock)
    : options_(std::move(options)), ledger_(ledger), files_(files), clock_(clock) {}

bool Keeper::can(Kept kept) const {
  return kept == Kept::held ? options_.review.has_value() : options_.evidence.has_value();
}

std::vector<PublicKey> Keeper::recipients(Kept kept) const {
  std::vector<PublicKey> keys;
  if (kept == Kept::held && options_.review) keys.push_back(*options_.review);
  if (options_.evidence) keys.push_back(*options_.evidence);
  return keys;
}

Result<store::Evidence> Keeper::keep(Kept kept, const Source& original,
                                     const store::VerdictRecord& verdict, const Sender& sender) {
  if (!can(kept))
    return fail_with(Fault::us, "no-key",
                     "nothing can be {}, because [evidence] in the configuration has no {} key: "
                     "`portcullis evidence keygen` makes one",
                     name(kept), kept == Kept::held ? "review" : "evidence");
  const WallTime now = clock_.now();
  store::Evidence fresh{
      .id = random_uuid(),
      .original = verdict.original,
      .kept = kept,
      .rule = verdict.verdict.rule,
      .report_due = verdict.verdict.report,
      .since = now,
      .keep_until = now + (kept == Kept::held ? options_.keep_held : options_.keep_preserved)};
  store::Attempt attempt{verdict.id, now, sender.origin, sender.uploader, Bytes(16), {}};
  ::randombytes_buf(attempt.salt.data(), attempt.salt.size());
  if (!sender.context.empty())
    attempt.context = TRY(seal(recipients(kept), as_bytes(sender.context)));

  fresh.bytes = TRY(write(
      file(fresh.id), [&](const Sink& sink) { return seal(recipients(kept), original, sink); }));
  const auto kept_now = ledger_.keep(verdict, fresh, attempt, options_.held_per_uploader);
  if (!kept_now || kept_now->evidence.id != fresh.id) (void)remove_files(fresh.id);
  if (!kept_now) return std::unexpected(kept_now.error());
  if (kept_now->promoted) TRY(withdraw_review(kept_now->evidence.id));
  return kept_now->evidence;
}

Result<std::uint64_t> Keeper::write(const fs::path& path,
                                    const std::function<Status(const Sink&)>& fill) {
  const UniqueFd fd = TRY(files_.create_unnamed(options_.folder));
  std::uint64_t written = 0;
  TRY(fill([&](ByteView bytes) -> Status {
    written += bytes.size();
    return files_.write(fd.get(), bytes);
  }));
  TRY(files_.sync_file(fd.get()));
  TRY(files_.link(fd.get(), path));
  TRY(files_.sync_folder(options_.folder));
  return written;
}

Result<UniqueFd> Keeper::open_sealed(const std::string& id) const {
  for (const fs::path& path : {narrowed_file(id), file(id)})
    if (UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); fd) return fd;
  return fail_errno("cannot open the sealed file of evidence " + id);
}

// The new file is whole before the old one goes.
Status Keeper::withdraw_review(const std::string& id) {
  if (!options_.review || !options_.evidence) return {};  // it was sealed to one key only
  const UniqueFd sealed = TRY(open_sealed(id));
  TRY(write(narrowed_file(id), [&](const Sink& sink) {
    return narrow(Purpose::evidence, source_of_file(sealed.get()), sink);
  }));
  return files_.remove(file(id));
}

Status Keeper::preserve(const std::string& id, const std::string& who, const std::string& why) {
  if (!can(Kept::preserved))
    return fail_with(Fault::us, "no-key",
                     "nothing can be preserved, because [evidence] in the configuration has no "
                     "evidence key: `portcullis evidence keygen` makes one");
  const WallTime now = clock_.now();
  TRY(ledger_.preserve(id, now + options_.keep_preserved, who, why, now));
  return withdraw_review(id);
}

Status Keeper::end(const std::string& id, EvidenceState how, const std::string& who,
                   const std::string& why) {
  TRY(ledger_.end_evidence(id, how, who, why, clock_.now()));
  return remove_files(id);
}

Status Keeper::remove_files(const std::string& id) {
  TRY(files_.remove(file(id)));
  return files_.remove(narrowed_file(id));
}

Result<std::size_t> Keeper::destroy_due(std::size_t most) {
  const auto due = TRY(ledger_.evidence_due(clock_.now(), most));
  for (const store::Evidence& one : due)
    TRY(end(one.id, EvidenceState::destroyed, "server", "its time is over"));
  return due.size();
}

Status Keeper::remove_orphans() {
  std::error_code error;
  const auto recent = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
    if (entry.last_write_time(error) > recent || error) continue;
    const auto row = TRY(ledger_.evidence(entry.path().stem().string()));
    if (!row || row->state != EvidenceState::kept) TRY(files_.remove(entry.path()));
  }
  if (error) return fail(Fault::storage, "cannot read {}", options_.folder.string());
  return {};
}

Result<double> Keeper::fullness() const {
  const auto bytes = TRY(ledger_.evidence_bytes());
  return options_.max_bytes == 0
             ? 1.0
             : static_cast<double>(bytes) / static_cast<double>(options_.max_bytes);
}

}  // namespace portcullis::evidence

// store/ledger.h: what was decided, what is kept as evidence, and what was done: rows that are
// never changed behind anybody's back. Part of store/store.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/result.h"
#include "policy/policy.h"
#include "store/audit.h"

namespace portcullis::store {

struct VerdictRecord {
  std::string id;  // a uuid
  Sha256 original;
  std::string ruleset;  // digest of policy, lists and models it was decided under
  policy::Verdict verdict;
  policy::Facts facts;
  WallTime when;
};

// For a moderator to look at, or because law or policy says so.
enum class Kept { held, preserved };
std::string_view name(Kept kept);
enum class EvidenceState { kept, released, destroyed };
std::string_view name(EvidenceState state);

// A sealed original. There is at most one that is kept for each digest.
struct Evidence {
  std::string id;  // a uuid, and the name of its sealed file
  Sha256 original;
  Kept kept = Kept::held;
  EvidenceState state = EvidenceState::kept;
  std::string rule;         // that wanted it kept first
  bool report_due = false;  // some rule wants it reported
  std::uint64_t bytes = 0;  // of the sealed file
  WallTime since, keep_until;
  std::string legal_hold = {};  // why it must not go although its time is over; empty: it may
  std::optional<WallTime> ended = {};
  std::uint64_t attempts = 0;  // to bring it in
  bool operator==(const Evidence&) const = default;
};

// One attempt to bring it in. Personal data stand here and nowhere else.
struct Attempt {
  std::string verdict;  // its id
  WallTime when;
  policy::Origin origin = policy::Origin::upload;
  std::string uploader;  // Lemmy's local_user.id, as claimed; empty: nobody
  Bytes salt;
  Bytes context;  // address, file name and the like, sealed
  bool operator==(const Attempt&) const = default;
};

// Where a long work stands, so that it goes on after a kill.
struct Job {
  std::string id, kind;
  std::string cursor;  // its own business
  std::uint64_t done = 0, found = 0;
  WallTime started, updated;
  bool operator==(const Job&) const = default;
};

// Every change writes its audit entry in the same commit; `who` is the actor that stands there.
class Ledger {
 public:
  virtual ~Ledger() = default;

  // --- verdicts ---
  // One without a picture: refusals.
  virtual Status record(const VerdictRecord& verdict) = 0;
  // Newest first.
  virtual Result<std::vector<VerdictRecord>> recent_verdicts(std::size_t most) = 0;
  virtual Result<std::optional<VerdictRecord>> verdict(const std::string& id) = 0;
  // Oldest first, those after number `after`; `number` of the last one goes there next time.
  struct VerdictPage {
    std::vector<VerdictRecord> verdicts;
    std::uint64_t last = 0;
  };
  virtual Result<VerdictPage> verdicts_after(std::uint64_t after, std::size_t most) = 0;

  // --- evidence ---
  // The one of that original that is kept.
  virtual Result<std::optional<Evidence>> evidence_of(const Sha256& original) = 0;
  virtual Result<std::optional<Evidence>> evidence(const std::string& id) = 0;
  // Newest first, all states if `kept_only` is false.
  virtual Result<std::vector<Evidence>> evidence_list(bool kept_only, std::size_t most) = 0;
  virtual Result<std::vector<Attempt>> attempts(const std::string& evidence) = 0;
  // Records the verdict and that its original is kept under `fresh.id`, whose sealed file is
  // written already; one that is kept gets another attempt instead, and if it was held and is to be
  // preserved now, it is from then on. Gives what is kept, as it is now: when its id is another
  // than fresh's, fresh's file is not needed. Code "held-quota" when the uploader has
  // `most_held` pictures held already.
  struct Keeping {
    Evidence evidence;
    bool promoted = false;  // from held to preserved
  };
  virtual Result<Keeping> keep(const VerdictRecord& verdict, const Evidence& fresh,
                               const Attempt& attempt, std::size_t most_held) = 0;
  virtual Status set_legal_hold(const std::string& id, const std::string& why,
                                const std::string& who, WallTime now) = 0;
  // A held one becomes preserved.
  virtual Status preserve(const std::string& id, WallTime keep_until, const std::string& who,
                          const std::string& why, WallTime now) = 0;
  // Ends it: `released` only for what is held, and its original stands on the allow-list from then
  // on; `destroyed` for what is held, and for what is preserved not before its time and not under a
  // legal hold (code "too-early"). The sealed file may go when this returned.
  virtual Status end_evidence(const std::string& id, EvidenceState how, const std::string& who,
                              const std::string& why, WallTime now) = 0;
  // Kept ones whose time is over and that no legal hold keeps.
  virtual Result<std::vector<Evidence>> evidence_due(WallTime now, std::size_t most) = 0;
  virtual Result<std::uint64_t> evidence_bytes() = 0;

  // --- the audit chain ---
  // Something that no other call here writes. Only actor, action, subject and details count.
  virtual Status audit(const AuditEntry& entry, WallTime now) = 0;
  virtual Result<std::vector<AuditEntry>> audit_after(std::uint64_t sequence, std::size_t most) = 0;
  virtual Result<std::optional<Head>> audit_head() = 0;

  // --- jobs ---
  // The one of that kind which is not finished.
  virtual Result<std::optional<Job>> job(const std::string& kind) = 0;
  virtual Status save_job(const Job& job) = 0;
  virtual Status finish_job(const std::string& id) = 0;
};

}  // namespace portcullis::store

// scan/scan.h: a spooled original goes in, a verdict comes out. Uploads, rescans and the command
// line share it.
//
// No network and no database: outside services come in as Signals that app/ hands in, remembered
// answers through Memory. A Ruleset is an immutable snapshot of policy, lists and models; a change
// makes a new one, and a scan under way ends with the one it began with. Scanner is thread-safe;
// scan() runs on the caller's loop and sends its work to pools.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/result.h"
#include "base/task.h"
#include "decoder/decoder.h"
#include "hash/hash.h"
#include "image/image.h"
#include "infer/infer.h"
#include "policy/policy.h"

namespace portcullis::scan {

// The bytes as they were sent. `fd` is borrowed and readable until the scan has ended.
struct Original {
  int fd = -1;
  std::uint64_t size = 0;
  Digests digests;
};

struct Subject {
  policy::Origin origin = policy::Origin::upload;
  std::string owner;          // one decode at a time for each; empty: no such limit
  image::Wishes wishes = {};  // limits beyond the ruleset's; its operations are not looked at
  decoder::Rendering rendering = {};  // what is to be stored
  policy::UploaderClass uploader = policy::UploaderClass::nobody;
  // Whether it varies a picture that its uploader was refused a short while ago; asked once it is
  // known what it looks like. Empty: it does not.
  std::function<bool(const std::vector<hash::Dihedral>&)> varies_refused = {};
};

// What a signal may look at. `seen`, `fingerprints` and `pictures` are null while nothing was
// decoded. `fd` is borrowed until the answer is there, and -1 when the bytes are not at hand.
struct Question {
  Digests digests;
  int fd = -1;
  std::uint64_t size = 0;
  const image::Seen* seen = nullptr;
  const std::vector<hash::Dihedral>* fingerprints = nullptr;
  const std::vector<decoder::Picture>* pictures = nullptr;  // of the signal's view size
};

// One source of evidence. Immutable; ask() may be called from several loops at once.
class Signal {
 public:
  virtual ~Signal() = default;
  virtual const policy::SignalDefinition& definition() const = 0;
  // What an answer depends on besides the original; part of the ruleset and of the key it is
  // remembered under.
  virtual const std::string& version() const = 0;
  // The picture it wants, if any.
  virtual std::optional<decoder::ViewSize> view() const { return std::nullopt; }
  // Whether an answer is worth remembering (it is dear, and depends on nothing but the original and
  // version()).
  virtual bool memorable() const { return false; }
  // For how long this one is, if so.
  virtual std::chrono::seconds lifetime(const policy::SignalAnswer&) const {
    return std::chrono::hours(24 * 90);
  }
  // What the digests alone say: match, or not_asked when more is needed for an answer.
  // Microseconds; no I/O.
  virtual policy::SignalAnswer ask_digests(const Digests&) const { return {}; }
  // Never fails: what cannot be answered is Answer::unanswered with the reason as detail.
  virtual Task<policy::SignalAnswer> ask(const Question& question, Deadline deadline) const = 0;
};

// A list that is configured; `list` is null when it cannot be read, and `why` says what is wrong.
struct NamedList {
  std::string name;
  std::shared_ptr<const hash::HashList> list;
  std::string why;
  std::string tag = {};  // empty: none
  int radius = 31;       // of near matches; the signal's own counts if it is smaller
  int min_quality = hash::kMinQuality;
  // Its matches stand in the answer's detail and in the log, and are none.
  bool observe = false;
  // From then on, having found nothing is no answer: its source knows more by now. A match is one.
  std::optional<WallTime> good_until = {};
};

// Looks a picture up in several lists. The detail names the list, its tag and the distance; what
// lists that are only observed say comes after "observed:", so that an answer stays what it is
// when it is replayed.
std::shared_ptr<const Signal> list_signal(policy::SignalDefinition definition,
                                          std::vector<NamedList> lists, Pool& cpu,
                                          const Clock& clock);
// `model` is null when it could not be loaded, `why` says what is wrong: every answer is then
// unanswered. An answer never comes later than `timeout` or the scan's own deadline, even if the
// model hangs: the caller stops waiting, and what the model says afterwards is thrown away. A
// question whose caller has gone before its turn is not asked.
std::shared_ptr<const Signal> classifier_signal(policy::SignalDefinition definition,
                                                std::shared_ptr<infer::Model> model,
                                                std::string why, Pool& inference,
                                                const Clock& clock,
                                                std::chrono::milliseconds timeout);

struct Ruleset {
  policy::Policy policy;
  std::vector<std::shared_ptr<const Signal>> signals;
  image::Rules rules;
  std::string digest;  // over all of the above
};
std::string ruleset_digest(const policy::Policy& policy,
                           const std::vector<std::shared_ptr<const Signal>>& signals);

// A rendition that was made of this original before.
struct Known {
  Sha256 blob;
  image::Seen seen;
};

// Remembered answers. Errors are treated as "not remembered" and "not allowed".
class Memory {
 public:
  virtual ~Memory() = default;
  virtual Task<std::optional<policy::SignalAnswer>> answer(const Sha256& original,
                                                           const std::string& signal,
                                                           const std::string& version) = 0;
  virtual Task<void> remember(const Sha256& original, const std::string& signal,
                              const std::string& version, const policy::SignalAnswer& answer,
                              std::chrono::seconds lifetime) = 0;
  virtual Task<std::optional<Known>> known(const Sha256& original,
                                           const std::string& operations) = 0;
  // Whether a moderator let exactly these bytes pass.
  virtual Task<bool> is_allowed(const Sha256&) { co_return false; }
};

struct Screening {
  policy::Facts facts;
  policy::Verdict verdict;
  std::string ruleset;
  std::string operations;
  // Set when the bytes are no picture this site takes, with the word for the client as code; then
  // there is no verdict.
  std::optional<Error> not_taken;
  std::optional<image::Seen> seen;
  // Either the rendition's bytes, or the digest of one that was made before and may still be
  // stored.
  std::shared_ptr<const decoder::SealedBytes> rendition;
  std::optional<Sha256> known_blob;
};

// Whether a known rendition may stand in for decoding; or must: what is not remembered then is
// unanswered, and the original's bytes are not needed.
enum class Reuse { yes, no, only };

class Scanner {
 public:
  struct Pools {
    Pool& decode;  // blocks in decoder::Pool::decode
  };
  Scanner(decoder::Pool& decoders, Pools pools, std::shared_ptr<const Ruleset> ruleset);

  // `memory` may be null.
  Task<Screening> scan(Original original, Subject subject, Memory* memory, Deadline deadline,
                       Reuse reuse = Reuse::yes);

  // Judges a stored picture once more, under today's ruleset: lists by what was seen of its
  // original then, classifiers by remembered answers or else by looking at what is stored.
  // `stored` has the original's digests and the rendition's bytes. Nothing is made of it.
  Task<Screening> scan_again(Original stored, image::Seen seen, Subject subject, Memory* memory,
                             Deadline deadline);

  void set_ruleset(std::shared_ptr<const Ruleset> ruleset);
  std::shared_ptr<const Ruleset> ruleset() const;

 private:
  decoder::Pool& decoders_;
  Pools pools_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Ruleset> ruleset_;
};

}  // namespace portcullis::scan

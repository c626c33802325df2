// media/ingest.h: the one way by which bytes come in: screened, then stored, or refused. Private to
// the room.
#pragma once

#include "media/backend.h"
#include "media/shared.h"

namespace portcullis::media {

// Where a picture comes from and what is to become of it.
struct Order {
  std::string request;  // its id, for the log
  scan::Subject subject;
  std::string alias = {};                       // empty: a new one
  std::string url = {};                         // where it was fetched
  std::string proxied = {};                     // the URL it is from now on served for
  std::optional<store::StandIn> stand_in = {};  // whose alias and token it takes over
  std::string parent = {};                      // the alias it is derived from, with which it goes
  Uploader uploader = {};
  std::string context = {};              // about the request, for evidence; JSON
  std::string delete_token = {};         // with `alias`; empty: a new one
  std::optional<WallTime> created = {};  // when the picture came; none: now
  // What the alias says it came as; none: as subject does.
  std::optional<policy::Origin> source = {};
};

store::VerdictRecord record_of(const scan::Screening& screening, WallTime now);

class Ingest {
 public:
  explicit Ingest(Shared& shared) : shared_(shared) {}

  // Nothing while uploads are open. An unreadable switch reads as closed.
  Task<std::optional<net::Response>> switched_off();
  // The same, and when there is no room.
  Task<std::optional<net::Response>> closed();

  // The verdict alone: what may be kept, or the answer that says why it may not; by then evidence
  // is kept if the verdict wants that.
  Task<std::expected<scan::Screening, NotTaken>> judge(const Spool& spool, const Order& order,
                                                       SteadyTime received, Deadline deadline,
                                                       scan::Reuse reuse);
  // For a picture that somebody else keeps: nothing when it may be kept.
  Task<std::optional<NotTaken>> judge_for_another(const Spool& spool, const Order& order,
                                                  SteadyTime received, Deadline deadline);

  // `received`: when the bytes had come; refusals leave at steps from there. `deadline` bounds
  // screening.
  Task<Taken> take(const Spool& spool, Order order, SteadyTime received, Deadline deadline);
  // The same for an original whose bytes are not at hand but everything about which is remembered;
  // nothing when that is not so.
  Task<std::optional<Taken>> take_remembered(const Digests& digests, std::uint64_t size,
                                             Order order, Deadline deadline);
  Task<void> undo(const std::vector<Uploaded>& files);

 private:
  Task<std::optional<NotTaken>> judged(const Spool& spool, const Order& order,
                                       const scan::Screening& screening, SteadyTime received);
  // Seals the original if the verdict wants that, and records the verdict in any case. Gives what
  // it is kept as.
  Task<std::optional<store::Kept>> keep(const Spool& spool, const Order& order,
                                        const store::VerdictRecord& record);
  Task<void> carry_out(const scan::Screening& screening, const store::VerdictRecord& record);
  Task<void> note_refusal(const std::string& rule);
  // Nothing when a known rendition is not stored any more.
  Task<std::expected<std::optional<Uploaded>, NotTaken>> stored_or_answer(
      const Order& order, const scan::Screening& screening, const Digests& digests,
      Deadline deadline);
  Task<void> wait_for_step(const Order& order, SteadyTime received);

  Shared& shared_;
};

}  // namespace portcullis::media

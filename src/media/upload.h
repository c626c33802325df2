// media/upload.h: the way of one upload, from its body to its answer. Private to this room.
#pragma once

#include "media/answers.h"
#include "media/media.h"
#include "media/spool.h"

namespace portcullis::media {

// One POST /image. Lives in the frame of the coroutine that serves the request.
class Media::Upload {
 public:
  Upload(const Options& options, Services& services, Counters& counters, scan::Memory& memory,
         SpoolBudget& budget)
      : options_(options),
        services_(services),
        counters_(counters),
        memory_(memory),
        budget_(budget) {}

  Task<net::Response> run(net::Request& request, net::BodyReader& body);

 private:
  // Nothing, or the answer that ends the upload.
  using Ended = std::optional<net::Response>;

  Task<Ended> closed();
  Task<Result<std::vector<Spool>>> receive(const net::Request& request, net::BodyReader& body);
  Task<Ended> take(const net::Request& request, const Spool& spool);
  // What the verdict says, when it is not to store.
  Task<Ended> judged(const net::Request& request, const scan::Screening& screening);
  Task<Result<std::optional<Uploaded>>> store(const scan::Screening& screening);
  Task<void> undo();
  Task<void> wait_for_step();

  const Options& options_;
  Services& services_;
  Counters& counters_;
  scan::Memory& memory_;
  SpoolBudget& budget_;
  SteadyTime received_{};
  std::vector<Uploaded> done_;
};

}  // namespace portcullis::media

// media/pict_rs_api.h: what a pict-rs behind this gate answers itself: pictures, what is known of
// them, deleting, the internal API. Private to the room.
//
// Whatever names a URL is answered by the alias that this gate keeps for it. Answers stream
// through; of their headers only those that are listed.
#pragma once

#include "media/instead.h"
#include "media/pict_rs.h"

namespace portcullis::media {

class PictRsApi {
 public:
  // The picture that a route is about, fetched if need be; its `elsewhere` is the alias.
  using Find = std::function<Task<Found<StoredPointer>>(const net::Request&, const Route&,
                                                        bool relayed, bool may_fetch)>;
  PictRsApi(Shared& shared, Find find)
      : shared_(shared), pict_rs_(shared), find_(std::move(find)) {}

  // What a route wants of a picture that is elsewhere. The route is one that the request may have,
  // and its operations are such that can be done.
  Task<net::Response> about(const net::Request& request, const Route& route, bool relayed,
                            StoredPointer picture);
  Task<net::Response> remove(const Route& route);
  Task<net::Response> health();
  // Everything of the internal API but import, for who has shown the key.
  Task<net::Response> internal(const Route& route, net::BodyReader& body,
                               Answered<std::string> alias);
  // Copies of remote pictures that went unused, and uploads that were never claimed.
  Task<void> tidy_up();

 private:
  using Target = std::function<std::string(const std::string& alias)>;
  Target target_of(const Route& route) const;
  // Nothing when the alias is no stand-in. A copy that is kept for its URL goes when it is purged.
  Task<std::optional<net::Response>> remove_stand_in(const Route& route, const std::string& alias);
  Task<net::Response> purge(const std::string& alias);
  Task<net::Response> pass(PictRs::Ask ask);
  Deadline soon() const {
    return shared_.services.clock.steady() + shared_.options.variant_timeout;
  }

  Shared& shared_;
  PictRs pict_rs_;
  Find find_;
};

// Of a request for a picture, what pict-rs is told. A relayed one asks under no condition. Pure.
std::vector<net::Header> headers_to_pict_rs(const net::Request& request, bool relayed);
// pict-rs's answer to a request for a picture, as it goes to the client.
net::Response picture_answer(net::UpstreamAnswer answer, bool relayed,
                             std::chrono::seconds cache_max_age);

}  // namespace portcullis::media

// media/remotes.h: pictures that others host: fetched, screened and stored, or not, as the switch
// `remote` says. Private to the room.
#pragma once

#include "base/flights.h"
#include "media/ingest.h"
#include "media/instead.h"
#include "media/refills.h"
#include "media/routes.h"
#include "media/variants.h"

namespace portcullis::media {

class Remotes {
 public:
  Remotes(Shared& shared, Variants& variants)
      : shared_(shared),
        variants_(variants),
        ingest_(shared),
        refills_(shared.services.clock.steady()) {}

  // GET image/download: a copy that is kept, under an alias of its own, or a stand-in.
  Task<net::Response> download(const net::Request& request, const Route& route);

  enum class Miss { fetch, give_up };
  // The copy that is served for a URL; `announced_only` for requests that were passed on.
  Task<Found<StoredPointer>> proxied(const net::Request& request, std::string url,
                                     bool announced_only, Miss miss);
  // What an alias stands for: a stored picture, or a stand-in.
  Task<Found<StoredPointer>> by_alias(const net::Request& request, const std::string& alias,
                                      Miss miss);
  // The alias of that copy; "alias-not-found" or "proxy-not-found" as the answer. Never fetches.
  Task<Answered<std::string>> alias_of(std::string url);

  void abandon() { flights_.abandon(); }

 private:
  // What a URL is about.
  struct Subject {
    std::string url;    // to be fetched, when alias is empty
    std::string alias;  // a picture of this very site
  };
  Answered<Subject> subject_of(std::string url) const;
  Task<Taken> fetch_and_take(Order order);
  Task<Taken> download_subject(Subject subject, Order order);
  Task<Taken> download_remote(Order order);
  Task<Taken> download_once(Order order);
  // Of a picture of this site that the pict-rs behind this gate keeps: it is screened once more,
  // because it may be older than the gate.
  Task<Taken> take_copy(std::string alias, Order order);
  Task<void> download_in_background(Subject subject, Order order, std::string id);
  Task<std::optional<Taken>> remembered(const Order& order);
  Task<Answered<std::optional<store::Remote>>> look_up(const std::string& url);
  // What becomes of remote pictures now. Unless an admin said so: kept where a classifier looks at
  // them.
  Task<Answered<store::RemotePictures>> state();
  bool is_remembered_as_refused(const std::optional<store::Remote>& remote,
                                store::RemotePictures state) const;
  // What is shown for a URL in every state that does not look for a copy; nothing in the one that
  // does.
  std::optional<Instead> shown_instead(const std::optional<store::Remote>& remote,
                                       const std::string& url, store::RemotePictures state) const;
  Task<Found<StoredPointer>> fill(const net::Request& request, const store::StandIn& stand_in);
  Task<Taken> new_stand_in(const std::string& url);
  // In front of a pict-rs a stand-in stays one, and shows the copy that is kept for its URL: that
  // copy, if there is one; or a new one.
  Task<std::optional<Found<StoredPointer>>> copy_elsewhere(
      const std::optional<store::Remote>& remote, const std::string& url);
  Task<Found<StoredPointer>> fill_elsewhere(const net::Request& request, const std::string& url);

  Shared& shared_;
  Variants& variants_;
  Ingest ingest_;
  Refills refills_;
  Flights<std::string, Taken> flights_;
};

// The alias in a URL of this site: "/pictrs/image/ALIAS" or "/api/v4/image/ALIAS"; or the URL in
// "/api/v3/image_proxy?url=" or "/api/v4/image/proxy?url=". Both empty for anything else. Pure.
struct OwnUrl {
  std::string alias, remote;
  bool operator==(const OwnUrl&) const = default;
};
OwnUrl own_url(std::string_view url);

}  // namespace portcullis::media

// media/internal.h: the internal API, for whoever holds the key. Private to the room.
#pragma once

#include "media/pict_rs_api.h"
#include "media/remotes.h"
#include "media/routes.h"

namespace portcullis::media {

class Internal {
 public:
  // `pict_rs`, which answers in place of the own store, may be null.
  Internal(Shared& shared, Remotes& remotes, PictRsApi* pict_rs)
      : shared_(shared), remotes_(remotes), pict_rs_(pict_rs) {}

  // Whether the request carries the key; no key that is configured lets nobody in.
  bool may(const net::Request& request) const;

  // Everything but import.
  Task<net::Response> handle(const Route& route, net::BodyReader& body);

  // Alias of the picture to show for those that are not there; empty: none.
  Task<std::string> not_found_alias();

 private:
  Task<Answered<std::string>> subject(const Route& route);
  Task<net::Response> remove(std::string alias);
  Task<net::Response> purge(std::string alias);
  Task<net::Response> aliases(std::string alias);
  Task<net::Response> identifier(std::string alias);
  Task<net::Response> remove_variants();
  Task<net::Response> set_not_found(net::BodyReader& body);
  Task<net::Response> hashes(const Route& route);
  Task<net::Response> prune_missing(const Route& route);
  Task<void> remove_all_variants();
  Task<void> prune();

  struct Pruning {
    std::mutex mutex;
    bool is_running = false, is_complete = false;
    std::uint64_t progress = 0, total = 0;
  };

  Shared& shared_;
  Remotes& remotes_;
  PictRsApi* pict_rs_;
  Pruning pruning_;
};

// The alias in the body of set_not_found.
Task<Answered<std::string>> alias_to_show(net::BodyReader& body);

}  // namespace portcullis::media

// lemmy/origins.h: where a thumbnail came from, by the posts that show it. Private to the room.
// Pure.
#pragma once

#include <span>

#include "lemmy/lemmy.h"

namespace portcullis::lemmy {

// Which addresses are this site's.
struct OwnSite {
  std::string url;                 // "https://lemmy.example"
  std::vector<std::string> hosts;  // lower case, without port
};

// http(s) on a host of other people: something that a post may be sent to.
bool is_foreign(const std::string& url, const OwnSite& site);

// A post that shows the thumbnail, as the database has it.
struct Shows {
  Post post;                 // `url` as it stands there, proxied or not
  std::string content_type;  // of the URL, as Lemmy saw it; empty: it did not look
};
// Fills in everything but alias and token. `shows` in the order of posts' ids.
void trace(Thumbnail& thumbnail, std::span<const Shows> shows, const OwnSite& site);

}  // namespace portcullis::lemmy

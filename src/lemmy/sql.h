// lemmy/sql.h: how a picture's address is recognised inside of the database. Private to the room.
// Pure: texts of SQL made of column names of ours and the site's own address.
#pragma once

#include <string>
#include <string_view>

#include "lemmy/origins.h"

namespace portcullis::lemmy {

// The temporary tables that a survey fills.
inline constexpr std::string_view kShown = "pg_temp.portcullis_shown";          // by thumbnail_url
inline constexpr std::string_view kSought = "pg_temp.portcullis_sought";        // stems looked for
inline constexpr std::string_view kElsewhere = "pg_temp.portcullis_elsewhere";  // and found

// regexp_matches(TEXT, this, 'g'): aliases of any site, in either spelling, percent-encoded (inside
// of a proxied address) or not; decoded by alias_in().
std::string picture_pattern();
// The alias in what picture_pattern() found.
std::string alias_in(std::string_view found);
// An alias up to its extension, which text after an address may run into; NULL for what is none.
// What agrees in this is taken for the same picture.
std::string stem_of(std::string_view alias);
// Whether an address, proxied by this site or not, is on one of this site's hosts.
std::string is_own(std::string_view url, const OwnSite& site);
// The site's address of an alias; `path` is "/pictrs/image/" or "/api/v4/image/".
std::string address_of(std::string_view alias, std::string_view path, const OwnSite& site);

}  // namespace portcullis::lemmy

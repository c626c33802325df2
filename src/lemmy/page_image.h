// lemmy/page_image.h: which picture a page or a post names as its own, as Lemmy would have found it
// when it made a thumbnail. Pure; what is read are strangers' bytes.
#pragma once

#include <string>
#include <string_view>

namespace portcullis::lemmy {

// What a caller need fetch of a page: Lemmy looks no further either.
inline constexpr std::size_t kPageBytes = 512 * 1024;

// The address in the first `<meta property="og:image" content="…">` of an HTML page (also
// og:image:url, og:image:secure_url and name=), as it stands there, with character references of
// the usual kind replaced; it may be relative. Empty: there is none. Looks at the first kPageBytes,
// and not into comments, scripts and styles.
std::string page_image(std::string_view html);

// `image.url` of an ActivityPub object in JSON. Empty: there is none, or it is no JSON.
std::string activity_image(std::string_view json);

}  // namespace portcullis::lemmy

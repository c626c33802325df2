// lemmy/lemmy.h: Lemmy's own database: which stored pictures came from other sites, and which
// remote ones Lemmy announced. Everything is read, and one column can be written.
//
// Lemmy keeps what it uploads and what it fetches in one place and marks neither, so that "is this
// federated?" has to be answered of several tables:
//
//   * A row of `local_image` says whether an alias is a person's upload or a thumbnail that Lemmy
//     made. Only thumbnails are ever given out here.
//   * A thumbnail that something else shows as well (a comment, an avatar, a post's address, an
//     emoji …) is left out: its address must go on working. That `post.thumbnail_url` names an
//     alias proves nothing, since anybody may set it to anybody's upload.
//   * A thumbnail of which every post is about a picture of this very site is left out: it shows
//     somebody's upload, not a remote picture.
//   * Old aliases have no row. They are a pass of their own (without_row), which must be asked for:
//     an alias counts only if nothing but thumbnails of other sites' posts names it.
//
// survey() finds out all of that at once: it reads each table that may name a picture once, from
// one end to the other, and keeps what it found in temporary tables of its session. It costs a
// sequential read of post, comment, private_message, person, community and the small ones (a few
// minutes for tens of millions of comments), no lock that Lemmy would notice, and temporary disk
// space on the database's server of about 300 bytes for each thumbnail. After it every page is an
// index scan. What was posted after the survey is not seen: thumbnails younger than ten minutes
// before it are not given out, and a comment that shows an older one since then is missed, which is
// why a purged alias goes on leading to its origin.
//
// Works with PostgreSQL 15 to 18 and Lemmy from 0.19.4 on. A password never stands in an error.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portcullis::lemmy {

enum class Generation { v0_19, v1_0 };         // 0.19.4 and newer; 1.0
std::string_view name(Generation generation);  // "0.19", "1.0"

// What is going to be done; open() wants the rights for that and no others. Each may do what the
// ones before it may, and rewriting alone opens a session that can change Lemmy's tables.
enum class Use {
  announced,   // SELECT on remote_image and a few columns of site
  thumbnails,  // SELECT on every column that may name a picture; TEMPORARY on the database
  rewriting,   // UPDATE (thumbnail_url) on post; DELETE on local_image and image_details. Lemmy's
               // own triggers on post run with the same user's rights, so use Lemmy's own user
};

struct Options {
  Use use = Use::announced;
  // [site] hosts, lower case: the database's own site must be one of them. Empty: any site. All of
  // them count as this site when an origin is looked at.
  std::vector<std::string> hosts = {};
  std::chrono::seconds connect_timeout{10};
  std::chrono::milliseconds statement_timeout{60'000};
  std::chrono::milliseconds survey_timeout{std::chrono::hours(6)};  // of one table
};

// A post that shows a thumbnail.
struct Post {
  std::int64_t id = 0;
  std::string url;    // what it links to, un-proxied as an origin is; empty: nothing
  std::string ap_id;  // its own address, on the site where it was written
  bool local = false;
  bool operator==(const Post&) const = default;
};

enum class OriginSource {
  none,        // not known here: ask the post's page or ap_id
  image_post,  // the post's own address, which Lemmy saw to be a picture
  image_name,  // the post's own address, which only ends as pictures do; from before Lemmy looked
};

struct Thumbnail {
  std::string alias;
  std::string delete_token;  // empty: none known (1.0, or without a row)
  std::string origin;        // http or https, on no host of this site; empty: not known
  OriginSource source = OriginSource::none;
  // The post it was made for, or the oldest that shows it. None: no post shows it any more (Lemmy
  // makes another thumbnail at each edit), so `origin` is empty too.
  std::optional<Post> post = std::nullopt;
  // Several posts show it and do not link to the same picture, so that nobody can tell whose it
  // was; `origin` is empty then, and what stands behind `post` should not be taken for it either.
  bool is_disputed = false;
  bool operator==(const Thumbnail&) const = default;
};

// What a survey found. `federated` and `without_row` are what the two passes give.
struct Survey {
  std::uint64_t federated = 0;
  std::uint64_t without_row = 0;
  std::uint64_t of_own_pictures = 0;  // thumbnails left out because they show this site's pictures
  std::uint64_t shown_elsewhere = 0;  // thumbnails left out because something else shows them
  std::uint64_t uploads = 0;          // rows that are somebody's upload
  bool operator==(const Survey&) const = default;
};

struct Rewrite {
  std::string alias;
  std::string origin;  // http or https, not on this site
};

// One session. Blocks; one thread at a time. After Fault::upstream with code "database-lost" it is
// of no use any more: open another one, survey again, and go on after the last cursor.
class Database {
 public:
  virtual ~Database() = default;

  virtual Generation generation() const = 0;
  // "https://lemmy.example", as Lemmy writes it; an alias's address is this and "/pictrs/image/"
  // or "/api/v4/image/" and the alias.
  virtual const std::string& site_url() const = 0;

  // --- URLs that Lemmy announced: table remote_image, filled in mode ProxyAllImages alone ---
  virtual Result<std::uint64_t> count_announced() = 0;
  // In the database's order, those after `after` (empty: from the first), at most `most`. Fewer:
  // that was the last page. As Lemmy has them: own addresses and nonsense may be among them.
  virtual Result<std::vector<std::string>> announced_after(const std::string& after,
                                                           std::size_t most) = 0;

  // --- federated thumbnails ---
  // Once before the two passes. `on_table` is told before each table is read.
  using OnTable = std::function<void(std::string_view table, std::size_t done, std::size_t total)>;
  virtual Result<Survey> survey(const OnTable& on_table = {}) = 0;
  // Those with a row, in the database's order of aliases, after alias `after` (empty: from the
  // first), at most `most` (10,000 are a few MB). Fewer: that was the last page.
  virtual Result<std::vector<Thumbnail>> federated_after(const std::string& after,
                                                         std::size_t most) = 0;
  // The same for those without a row.
  virtual Result<std::vector<Thumbnail>> without_row_after(const std::string& after,
                                                           std::size_t most) = 0;

  // --- writing; Use::rewriting only. Each call is one transaction, best of some 10,000 ---
  // Puts the origin where a post's thumbnail_url is exactly an alias's address on this site, in
  // either spelling; gives how many posts were changed. Finds posts by the survey, so one that took
  // an alias since is left. An origin that is not http(s), or on this site: Fault::us, and nothing
  // is changed.
  virtual Result<std::uint64_t> rewrite_thumbnails(std::span<const Rewrite> rewrites) = 0;
  // Rows of thumbnails that are gone, in local_image (never an upload's) and image_details; gives
  // how many of local_image went. Without it they only show as dead links in lists of media.
  virtual Result<std::uint64_t> remove_rows(std::span<const std::string> aliases) = 0;
};

// `url` is postgres://USER:PASSWORD@HOST:PORT/DATABASE, or with a socket's folder
// postgres://USER@/DATABASE?host=/var/run/postgresql. Errors say what to do. Fault::upstream:
// unreachable, or it refuses the user. Fault::client: no such address, a schema that is not known,
// rights that are missing (each with the GRANT that gives them), a database of another site.
Result<std::unique_ptr<Database>> open(const std::string& url, const Options& options);

// What a picture's or post's address stands for: the `url` inside of "/api/v3/image_proxy?url=" or
// "/api/v4/image/proxy?url=" on `site_url`, in whatever case it is percent-encoded; anything else
// as it is. Pure.
std::string unproxied(std::string_view url, std::string_view site_url);

// --- where else an origin may be found: what strangers' pages say, as Lemmy would have read them
// ---

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

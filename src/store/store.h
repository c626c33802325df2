// store/store.h: the rows that must persist: aliases, blobs, verdicts, answers, switches, hash
// lists.
//
// Store is an interface with one implementation per database engine; one conformance suite
// (store_conformance.h) runs on each. All calls block and are thread-safe; run them on the db pool.
// A call that returned success is durable (SQLite: WAL with synchronous=FULL, writers grouped into
// one commit). Errors are Fault::storage.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/result.h"
#include "policy/policy.h"
#include "store/ledger.h"
#include "store/switches.h"

namespace portcullis::store {

// What is known of a stored rendition; mirrors what pict-rs calls details.
struct Details {
  std::uint32_t width = 0, height = 0;
  std::optional<std::uint32_t> frames;  // none for a still
  std::string content_type;             // "image/jpeg"
  std::string blurhash;                 // empty: not computed
  std::uint64_t bytes = 0;
  bool operator==(const Details&) const = default;
};

struct Alias {
  std::string alias;         // "<uuid>.jpeg"
  std::string delete_token;  // a uuid
  Sha256 blob;
  WallTime created;
  policy::Origin source = policy::Origin::upload;
  std::string parent = {};    // the alias it was derived from, with which it goes; empty: none
  std::string url = {};       // where it was fetched; empty: nowhere
  std::string uploader = {};  // Lemmy's local_user.id, as the upload claimed; empty: nobody
  bool operator==(const Alias&) const = default;
};

struct AliasAndDetails {
  Alias alias;
  Details details;
};

// One signal's remembered answer about an original. Unanswered is never remembered.
struct AnswerKey {
  Sha256 original;
  std::string signal;
  std::string version;
  bool operator==(const AnswerKey&) const = default;
};

// How a rendition was made from an original, so that known bytes are not decoded again.
struct RenditionRecord {
  Sha256 original;
  std::string operations;  // canonical text of what was asked of the decoder, its version included
  Sha256 blob;
  std::string facts;  // JSON of what the decoder saw (format, size, fingerprints)
  // Of the original as well, for lists that come later; none: written before this was kept.
  std::optional<Digests> digests = std::nullopt;
};

struct HashListRow {
  std::string name;     // "csam/ncmec"; [A-Za-z0-9._-] and '/'
  std::string file;     // name of the flat file in lists/
  std::string version;  // its digest in hexadecimal
  std::uint64_t count = 0;
  std::string source;  // where the entries came from: a path or URL; whole, so not to be shown
  WallTime added;
  std::string format = {}, kind = {};  // as it is read; kind empty: each entry says it
  std::string credentials = {};     // where they are, "env:NAME" or "file:PATH"; never themselves
  std::string tag = {};             // for moderators, and for a policy to choose by
  std::uint32_t radius = 31;        // of near matches
  std::uint32_t min_quality = 50;   // of a picture that may have near matches
  bool observe = false;             // its matches are told and do not count
  WallTime checked = {};            // when its source last gave it, changed or not
  std::chrono::seconds max_age{0};  // since then; 0: any
  bool operator==(const HashListRow&) const = default;
};

// One digest of a picture that this site banned, kept in the list `banned`.
struct Ban {
  std::string of;      // what was banned: "sha256:…", "pdq:…"
  std::string kind;    // of the digest
  std::string digest;  // in hexadecimal
  std::string who, why;
  WallTime when;
  bool operator==(const Ban&) const = default;
};

// A picture that a moderator let pass, by its exact bytes.
struct Allowed {
  Sha256 sha256;
  std::string who, why;
  WallTime when;
  bool operator==(const Allowed&) const = default;
};

// A size or look of a stored picture, made when it was asked for.
struct Variant {
  Sha256 of;        // the blob it was made of
  std::string key;  // "thumbnail/96/webp"
  Sha256 blob;
  bool operator==(const Variant&) const = default;
};

// What lay behind a URL when it was last fetched.
struct Fetch {
  Digests original;
  std::uint64_t bytes = 0;
  WallTime when;
  bool refused = false;  // because of what it shows
};
struct Remote {
  bool announced = false;      // Lemmy itself has asked for it
  std::optional<Fetch> fetch;  // none: never fetched
  std::string alias;           // of the copy that is served for it; empty: none
  bool purged = false;         // such a copy was purged, and none has come since
};

// An alias without a picture of ours: what is shown for it depends on what lies at `url`, and on
// the switch `remote`. One that stood for a stored copy before that was purged is a tombstone.
struct StandIn {
  std::string alias;
  std::string delete_token;
  std::string url;
  WallTime created;
  bool purged = false;
  bool operator==(const StandIn&) const = default;
};

// That something was asked for; decides what goes first when space is needed.
struct Access {
  std::string url;  // of a proxied copy; empty: a variant
  Sha256 of;        // of a variant
  std::string key = {};
  WallTime when;
};

// A picture that was screened here and is kept by a pict-rs, under the alias that it gave.
struct HandedOn {
  std::string alias, delete_token;
  Sha256 original;  // that was screened
  WallTime created;
  policy::Origin source = policy::Origin::upload;
  std::string parent = {}, url = {}, uploader = {};  // as in Alias
  bool operator==(const HandedOn&) const = default;
};

struct BlobEntry {
  Sha256 blob;
  Details details;
  WallTime created;
  std::vector<std::string> aliases;
};
struct BlobPage {
  std::vector<BlobEntry> entries;     // newest first
  std::optional<BlobEntry> previous;  // the first one of the page before; without aliases
  std::optional<BlobEntry> next;      // the first one of the page after; without aliases
};

// The setting that changes with every unpublish().
inline constexpr std::string_view kLastUnpublished = "last-unpublished";

// Bytes of stored blobs: of all, and of those that only variants need.
struct Usage {
  std::uint64_t all = 0, variants = 0;
};

// `blobs` and `blob_bytes`: stored ones; `refused`: verdicts that refuse or hold.
struct Counts {
  std::uint64_t aliases = 0, blobs = 0, pending = 0, verdicts = 0, refused = 0;
  std::uint64_t blob_bytes = 0;
  std::uint64_t evidence = 0, held = 0, evidence_bytes = 0;  // kept now; of them held
};

class Store : public Ledger {
 public:
  // What went, and the bytes that are free once it is swept.
  struct Gone {
    std::vector<std::string> aliases;
    std::size_t variants = 0;
    std::uint64_t bytes = 0;
  };

  // --- an upload, in two transactions (design §4.8) ---
  // First: claims the digest. The blob becomes `pending` for this claim unless it is stored
  // already; a digest that is being swept is waited for (Fault::limits after a while). The blob may
  // be written once this returned.
  struct Claim {
    std::int64_t id = 0;
    bool already_stored = false;  // no blob needs to be written
  };
  virtual Result<Claim> claim(const Sha256& blob, const Details& details, WallTime now) = 0;

  // Second: re-reads the switch that the picture is subject to unless it is derived from a stored
  // one (`uploads` closed: fails with code "uploads-closed"; a remote one while `remote` was
  // flipped to anything but `cache`: "remote-closed"; neither commits anything), then alias,
  // verdict, rendition and blob state in one commit. The alias must be new (code "duplicate-alias")
  // or, if `fills_stand_in`, that of a stand-in, which goes (code "gone" when it is not there any
  // more); its parent must exist (code "gone").
  struct Publication {
    std::int64_t claim = 0;
    Alias alias;
    std::optional<VerdictRecord> verdict;      // none: derived from a stored picture
    std::optional<RenditionRecord> rendition;  // likewise
    std::string proxied = {};  // URL that the alias is from now on served for; empty: none
    bool fills_stand_in = false;
  };
  virtual Status publish(const Publication& publication) = 0;
  // The same for a variant; code "gone" when no alias needs the blob it was made of any more.
  virtual Status publish_variant(std::int64_t claim, const Variant& variant, WallTime now) = 0;
  // Gives a claim up; the sweeper removes the blob if nothing else holds it.
  virtual Status abandon(std::int64_t claim) = 0;

  // --- serving ---
  virtual Result<std::optional<AliasAndDetails>> find(const std::string& alias) = 0;
  virtual Result<std::optional<RenditionRecord>> rendition(const Sha256& original,
                                                           const std::string& operations) = 0;
  virtual Result<std::optional<Details>> details(const Sha256& blob) = 0;
  // RenditionRecord::facts of some original that the blob was made of; empty if there is none.
  virtual Result<std::string> facts_of(const Sha256& blob) = 0;
  // What is known of the originals that a blob was made of, and where it stands.
  struct Provenance {
    std::vector<RenditionRecord> originals;
    std::vector<Alias> aliases;
  };
  virtual Result<Provenance> provenance(const Sha256& blob) = 0;
  struct VariantAndDetails {
    Sha256 blob;
    Details details;
    WallTime created;
  };
  virtual Result<std::optional<VariantAndDetails>> variant(const Sha256& of,
                                                           const std::string& key) = 0;
  // The aliases of the same blob, this one among them; empty when it is unknown.
  virtual Result<std::vector<std::string>> aliases_with(const std::string& alias) = 0;
  // Blobs that have aliases, at most `most`, newest first: from `from` on if that is given and
  // known, else those older than `before`, else from the newest.
  virtual Result<BlobPage> blobs(std::size_t most, std::optional<Sha256> from,
                                 std::optional<WallTime> before) = 0;

  // --- remote pictures ---
  virtual Result<std::optional<Remote>> remote(const std::string& url) = 0;
  virtual Status announce(const std::string& url, WallTime now) = 0;
  // The same for many, in one commit.
  virtual Status announce_all(const std::vector<std::string>& urls, WallTime now) = 0;
  virtual Status remember_fetch(const std::string& url, const Fetch& fetch) = 0;
  virtual Result<std::optional<StandIn>> stand_in(const std::string& alias) = 0;
  // Code "duplicate-alias" when the alias is taken.
  virtual Status put_stand_in(const StandIn& value) = 0;

  // --- purging what others host ---
  // Aliases of stored remote pictures, those after `after` in their order, at most `most`. Of one
  // that is served for its URL nobody knows the alias.
  struct RemoteAlias {
    Alias alias;
    std::uint64_t bytes = 0;
    bool is_proxied = false;
  };
  virtual Result<std::vector<RemoteAlias>> remote_aliases_after(const std::string& after,
                                                                std::size_t most) = 0;
  struct RemoteCounts {
    std::uint64_t aliases = 0, without_origin = 0;
    std::uint64_t bytes = 0;  // of blobs that only these need
  };
  virtual Result<RemoteCounts> count_remote() = 0;
  // Each of these that is stored still and is no user's upload goes, and, where its origin is known
  // (from `alias.url`), a tombstone stays. With those derived from it. The job's cursor moves in
  // the same commit. A user's upload of the same bytes stays.
  virtual Result<Gone> purge_remote(const std::vector<Alias>& aliases, const Job& job,
                                    WallTime now) = 0;

  // --- purging by other keys ---
  struct Selection {
    std::string uploader = {};       // all that this account uploaded
    std::string host = {};           // all that was fetched from there
    std::vector<Sha256> blobs = {};  // all of these
  };
  // Stored blobs that are `digest`, or were made of an original that is.
  virtual Result<std::vector<Sha256>> blobs_of(const Sha256& digest) = 0;
  // Aliases that a selection means, after `after`, at most `most`.
  virtual Result<std::vector<Alias>> selected_after(const Selection& selection,
                                                    const std::string& after, std::size_t most) = 0;
  // Takes aliases off the site, with those derived from them: each answers 410 from then on. `why`
  // is for the audit chain.
  virtual Result<Gone> take_off(const std::vector<std::string>& aliases, const std::string& why,
                                const std::string& who, WallTime now) = 0;

  // --- pictures that a pict-rs keeps ---
  // What was handed on, and its verdict, in one commit that re-reads the switches as publish()
  // does. An alias that is known already is replaced: pict-rs gives none twice. `proxied`: URL that
  // it is from now on served for; empty: none.
  virtual Status hand_on(const HandedOn& picture, const VerdictRecord& verdict,
                         const std::string& proxied) = 0;
  virtual Result<std::optional<HandedOn>> handed_on(const std::string& alias) = 0;
  // Forgets an alias that pict-rs keeps no longer. Gives those that were derived from it and are to
  // go as well, which are still known.
  virtual Result<std::vector<HandedOn>> let_go(const std::string& alias) = 0;
  // Those served for a URL that nobody has asked for since `before`, at most `most`.
  virtual Result<std::vector<HandedOn>> unused_handed_on(WallTime before, std::size_t most) = 0;

  // --- what may go ---
  virtual Status touch(const std::vector<Access>& accesses) = 0;
  // Variants not asked for since `before`, at most `most`.
  virtual Result<Gone> expire_variants(WallTime before, std::size_t most) = 0;
  // Proxied copies not asked for since `before`, at most `most`.
  virtual Result<Gone> expire_proxied(WallTime before, std::size_t most) = 0;
  // Of variants, and of proxied copies too unless `variants_alone`, those that nobody has asked for
  // the longest, until `bytes` are freed, at most `most`; when none are left, pictures that Lemmy
  // had downloaded, the oldest first, each of which leaves a tombstone.
  virtual Result<Gone> evict(std::uint64_t bytes, bool variants_alone, std::size_t most) = 0;
  virtual Result<Usage> usage() = 0;

  // --- settings: small values that an admin sets through the API ---
  virtual Result<std::optional<std::string>> setting(const std::string& name) = 0;
  virtual Status put_setting(const std::string& name, const std::string& value) = 0;

  // --- deleting ---
  enum class Deleted { yes, unknown_alias, wrong_token };
  struct Deletion {
    Deleted outcome = Deleted::yes;
    std::vector<std::string> aliases;  // that went: this one, and those derived from it
  };
  // A stand-in is deleted in the same way.
  // `token` is compared in constant time; none: whoever asks may delete. When the last alias goes
  // the blob becomes `deleting`, with its variants.
  virtual Result<Deletion> delete_alias(const std::string& alias,
                                        const std::optional<std::string>& token) = 0;
  // All aliases of the alias's blob, those derived from them, and the blob's variants. Empty when
  // the alias is unknown.
  virtual Result<std::vector<std::string>> purge(const std::string& alias) = 0;
  // A blob whose file is lost: the same, by its digest.
  virtual Result<std::vector<std::string>> forget_blob(const Sha256& blob) = 0;
  // Takes a picture off the site because of a verdict: all its aliases, those derived from them and
  // its variants go, and each alias is remembered as gone. The verdict is recorded already.
  virtual Result<std::vector<std::string>> unpublish(const Sha256& blob, const std::string& verdict,
                                                     const std::string& who, WallTime now) = 0;
  // Whether an alias was unpublished, or refused.
  virtual Result<bool> is_gone(const std::string& alias) = 0;
  // Whether it is the name of an imported picture that somebody deleted here.
  virtual Result<bool> was_deleted(const std::string& alias) = 0;
  // Remembers names, under which a picture was known elsewhere, as gone: because of a verdict,
  // which is recorded already, it does not come in.
  virtual Status remember_gone(const std::vector<std::string>& aliases, const std::string& verdict,
                               WallTime now) = 0;
  // Stored blobs after `after` in the order of their digests, at most `most`.
  virtual Result<std::vector<Sha256>> stored_after(const std::optional<Sha256>& after,
                                                   std::size_t most) = 0;
  // Digests to remove from disk: `deleting` ones, and `pending` ones whose claims are all given up
  // or belong to an earlier run of the server (begin_run). Each stays locked against claim() until
  // removed() or a restart, whichever process claims; one that was not removed() is given out
  // again. Only one sweeper may be at work: a second would remove what a claim wrote anew after the
  // first.
  virtual Result<std::vector<Sha256>> sweepable(std::size_t most) = 0;
  virtual Status removed(const Sha256& blob) = 0;
  // Whether a digest on disk is known at all; a file that is not is an orphan.
  virtual Result<bool> knows(const Sha256& blob) = 0;
  // Called once when a server starts: claims of earlier runs become sweepable.
  virtual Status begin_run() = 0;

  // --- remembered answers ---
  virtual Result<std::optional<policy::SignalAnswer>> answer(const AnswerKey& key,
                                                             WallTime now) = 0;
  // An answer that says nothing (unanswered, not asked) is refused with Fault::us.
  virtual Status remember(const AnswerKey& key, const policy::SignalAnswer& answer,
                          WallTime until) = 0;
  // Forgets answers that count no longer, at most `most`; gives how many.
  virtual Result<std::size_t> expire_answers(WallTime now, std::size_t most) = 0;

  // --- switches and lists ---
  virtual Result<std::optional<Switch>> get_switch(const std::string& name) = 0;
  // Those that were ever flipped.
  virtual Result<std::vector<Switch>> switches() = 0;
  virtual Status set_switch(const Switch& value) = 0;
  // How many pictures were refused or held after `since` because of what they show, by rule.
  virtual Result<std::map<std::string, std::uint64_t>> refusals_by_rule(WallTime since) = 0;
  virtual Result<std::vector<HashListRow>> lists() = 0;
  virtual Status put_list(const HashListRow& row) = 0;            // adds or replaces
  virtual Result<bool> remove_list(const std::string& name) = 0;  // false: there was none

  // --- the site's own bans ---
  virtual Result<std::vector<Ban>> bans() = 0;  // in the order of `of`, kind and digest
  // In one commit: all bans of each `of` in `lifted` go, `added` come (one that is there stays),
  // and the row of their list is put (or, without one, the list `banned` is removed).
  virtual Status change_bans(const std::vector<std::string>& lifted, const std::vector<Ban>& added,
                             const std::optional<HashListRow>& row) = 0;

  // --- the allow-list ---
  virtual Status allow(const Allowed& entry) = 0;           // one that is there stays as it is
  virtual Result<bool> disallow(const Sha256& sha256) = 0;  // false: it was not allowed
  virtual Result<bool> is_allowed(const Sha256& sha256) = 0;
  virtual Result<std::vector<Allowed>> allowed() = 0;  // newest first

  // Changes whenever anybody, this process or another, committed something; cheap enough to ask
  // five times a second.
  virtual Result<std::uint64_t> generation() = 0;
  virtual Result<Counts> counts() = 0;
};

// Opens or makes the database, migrating it forward. A newer schema than this program knows, a file
// that is not a database, or a folder that cannot be written: an error that says what to do.
// `busy_timeout` bounds how long a call waits for another process's lock (then: code
// "database-locked"), `sweeper_timeout` how long claim() waits for a digest that is being swept.
struct SqliteOptions {
  std::filesystem::path file;
  std::chrono::milliseconds busy_timeout{2000};
  std::chrono::milliseconds sweeper_timeout{5000};
};
Result<std::unique_ptr<Store>> open_sqlite(const SqliteOptions& options, const Clock& clock);

}  // namespace portcullis::store

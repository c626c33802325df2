// config/config.h: portcullis.toml as plain structs.
//
// Every error says file:line:column and what to do. Unknown keys are errors (a mistyped limit must
// not be a missing limit). Keys are called as the members below, in the tables [listen] [http]
// [media] [media.retention] [media.image] [media.image.quality] [media.animation] [media.video]
// [validator] [pict_rs] [site] [lemmy] [egress] [evidence] [attempts] [close_uploads.NAME] [alert]
// [decoder] [inference]
// [services.NAME] [log]; `data` and `policy` stand above them and are the only ones without a
// default. Paths are taken relative to the file's folder. Values with units are written as text:
// "40 MiB" (B, KiB, MiB, GiB, TiB), "30s" (ms, s, m, h, d). Values are plain data; nothing here
// looks at the network, and only load() reads a file.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portcullis::config {

struct Address {
  std::string host;  // an IP literal
  std::uint16_t port = 0;
  bool is_loopback() const;
  std::string text() const;  // "127.0.0.1:8080", "[::1]:8080"
  bool operator==(const Address&) const = default;
};
// "127.0.0.1:8080" or "[::1]:8080". Port 0 means: any free one (the server says which).
Result<Address> parse_address(std::string_view text);
// "90s", "30m", "2h", "7d".
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

struct Listen {
  Address media{"127.0.0.1", 8080};
  Address admin{"127.0.0.1", 9089};
  // A secret path prefix, "/x1y2.../", of 16 to 128 letters, digits, '-' and '_'; required when
  // media is not a loopback address. Empty: none.
  std::string media_prefix;
  std::string api_key;      // of pict-rs's internal API; empty: that API is off
  std::string admin_token;  // of the switches on the admin listener; empty: they are off
  std::size_t loops = 0;    // I/O threads; 0: one per core
  bool operator==(const Listen&) const = default;
};

struct Http {
  std::size_t max_header_bytes = 32 * 1024;
  std::chrono::seconds idle_timeout{60};
  std::chrono::seconds header_timeout{15};
  std::chrono::seconds body_timeout{60};  // a whole request body
  std::chrono::seconds upload_timeout{
      25};                                 // spooling excluded: screening and storing of one upload
  std::chrono::seconds drain_timeout{30};  // after SIGTERM
  std::size_t max_connections = 4096;
  bool operator==(const Http&) const = default;
};

// Names and defaults as pict-rs has them where they mean the same.
struct MediaKindLimits {
  std::uint32_t max_width = 10'000, max_height = 10'000;
  std::uint64_t max_area = 40'000'000;
  std::uint64_t max_file_size = 40 * 1024 * 1024;
  std::uint32_t max_frame_count = 1;
  bool operator==(const MediaKindLimits&) const = default;
};
// 1 to 100 for each encoder that loses something; 0: what suits the format.
struct Quality {
  std::uint32_t avif = 0, jpeg = 0, jxl = 0, webp = 0;
  bool operator==(const Quality&) const = default;
};
// After the last time that somebody asked for it.
struct Retention {
  std::chrono::seconds variants{7 * 86'400};
  std::chrono::seconds proxy{7 * 86'400};  // copies of remote pictures
  bool operator==(const Retention&) const = default;
};
struct Media {
  std::uint64_t max_file_size = 40 * 1024 * 1024;  // one file of an upload
  std::size_t max_file_count = 1;
  std::uint64_t spool_bytes =
      512ull * 1024 * 1024;  // all uploads being received or screened, together
  std::chrono::seconds cache_max_age{86'400};
  // Content refusals leave at whole multiples of this, so that timing tells nothing. Zero: at once.
  std::chrono::milliseconds refusal_step{1'000};
  std::vector<std::string> formats{"jpeg", "png",  "webp", "gif", "avif",
                                   "jxl",  "apng", "mp4",  "webm"};
  std::string preprocess_steps;  // what is done to each upload, "resize=2048"; empty: nothing
  std::vector<std::string> filters{"blur", "crop", "identity", "resize", "thumbnail"};
  std::uint64_t max_bytes = 0;  // of everything that is stored; 0: no limit
  std::uint64_t max_variant_bytes = 10ull * 1024 * 1024 * 1024;
  // While an import is at work: the old pict-rs, "http://HOST:PORT", that is asked for what has not
  // come over yet. What it gives is not screened. "off": nobody is.
  std::string import_fallback = "off";
  std::filesystem::path purge_hook;  // told the addresses of what was deleted; empty: nobody
  Retention retention;
  Quality quality;
  MediaKindLimits image;
  MediaKindLimits animation{1920, 1920, 2'073'600, 40 * 1024 * 1024, 900};
  MediaKindLimits video{3840, 3840, 8'294'400, 40 * 1024 * 1024, 900};
  bool allow_audio = false;  // of videos
  bool operator==(const Media&) const = default;
};

// Judging the pictures of a pict-rs that keeps its own.
struct Validator {
  Address listen{"", 0};  // no host: it is off
  std::string secret;     // the first segment of its paths; letters, digits, '-' and '_'
  bool is_on() const { return !listen.host.empty(); }
  bool operator==(const Validator&) const = default;
};

// A pict-rs behind this gate, which keeps what was accepted in place of the data folder.
struct PictRs {
  std::string url;      // "http://127.0.0.1:8080"; empty: none
  std::string api_key;  // where its key is, "env:NAME" or "file:PATH"; empty: not known
  bool is_on() const { return !url.empty(); }
  bool operator==(const PictRs&) const = default;
};
// "http://HOST" or "http://HOST:PORT", with or without a slash at the end. HOST is a name, an IPv4
// address, or an IPv6 one in brackets; without them in the result.
struct PlainServer {
  std::string host;
  std::uint16_t port = 80;
  bool operator==(const PlainServer&) const = default;
};
Result<PlainServer> parse_plain_server(std::string_view url);

struct Site {
  std::vector<std::string> hosts;  // names under which browsers reach Lemmy, lower case, no port
  std::vector<std::string> trusted_proxies;   // networks in front of Lemmy, "10.0.0.0/8"
  std::vector<std::string> trusted_accounts;  // local_user.id of people whom policy may trust
  bool operator==(const Site&) const = default;
};

// Lemmy itself, for commands that read its database.
struct Lemmy {
  std::string database;  // "env:NAME", "file:PATH", or the address, which may hold a password
  bool operator==(const Lemmy&) const = default;
};

// Fetching what others host.
struct Egress {
  std::vector<std::string> allow;   // networks that may be reached although they are private
  std::chrono::seconds timeout{8};  // of one fetch and all that belongs to it
  std::uint32_t max_per_host = 4;   // fetches at once
  bool operator==(const Egress&) const = default;
};

// Originals that are kept sealed. Public keys; empty: nothing of that kind can be kept.
struct Evidence {
  std::string review_key, evidence_key;
  std::uint64_t max_bytes = 10ull * 1024 * 1024 * 1024;
  std::chrono::seconds keep_held{30 * 86'400}, keep_preserved{365 * 86'400};
  std::size_t held_per_uploader = 10;
  bool operator==(const Evidence&) const = default;
};

// Different refused pictures of one account within `window`.
struct Attempts {
  std::size_t slow_after = 3, close_after = 10;
  std::chrono::seconds window{86'400}, close_for{3'600};
  bool operator==(const Attempts&) const = default;
};

// More than `refusals` within `within` close uploads. [close_uploads.NAME]
struct CloseUploads {
  std::string name;       // letters, digits, '-' and '_'; not a key of its table
  std::string rule{"*"};  // pattern of the names of rules that count
  std::uint32_t refusals = 20;
  std::chrono::seconds within{600};
  std::chrono::seconds lasts{0};  // 0: until somebody opens them
  std::string message;            // shown to people; empty: the default text
  bool operator==(const CloseUploads&) const = default;
};

struct Alert {
  std::filesystem::path hook;               // told what a person should know now; empty: nobody
  std::chrono::seconds audit_head{86'400};  // how often it is told the head of the audit chain
  bool operator==(const Alert&) const = default;
};

struct Decoder {
  std::size_t workers = 0;                       // 0: one per core
  std::uint64_t memory = 1536ull * 1024 * 1024;  // address space of one worker
  std::chrono::seconds timeout{15};              // of one decode
  std::uint32_t jobs_per_worker = 200;           // then it is replaced
  bool operator==(const Decoder&) const = default;
};

struct Inference {
  std::filesystem::path
      models;               // folder with a folder per model; empty: the one beside the program
  std::size_t threads = 0;  // 0: one per core
  std::chrono::seconds timeout{10};
  bool operator==(const Inference&) const = default;
};

// A detection service of others, [services.NAME]. Rules of the policy decide what its answers mean.
struct Service {
  std::string name;  // letters, digits, '-' and '_'; not a key of its table
  std::string type;  // "hma", "arachnid", "photodna", "http"
  std::string url;   // empty: the type's public address
  std::string mode;  // "hash" or "media"; empty: hash where the type can do with that
  std::string user;  // with a password: Basic authentication
  std::filesystem::path password_file, key_file;   // the secret alone, on one line
  std::string password_env, key_env;               // names of environment variables
  std::vector<std::string> banks;                  // of an HMA; empty: all
  std::vector<std::uint32_t> match_statuses{406};  // of type http
  bool turned = true;
  std::uint32_t max_hashes = 512;
  std::chrono::milliseconds timeout{10'000};
  std::uint32_t max_at_once = 4;
  std::uint32_t per_minute = 1'200;
  std::uint32_t failures = 5;
  std::chrono::seconds rest{30};
  std::chrono::seconds keep_match{30 * 86'400}, keep_no_match{7 * 86'400};
  bool operator==(const Service&) const = default;
};

struct Config {
  std::filesystem::path data;    // the data folder
  std::filesystem::path policy;  // policy.toml
  Listen listen;
  Http http;
  Media media;
  Validator validator;
  PictRs pict_rs;
  Site site;
  Lemmy lemmy;
  Egress egress;
  Evidence evidence;
  Attempts attempts;
  std::vector<CloseUploads> close_uploads;  // in the order of their names
  Alert alert;
  Decoder decoder;
  Inference inference;
  std::vector<Service> services;   // in the order of their names
  std::string log_level = "info";  // [log] level: debug, info, warning, error
  bool operator==(const Config&) const = default;
};

// `file` is for errors and for relative paths; it is not read.
Result<Config> parse(std::string_view toml, const std::filesystem::path& file);
Result<Config> load(const std::filesystem::path& file);

// The commented file that `portcullis init` writes; parse() of it gives back what stands in
// `config`, provided that its paths are absolute and UTF-8.
std::string to_toml(const Config& config);

}  // namespace portcullis::config

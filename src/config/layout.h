// config/layout.h: every key of portcullis.toml once, in the order of the file: where it lies, what
// it may be, and what an admin should know. Reading and writing both follow it, so they cannot
// drift apart. Private to the room.
//
// A visitor has: table(name, comment), and for each key address, optional_address, secret_path,
// secret, choice, path, text, texts, flag, count, counts, size, duration, names; each gets the key,
// the member, a comment, and bounds where there are any. tables(name, members, comment,
// lay_out_one) is for [name.NAME], as many as there are.
#pragma once

#include <array>
#include <string_view>

#include "config/config.h"

namespace portcullis::config {

// As decoder::name() writes them.
inline constexpr std::array<std::string_view, 9> kFormats{"jpeg", "png",  "webp", "gif", "avif",
                                                          "jxl",  "apng", "mp4",  "webm"};
// As pict-rs calls its operations.
inline constexpr std::array<std::string_view, 5> kFilters{"blur", "crop", "identity", "resize",
                                                          "thumbnail"};
inline constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warning", "error"};

inline constexpr std::array<std::string_view, 4> kServices{"hma", "arachnid", "photodna", "http"};
inline constexpr std::array<std::string_view, 3> kModes{"", "hash", "media"};

inline constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB,
                               kTiB = 1024 * kGiB;

template <class Limits, class Visitor>
void lay_out_limits(Limits& limits, Visitor& visit) {
  visit.count("max_width", limits.max_width, "", 1, 65'535);
  visit.count("max_height", limits.max_height, "", 1, 65'535);
  visit.count("max_area", limits.max_area, "Width times height of one frame.", 1, 4'294'836'225);
  visit.size("max_file_size", limits.max_file_size, "", 1, kTiB);
  visit.count("max_frame_count", limits.max_frame_count, "", 1, 100'000);
}

template <class SomeService, class Visitor>
void lay_out_service(SomeService& service, Visitor& visit) {
  using namespace std::chrono_literals;
  visit.choice("type", service.type, "hma, arachnid, photodna or http.", kServices);
  visit.text("url", service.url, "");
  visit.choice("mode", service.mode, "\"hash\" sends hashes, \"media\" the picture itself.",
               kModes);
  visit.text("user", service.user, "");
  visit.path("password_file", service.password_file, "", false);
  visit.text("password_env", service.password_env, "");
  visit.path("key_file", service.key_file, "", false);
  visit.text("key_env", service.key_env, "");
  visit.texts("banks", service.banks, "Of an HMA. Empty: all.");
  visit.counts("match_statuses", service.match_statuses, "Of type http.", 400, 499);
  visit.flag("turned", service.turned, "Asks about the picture turned and mirrored, too.");
  visit.count("max_hashes", service.max_hashes, "Of one picture.", 1, 100'000);
  visit.duration("timeout", service.timeout, "For one picture.", 100ms, 10min);
  visit.count("max_at_once", service.max_at_once, "Requests at once.", 1, 64);
  visit.count("per_minute", service.per_minute, "Requests; beyond that it is not asked.", 1,
              1'000'000);
  visit.count("failures", service.failures, "So many in a row, and it is not asked for `rest`.", 1,
              1'000);
  visit.duration("rest", service.rest, "", 1s, 24h);
  visit.duration("keep_match", service.keep_match, "How long answers are remembered.", 0s,
                 24h * 366);
  visit.duration("keep_no_match", service.keep_no_match, "", 0s, 24h * 366);
}

template <class SomeLimit, class Visitor>
void lay_out_close_uploads(SomeLimit& limit, Visitor& visit) {
  using namespace std::chrono_literals;
  visit.text("rule", limit.rule, "Which rules of the policy count; '*' stands for anything.");
  visit.count("refusals", limit.refusals, "", 1, 1'000'000);
  visit.duration("within", limit.within, "", 1min, 24h);
  visit.duration("lasts", limit.lasts, "\"0s\": until somebody opens them.", 0s, 24h * 31);
  visit.text("message", limit.message, "What people are told.");
}

// `config` is a Config or a const one.
template <class SomeConfig, class Visitor>
void lay_out(SomeConfig& config, Visitor& visit) {
  using namespace std::chrono_literals;
  visit.path("data", config.data, "Everything Portcullis keeps lies in this folder.", true);
  visit.path("policy", config.policy,
             "The rules that decide what is let in. Profiles to begin with lie beside the program.",
             true);

  visit.table("listen", "");
  visit.address("media", config.listen.media,
                "Lemmy's pictrs.url points here. Whoever reaches this address is trusted as Lemmy, "
                "so keep it on loopback;\nany other address needs media_prefix.");
  visit.address("admin", config.listen.admin, "Metrics and health, for this machine only.");
  visit.secret_path("media_prefix", config.listen.media_prefix,
                    "A secret path that pictrs.url then ends in, such as "
                    "\"http://10.0.0.2:8080/SECRET/\".\n`portcullis init --prefix` makes one.");
  visit.secret("api_key", config.listen.api_key,
               "As pictrs.api_key in Lemmy's config. Empty: the internal API is off.");
  visit.secret("admin_token", config.listen.admin_token,
               "\"Authorization: Bearer …\" of /api/switches on the admin listener. Empty: it is "
               "off.");
  visit.count("loops", config.listen.loops, "Threads for the network. 0: one per core.", 0, 1024);

  visit.table("http", "");
  visit.size("max_header_bytes", config.http.max_header_bytes, "", 1 * kKiB, 1 * kMiB);
  visit.duration("idle_timeout", config.http.idle_timeout, "Between two requests.", 1s, 24h);
  visit.duration("header_timeout", config.http.header_timeout, "", 1s, 24h);
  visit.duration("body_timeout", config.http.body_timeout, "For a whole request body.", 1s, 24h);
  visit.duration("upload_timeout", config.http.upload_timeout,
                 "Screening and storing one upload, once it was received. Lemmy waits 30s at most.",
                 1s, 24h);
  visit.duration("drain_timeout", config.http.drain_timeout,
                 "What is under way may finish for this long after a request to stop.", 0s, 24h);
  visit.count("max_connections", config.http.max_connections, "", 1, 1'000'000);

  visit.table("media", "");
  visit.size("max_file_size", config.media.max_file_size, "", 1, kTiB);
  visit.count("max_file_count", config.media.max_file_count, "Files in one upload.", 1, 100);
  visit.size("spool_bytes", config.media.spool_bytes,
             "Disk space for all uploads that are being received or screened, together.", 1,
             1024 * kTiB);
  visit.duration(
      "cache_max_age", config.media.cache_max_age,
      "How long browsers and caches may keep a picture, even one that was removed since.", 0s,
      24h * 366);
  visit.duration(
      "refusal_step", config.media.refusal_step,
      "Refusals of pictures leave at whole multiples of this, so that their timing tells "
      "nothing.",
      0ms, 60s);
  visit.names("formats", config.media.formats, "Pictures of any other format are refused.",
              kFormats);
  visit.text("preprocess_steps", config.media.preprocess_steps,
             "What is done to each upload, as in a query: \"resize=2048\". Empty: nothing.");
  visit.names("filters", config.media.filters, "What may be asked of stored pictures.", kFilters);
  visit.size("max_bytes", config.media.max_bytes,
             "Of everything that is stored. Copies of remote pictures and variants make room,\n"
             "uploads never. \"0 B\": no limit.",
             0, 1024 * kTiB);
  visit.size("max_variant_bytes", config.media.max_variant_bytes,
             "Of sizes and looks that were made of stored pictures.", 0, 1024 * kTiB);
  visit.text("import_fallback", config.media.import_fallback,
             "While `portcullis import pict-rs` is at work: the old pict-rs, \"http://HOST:PORT\", "
             "is asked for\npictures that have not come over yet. They are not screened. \"off\": "
             "it is not asked.");
  visit.path("purge_hook", config.media.purge_hook,
             "A program that empties caches in front: on its standard input it gets the addresses\n"
             "of pictures that were deleted, one a line. Left out: none.",
             false);
  visit.table("media.retention", "How long something is kept after somebody last asked for it.");
  visit.duration("variants", config.media.retention.variants, "", 1min, 24h * 3660);
  visit.duration("proxy", config.media.retention.proxy, "Copies of remote pictures.", 1min,
                 24h * 3660);
  visit.table("media.image", "Limits for pictures that do not move.");
  lay_out_limits(config.media.image, visit);
  visit.table("media.image.quality", "1 to 100, or 0 for what suits the format.");
  visit.count("avif", config.media.quality.avif, "", 0, 100);
  visit.count("jpeg", config.media.quality.jpeg, "", 0, 100);
  visit.count("jxl", config.media.quality.jxl, "", 0, 100);
  visit.count("webp", config.media.quality.webp, "", 0, 100);
  visit.table("media.animation", "Limits for those that do.");
  lay_out_limits(config.media.animation, visit);
  visit.table("media.video",
              "Limits for videos. Leave mp4 and webm out of `formats` to take none.");
  lay_out_limits(config.media.video, visit);
  visit.flag("allow_audio", config.media.allow_audio, "Nobody looks at sound; false removes it.");

  visit.table(
      "validator",
      "For a pict-rs that keeps its own pictures and asks about each, in its setting\n"
      "media.external_validation: \"http://127.0.0.1:8083/SECRET/validate\". It has stored a\n"
      "picture before it asks: docs/operations.md, \"Three ways to run\".");
  visit.optional_address("listen", config.validator.listen,
                         "Such as \"127.0.0.1:8083\". Empty: it is off.");
  visit.secret(
      "secret", config.validator.secret,
      "16 to 128 letters, digits, '-' or '_' that nobody can guess: whoever knows them may\n"
      "ask what is let in.");

  visit.table("pict_rs",
              "A pict-rs behind this gate, which keeps what was accepted in place of the data\n"
              "folder: docs/operations.md, \"Three ways to run\".");
  visit.text("url", config.pict_rs.url,
             "Such as \"http://127.0.0.1:8081\". Nobody but this gate may reach it. Empty: none.");
  visit.text("api_key", config.pict_rs.api_key,
             "Where its server.api_key is: \"env:NAME\" or \"file:PATH\".");

  visit.table("site", "");
  visit.texts("hosts", config.site.hosts,
              "Names under which browsers reach Lemmy, such as [\"lemmy.example\"].\nPictures of "
              "this site are never fetched from outside.");
  visit.texts(
      "trusted_proxies", config.site.trusted_proxies,
      "Networks of the proxies in front of Lemmy, such as [\"127.0.0.0/8\"]. Only what they\n"
      "say of a client's address is believed. Empty: nobody is judged by an address.");
  visit.texts("trusted_accounts", config.site.trusted_accounts,
              "Lemmy's local_user.id of people for whom policy has rules of their own.");

  visit.table("lemmy", "");
  visit.secret("database", config.lemmy.database,
               "Lemmy's PostgreSQL database, for commands that read it; the gate never does.\n"
               "\"file:PATH\" or \"env:NAME\" says where the address lies, which is\n"
               "postgres://USER:PASSWORD@HOST:PORT/DATABASE. Empty: --lemmy-db says it.");

  visit.table("egress", "Fetching pictures that others host.");
  visit.texts("allow", config.egress.allow,
              "Networks that may be reached although they are not public, such as\n"
              "[\"10.0.0.0/8\"]. For tests.");
  visit.duration("timeout", config.egress.timeout,
                 "For one picture, from the first byte asked to the last received. Posting waits\n"
                 "for it, and Lemmy for 10s at most.",
                 1s, 60s);
  visit.count("max_per_host", config.egress.max_per_host, "Fetches from one host at once.", 1,
              1'000);

  visit.table("evidence",
              "Originals that must be kept, sealed to keys that are not on this machine.\n"
              "`portcullis evidence keygen` makes both pairs.");
  visit.text("review_key", config.evidence.review_key,
             "The public key for what waits for a moderator. Empty: what a rule holds is refused.");
  visit.text("evidence_key", config.evidence.evidence_key,
             "The public key for what is preserved. Empty: nothing can be preserved.");
  visit.size("max_bytes", config.evidence.max_bytes,
             "When it is used up uploads close, since nothing that must be kept is dropped.", kMiB,
             1024 * kTiB);
  visit.duration("keep_held", config.evidence.keep_held, "What waits for a moderator.", 1h,
                 24h * 3660);
  visit.duration("keep_preserved", config.evidence.keep_preserved,
                 "What is preserved. Ask a lawyer before you shorten it.", 24h, 24h * 3660);
  visit.count("held_per_uploader", config.evidence.held_per_uploader,
              "Pictures of one account that may wait at once; more are refused.", 1, 10'000);

  visit.table("attempts", "Who is refused many different pictures.");
  visit.count("slow_after", config.attempts.slow_after,
              "After so many within `window` answers to that account take longer.", 1, 10'000);
  visit.count("close_after", config.attempts.close_after,
              "After so many uploads are closed for that account for a while. A network may have\n"
              "three times as many.",
              1, 10'000);
  visit.duration("window", config.attempts.window, "", 1min, 24h * 366);
  visit.duration("close_for", config.attempts.close_for, "", 1min, 24h * 366);

  visit.tables(
      "close_uploads", config.close_uploads,
      "Uploads close by themselves when more than `refusals` pictures were refused within\n"
      "`within`. Each a table [close_uploads.NAME].",
      [&](auto& limit) { lay_out_close_uploads(limit, visit); });

  visit.table("alert", "");
  visit.path("hook", config.alert.hook,
             "A program that is run when a person should know: on its standard input it gets one\n"
             "JSON object a line, {\"when\":…,\"what\":…,\"text\":…}. Left out: none.",
             false);
  visit.duration("audit_head", config.alert.audit_head,
                 "How often the log and the hook get the head of the audit chain. Keep one of\n"
                 "them elsewhere: `portcullis audit verify --head` then shows a cut chain.",
                 1min, 24h * 366);

  visit.table("decoder", "Pictures are decoded in locked-in processes of their own.");
  visit.count("workers", config.decoder.workers, "0: one per core.", 0, 1024);
  visit.size("memory", config.decoder.memory, "Address space of one worker.", 64 * kMiB, kTiB);
  visit.duration("timeout", config.decoder.timeout, "For one picture.", 1s, 10min);
  visit.count("jobs_per_worker", config.decoder.jobs_per_worker,
              "A worker is replaced after this many pictures.", 1, 1'000'000);

  visit.table("inference", "");
  visit.path("models", config.inference.models,
             "A folder with a folder for each model. Left out: the one beside the program.", false);
  visit.count("threads", config.inference.threads, "0: one per core.", 0, 1024);
  visit.duration("timeout", config.inference.timeout, "For one picture.", 1s, 10min);

  visit.tables(
      "services", config.services,
      "Detection services of others, each a table [services.NAME]; what they are and what\n"
      "they are told: docs/screening.md, \"Outside services\".",
      [&](auto& service) { lay_out_service(service, visit); });

  visit.table("log", "");
  visit.choice("level", config.log_level, "debug, info, warning or error", kLevels);
}

}  // namespace portcullis::config

// portcullis purge federated: every stored picture of other sites.
#include <boost/json.hpp>
#include <cstdio>

#include "app/federated_purge.h"
#include "app/lemmy_database.h"
#include "app/lemmy_purge.h"
#include "app/origin_finder.h"
#include "app/pict_rs_shelf.h"
#include "app/places.h"
#include "app/progress.h"
#include "app/purge.h"
#include "app/purging.h"
#include "app/secret.h"
#include "app/wait_for.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

constexpr int kSomeLeft = 2;

struct Options {
  double rate = 0;
  bool even_without_origin = false, without_row = false, rewrite_posts = false;
  bool fetch_origins = false, dry_run = false, json = false;
  std::string lemmy_db, pict_rs, pict_rs_key;
};

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

// wait_for() wants a value.
Task<Result<bool>> health_of(pictrs::Client& client) {
  CO_TRY(co_await client.health());
  co_return true;
}

// The command at work.
struct Federated {
  const Options& options;
  Purging purging;
  std::unique_ptr<lemmy::Database> database = {};  // null: Lemmy is not asked
  lemmy::Survey survey = {};
  ProgressBar bar;

  Status ask_lemmy();
  Result<int> preview();
  Result<int> run();

 private:
  bool is_of_pict_rs() const {
    return !options.pict_rs.empty() || purging.engine->config.pict_rs.is_on();
  }
  Result<std::unique_ptr<pictrs::Client>> pict_rs(egress::ConfiguredClient& http) const;
  Rescan rescan();
  Purge purge_by_record(Rescan& rescan);
  Result<LemmyPurgeProgress> purge_by_lemmy(Purge& purge, PurgeProgress& of_lists);
  Result<LemmyPurgeProgress> purge_from(PictureShelf& shelf);
  void left(const std::string& alias, std::string_view why);
  void say(const PurgeProgress& ours, const LemmyPurgeProgress& lemmys);
};

// Looks at all that names a picture, which takes a while.
Status Federated::ask_lemmy() {
  const config::Config& config = purging.engine->config;
  if (options.lemmy_db.empty() && config.lemmy.database.empty()) {
    if (!options.pict_rs.empty())
      return fail(Fault::client,
                  "only Lemmy's database knows what of a pict-rs is federated: name it with "
                  "--lemmy-db");
    if (options.rewrite_posts || options.without_row || options.fetch_origins)
      return fail(Fault::client, "that takes Lemmy's database: name it with --lemmy-db");
    return {};
  }
  database = TRY(open_lemmy(
      options.lemmy_db, config,
      options.rewrite_posts && !options.dry_run ? lemmy::Use::rewriting : lemmy::Use::thumbnails));
  survey = TRY(database->survey([&](std::string_view table, std::size_t done, std::size_t total) {
    bar.show(done, total, fmt::format("Lemmy's table {}", table));
  }));
  return {};
}

void Federated::left(const std::string& alias, std::string_view why) {
  bar.clear();
  if (options.json)
    std::printf("%s\n", json::serialize(json::object{{"left", alias}, {"why", why}}).c_str());
  else
    std::printf("%s stays: %s\n", alias.c_str(), std::string(why).c_str());
}

Result<int> Federated::preview() {
  const auto counts = TRY(purging.engine->store->count_remote());
  const auto examples = TRY(purging.engine->store->remote_aliases_after("", 5));
  bar.clear();
  if (options.json) {
    json::array some;
    for (const auto& one : examples)
      some.push_back(json::object{{"alias", one.alias.alias}, {"origin", one.alias.url}});
    json::object object{{"aliases", counts.aliases},
                        {"without_origin", counts.without_origin},
                        {"bytes", counts.bytes},
                        {"examples", std::move(some)}};
    if (database)
      object["lemmy"] = json::object{{"federated", survey.federated},
                                     {"without_row", survey.without_row},
                                     {"of_own_pictures", survey.of_own_pictures},
                                     {"shown_elsewhere", survey.shown_elsewhere},
                                     {"uploads", survey.uploads}};
    std::printf("%s\n", json::serialize(object).c_str());
    return 0;
  }
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%llu stored pictures of other sites would go, %s.\n", number(counts.aliases),
              megabytes(counts.bytes).c_str());
  if (counts.without_origin > 0)
    std::printf("%llu of them have no origin written down here.\n", number(counts.without_origin));
  for (const auto& one : examples)
    std::printf("  %s  %s\n", one.alias.alias.c_str(), one.alias.url.c_str());
  if (!database) return 0;
  std::printf(
      "Lemmy has %llu thumbnails of other sites' pictures, and %llu without a row "
      "(--without-row).\nLeft out: %llu of this site's own pictures, %llu that something "
      "else shows too. %llu pictures are uploads.\n",
      number(survey.federated), number(survey.without_row), number(survey.of_own_pictures),
      number(survey.shown_elsewhere), number(survey.uploads));
  return 0;
}

Result<std::unique_ptr<pictrs::Client>> Federated::pict_rs(egress::ConfiguredClient& http) const {
  const config::PictRs& configured = purging.engine->config.pict_rs;
  pictrs::Client::Options client;
  client.api_key = options.pict_rs.empty() ? TRY(load_secret(configured.api_key))
                                           : TRY(secret_or_text(options.pict_rs_key));
  return pictrs::Client::create(options.pict_rs.empty() ? configured.url : options.pict_rs,
                                std::move(client), http);
}

// What is written down here first, then what only Lemmy knows.
Result<LemmyPurgeProgress> Federated::purge_by_lemmy(Purge& purge, PurgeProgress& of_lists) {
  Engine& engine = *purging.engine;
  const auto tell = [&](const std::vector<std::string>& aliases) { purging.tell(aliases); };
  if (!is_of_pict_rs()) {
    const auto kept_back = [&](const store::Alias& alias) {
      return purge.is_kept_back(alias, of_lists);
    };
    OwnShelf shelf(*engine.store, engine.clock, kept_back, tell);
    return database ? purge_from(shelf) : LemmyPurgeProgress{};
  }
  const auto http = TRY(egress::ConfiguredClient::create({}));
  const auto client = TRY(pict_rs(*http));
  TRY(wait_for(health_of(*client)));
  PictRsShelf shelf(*client, *engine.store, engine.clock, tell);
  const std::uint64_t proxied = TRY(shelf.purge_proxied());
  LemmyPurgeProgress progress = database ? TRY(purge_from(shelf)) : LemmyPurgeProgress{};
  progress.purged += proxied;
  return progress;
}

Result<LemmyPurgeProgress> Federated::purge_from(PictureShelf& shelf) {
  Engine& engine = *purging.engine;
  LemmyPurge purge{*database,
                   shelf,
                   *engine.store,
                   engine.clock,
                   {.rate = options.rate,
                    .even_without_origin = options.even_without_origin,
                    .without_row = options.without_row,
                    .rewrite_posts = options.rewrite_posts}};
  std::unique_ptr<OriginFinder> finder;
  if (options.fetch_origins) {
    finder = TRY(OriginFinder::create(engine.config, engine.config.site.hosts));
    purge.find_origin = [&](const lemmy::Thumbnail& one) { return finder->find(one); };
  }
  purge.on_progress = [&](const LemmyPurgeProgress& progress) {
    bar.show(progress.done, progress.total, fmt::format("{} purged", progress.purged));
  };
  purge.on_left = [&](const lemmy::Thumbnail& one, std::string_view why) { left(one.alias, why); };
  return purge.run(survey);
}

Rescan Federated::rescan() {
  Rescan rescan{*purging.engine, *purging.blobs, *purging.keeper, {}, {}, {}};
  rescan.on_hit = [this](const RescanHit& hit) { purging.tell(hit.aliases); };
  return rescan;
}

Purge Federated::purge_by_record(Rescan& rescan) {
  Purge purge{rescan, {options.rate, options.even_without_origin}, {}, {}, {}};
  purge.on_progress = [this](const PurgeProgress& progress) {
    bar.show(progress.done, progress.total, fmt::format("{} purged", progress.purged));
  };
  purge.on_gone = [this](const std::vector<std::string>& aliases) { purging.tell(aliases); };
  purge.on_left = [this](const store::Alias& alias, std::string_view why) {
    left(alias.alias, why);
  };
  return purge;
}

void Federated::say(const PurgeProgress& ours, const LemmyPurgeProgress& lemmys) {
  bar.clear();
  if (options.json) {
    json::object object{{"purged", ours.purged + lemmys.purged},
                        {"preserved", ours.preserved},
                        {"not_kept", ours.not_kept},
                        {"without_origin", ours.without_origin + lemmys.without_origin},
                        {"bytes", ours.bytes}};
    if (database) {
      object["uploads_by_record"] = lemmys.a_users;
      object["rewritten"] = lemmys.rewritten;
    }
    std::printf("%s\n", json::serialize(object).c_str());
    return;
  }
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf("%llu purged; %llu were on a list and are kept as evidence; %llu stay.\n",
              number(ours.purged + lemmys.purged), number(ours.preserved),
              number(ours.not_kept + ours.without_origin + lemmys.without_origin));
  if (lemmys.rewritten > 0)
    std::printf("%llu posts of Lemmy have their origins back.\n", number(lemmys.rewritten));
}

// Lemmy first: it knows origins that are not written down here.
Result<int> Federated::run() {
  Engine& engine = *purging.engine;
  TRY(engine.store->audit({.actor = actor(), .action = "purge federated begun"},
                          engine.clock.now()));
  Rescan judging = rescan();
  Purge purge = purge_by_record(judging);
  PurgeProgress of_lists;
  const LemmyPurgeProgress lemmys = TRY(purge_by_lemmy(purge, of_lists));
  PurgeProgress ours = TRY(purge.run());
  ours.preserved += of_lists.preserved;
  ours.not_kept += of_lists.not_kept;
  const std::uint64_t stay = ours.not_kept + ours.without_origin + lemmys.without_origin;
  TRY(engine.store->audit(
      {.actor = actor(),
       .action = "purge federated done",
       .details = fmt::format(R"({{"purged":{},"preserved":{},"left":{}}})",
                              ours.purged + lemmys.purged, ours.preserved, stay)},
      engine.clock.now()));
  TRY(purging.sweep());
  say(ours, lemmys);
  return stay > 0 ? kSomeLeft : 0;
}

Result<int> purge_federated(const std::string& config_file, const Options& options) {
  Federated federated{.options = options,
                      .purging = TRY(Purging::open(config_file)),
                      .bar = ProgressBar("Purge", !options.json)};
  TRY(federated.ask_lemmy());
  return options.dry_run ? federated.preview() : federated.run();
}

}  // namespace

void add_federated_purge_command(const CommandLine& line, CLI::App& group) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = add_command(line, group, "federated",
                                  "Every stored picture of other sites; posts then show it from "
                                  "its origin. Exit 0 done, 2 some stay",
                                  options, purge_federated);
  command->add_flag("--dry-run", options->dry_run, "Only say what would go");
  command->add_option("--rate", options->rate, "Aliases a second; 0: no limit")
      ->capture_default_str();
  command->add_flag("--even-without-origin", options->even_without_origin,
                    "Also those that then lead nowhere");
  command->add_option("--lemmy-db", options->lemmy_db, kLemmyDbHelp);
  command->add_flag("--without-row", options->without_row,
                    "Also old thumbnails of which Lemmy has no row any more");
  command->add_flag("--fetch-origins", options->fetch_origins,
                    "Ask the page a post links to, and the post's own site, for unknown origins");
  command->add_flag("--rewrite-posts", options->rewrite_posts,
                    "Write the origins into Lemmy's posts; takes write access");
  CLI::Option* pict_rs = command->add_option(
      "--pict-rs", options->pict_rs,
      "http://HOST:PORT of a pict-rs that stores them, instead of this gate's store");
  command->add_option("--key", options->pict_rs_key, "Its API key: env:NAME, file:PATH, or itself")
      ->needs(pict_rs);
  command->add_flag("--json", options->json, "For machines");
}

}  // namespace portcullis::app

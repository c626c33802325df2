// portcullis import announced: the remote pictures that Lemmy announced before Portcullis was
// there.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

#include "app/command_line.h"
#include "app/lemmy_database.h"
#include "app/places.h"
#include "app/progress.h"
#include "base/id.h"
#include "egress/egress.h"
#include "store/store.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

constexpr std::size_t kPage = 2'000;  // one commit, which the gate's own may have to wait for
constexpr std::string_view kKind = "import announced";

struct Options {
  std::string lemmy_db;
  bool json = false;
};

struct Counts {
  std::uint64_t taken = 0;
  std::uint64_t own = 0;       // pictures of this site, which are served without being announced
  std::uint64_t unusable = 0;  // that nothing can be fetched from
};

struct Import {
  lemmy::Database& database;
  store::Store& store;
  std::vector<std::string> hosts;
  const Clock& clock;
  Counts counts = {};
  store::Job job = {};
  std::string after = {};  // the last address that was dealt with

  // Goes on where an earlier one of the same site ended.
  Status resume();
  Status take(const std::vector<std::string>& links);
};

Status Import::resume() {
  job = {random_uuid(), std::string(kKind), {}, 0, 0, clock.now(), clock.now()};
  const auto before = TRY(store.job(std::string(kKind)));
  if (!before) return {};
  job.id = before->id;
  const std::string site = database.site_url() + ' ';
  Counts counted{before->found, 0, 0};
  unsigned long long own = 0, unusable = 0;
  int end = 0;
  if (!before->cursor.starts_with(site) ||
      std::sscanf(before->cursor.c_str() + site.size(), "%llu %llu%n", &own, &unusable, &end) != 2)
    return {};
  counted.own = own;
  counted.unusable = unusable;
  counts = counted;
  after = before->cursor.substr(site.size() + static_cast<std::size_t>(end) + 1);
  job = *before;
  return {};
}

Status Import::take(const std::vector<std::string>& links) {
  std::vector<std::string> urls;
  for (const std::string& link : links) {
    const auto url = egress::parse_url(link);
    if (!url)
      ++counts.unusable;
    else if (std::ranges::find(hosts, url->host) != hosts.end())
      ++counts.own;
    else
      urls.push_back(link.substr(0, link.find('#')));  // as it is asked for
  }
  TRY(store.announce_all(urls, clock.now()));
  counts.taken += urls.size();
  after = links.back();
  job.cursor = fmt::format("{} {} {} {}", database.site_url(), counts.own, counts.unusable, after);
  job.done += links.size();
  job.found = counts.taken;
  job.updated = clock.now();
  return store.save_job(job);
}

json::object object_of(const Import& import) {
  return {{"announced", import.counts.taken},
          {"own", import.counts.own},
          {"unusable", import.counts.unusable}};
}

Result<int> import_announced(const std::string& config_file, const Options& options) {
  static const SystemClock clock;
  const config::Config config = TRY(load_config(TRY(find_config(config_file))));
  const auto database = TRY(open_lemmy(options.lemmy_db, config, lemmy::Use::announced));
  const DataFolder data = TRY(open_data_folder(config));
  const auto store = TRY(store::open_sqlite({.file = data.database()}, clock));
  Import import{*database, *store, config.site.hosts, clock};
  import.hosts.push_back(TRY(egress::parse_url(database->site_url())).host);
  TRY(import.resume());
  const std::uint64_t total = TRY(database->count_announced());
  ProgressBar bar("Import", !options.json);
  for (bool is_last = false; !is_last;) {
    const auto links = TRY(database->announced_after(import.after, kPage));
    is_last = links.size() < kPage;
    if (!links.empty()) TRY(import.take(links));
    bar.show(import.job.done, std::max(total, import.job.done));
  }
  bar.clear();
  TRY(store->finish_job(import.job.id));
  TRY(store->audit({.actor = actor(),
                    .action = "announced addresses imported",
                    .subject = database->site_url(),
                    .details = json::serialize(object_of(import))},
                   clock.now()));
  if (options.json) {
    std::printf("%s\n", json::serialize(object_of(import)).c_str());
  } else if (import.job.done == 0) {
    std::printf(
        "Lemmy has announced no remote picture. It does so only while its image_mode is "
        "ProxyAllImages.\n");
  } else {
    std::printf("%llu addresses of remote pictures taken over.\n",
                static_cast<unsigned long long>(import.counts.taken));
    if (import.counts.own + import.counts.unusable > 0)
      std::printf("Left out: %llu on this site, %llu that are no address on the web.\n",
                  static_cast<unsigned long long>(import.counts.own),
                  static_cast<unsigned long long>(import.counts.unusable));
  }
  return 0;
}

}  // namespace

void add_import_announced_command(const CommandLine& line) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(line, import_group(line), "announced",
                  "Take over which remote pictures Lemmy has announced; can be repeated", options,
                  import_announced);
  command->add_option("--lemmy-db", options->lemmy_db, kLemmyDbHelp);
  command->add_flag("--json", options->json, "For machines");
}

}  // namespace portcullis::app

#include <boost/json.hpp>
#include <cstdio>

#include "app/commands.h"
#include "app/places.h"
#include "app/switching.h"
#include "store/store.h"

namespace portcullis::app {

namespace json = boost::json;

Result<int> status_command(const std::string& config_file, bool as_json) {
  static const SystemClock clock;
  const config::Config config = TRY(load_config(TRY(find_config(config_file))));
  const DataFolder data = TRY(open_data_folder(config));
  const auto store = TRY(store::open_sqlite({.file = data.database()}, clock));
  const store::Counts counts = TRY(store->counts());
  const auto switches = all_switches(TRY(store->switches()), clock.now());
  const auto lists = TRY(store->lists());
  const bool running = !lock_data_folder(data).has_value();

  if (as_json) {
    json::object object{{"version", kVersion},
                        {"running", running},
                        {"aliases", counts.aliases},
                        {"blobs", counts.blobs},
                        {"blob_bytes", counts.blob_bytes},
                        {"pending", counts.pending},
                        {"verdicts", counts.verdicts},
                        {"refused", counts.refused},
                        {"evidence", counts.evidence},
                        {"held", counts.held},
                        {"evidence_bytes", counts.evidence_bytes},
                        {"lists", lists.size()}};
    json::array all;
    for (const store::Switch& value : switches) {
      object[value.name] = value.state;
      all.push_back(to_json(value));
    }
    object["switches"] = std::move(all);
    std::printf("%s\n", json::serialize(object).c_str());
    return 0;
  }
  std::vector<std::vector<std::string>> rows{
      {"version", kVersion},
      {"gate", running ? "running" : "not running"},
      {"pictures", fmt::format("{} under {} aliases, {} bytes", counts.blobs, counts.aliases,
                               counts.blob_bytes)},
      {"verdicts", fmt::format("{}, of them {} refusals", counts.verdicts, counts.refused)},
      {"evidence", fmt::format("{} kept, of them {} wait for a moderator, {} bytes",
                               counts.evidence, counts.held, counts.evidence_bytes)},
      {"lists", std::to_string(lists.size())}};
  for (const store::Switch& value : switches) rows.push_back({value.name, to_text(value)});
  std::fputs(table(rows).c_str(), stdout);
  return 0;
}

}  // namespace portcullis::app

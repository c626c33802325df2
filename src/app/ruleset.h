// app/ruleset.h: makes the snapshot that a scan works with from policy file, lists, models and
// outside services.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/outside_services.h"
#include "app/places.h"
#include "base/task.h"
#include "scan/scan.h"
#include "store/store.h"

namespace portcullis::app {

// Not thread-safe; blocks (reads files, loads models). The pools and the clock must outlive what it
// makes.
class RulesetLoader {
 public:
  RulesetLoader(config::Config config, DataFolder data, Pool& cpu, Pool& inference,
                const Clock& clock);

  // A model or list that cannot be loaded does not fail this: its signal is unanswered, which
  // `problems` and the log say. A policy that cannot be read does. Models and
  // lists that were loaded before and still are of the same version are kept, unless `fresh` is
  // true.
  Result<std::shared_ptr<const scan::Ruleset>> load(const std::vector<store::HashListRow>& rows,
                                                    bool fresh);

  const std::vector<std::string>& problems() const { return problems_; }
  const OutsideServices& services() const { return services_; }
  void set_config(config::Config config) { config_ = std::move(config); }

 private:
  std::shared_ptr<infer::Model> model(const std::string& name, bool fresh, std::string& why);
  std::vector<scan::NamedList> open_lists(const std::vector<store::HashListRow>& rows, bool fresh);

  config::Config config_;
  DataFolder data_;
  Pool& cpu_;
  Pool& inference_;
  const Clock& clock_;
  OutsideServices services_{clock_};
  std::map<std::string, std::shared_ptr<infer::Model>> models_;
  // By version: equal versions are equal lists.
  std::map<std::string, std::shared_ptr<const hash::HashList>> lists_;
  std::vector<std::string> problems_;
};

// Labels of every model that has a manifest and of every service, and the names of the lists.
policy::Vocabulary vocabulary(const config::Config& config,
                              const std::vector<store::HashListRow>& rows);

// Worker threads for `configured` (0: one per core).
std::size_t threads_or_cores(std::size_t configured);

}  // namespace portcullis::app

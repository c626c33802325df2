// app/engine.h: what judging needs, built from a config: store, decoders, models, scanner. Shared
// by `serve` and `scan`.
#pragma once

#include <memory>
#include <mutex>

#include "app/places.h"
#include "app/ruleset.h"
#include "base/clock.h"
#include "base/task.h"
#include "decoder/decoder.h"
#include "scan/scan.h"
#include "store/store.h"

namespace portcullis::app {

struct Pools {
  explicit Pools(const config::Config& config);
  void join();
  std::size_t decoders;  // worker processes
  Pool cpu, files, db, inference, decode;
};

class Engine {
 public:
  // Opens or makes the data folder. What cannot be loaded but need not stop serving is logged and
  // in problems().
  static Result<std::unique_ptr<Engine>> create(config::Config config, const Clock& clock);

  // Reads policy, lists (and models, if `fresh`) again; on an error the old ruleset stays. Blocks.
  Status reload(bool fresh);
  // The same, but only when a list was added, changed or removed since.
  Status reload_lists_if_changed();
  // Takes a new config for what may change while running: policy file, formats, limits, models.
  void set_config(const config::Config& config) { loader.set_config(config); }

  // What cannot answer right now. Thread-safe.
  std::vector<std::string> problems() const;

  const config::Config config;
  const DataFolder data;
  const Clock& clock;
  std::unique_ptr<decoder::Pool> decoders;
  std::unique_ptr<store::Store> store;
  Pools pools;
  RulesetLoader loader;
  std::unique_ptr<scan::Scanner> scanner;

 private:
  Engine(config::Config config, DataFolder data, const Clock& clock,
         std::unique_ptr<decoder::Pool> decoders, std::unique_ptr<store::Store> store);
  mutable std::mutex mutex_;
  std::vector<std::string> problems_;  // guarded by mutex_
  std::string lists_;                  // names and versions of the lists in use
};

}  // namespace portcullis::app

#include "app/purging.h"

#include <limits>

#include "app/keeping.h"
#include "app/places.h"
#include "base/log.h"
#include "media/media.h"

namespace portcullis::app {

Result<Purging> Purging::open(const std::string& config_file) {
  static const SystemClock clock;
  log::set_level(log::Level::error);
  Purging purging;
  config::Config config = TRY(load_config(TRY(find_config(config_file))));
  config.decoder.workers = 1;  // only what is on a list is looked at
  purging.engine = TRY(Engine::create(std::move(config), clock));
  const Engine& engine = *purging.engine;
  purging.lock = TRY(lock_purging(engine.data));
  purging.files = blob::real_file_system();
  purging.blobs = TRY(blob::open_folder(engine.data.blobs(), *purging.files));
  evidence::Keeper::Options keeping = TRY(keeper_options(engine.config, engine.data));
  keeping.held_per_uploader = std::numeric_limits<std::int32_t>::max();
  purging.keeper =
      std::make_unique<evidence::Keeper>(keeping, *engine.store, *purging.files, clock);
  if (const auto& program = engine.config.media.purge_hook; !program.empty())
    purging.hook = std::make_unique<Hook>("media.purge_hook", program);
  return purging;
}

Status Purging::sweep() {
  const auto serving = lock_data_folder(engine->data);
  if (!serving) return {};
  TRY(engine->store->begin_run());
  while (TRY(media::sweep(*engine->store, *blobs, 1'000)) > 0) {
  }
  return {};
}

}  // namespace portcullis::app

#include <cstdio>

#include "app/commands.h"
#include "app/places.h"
#include "store/store.h"

namespace portcullis::app {

Result<int> lockdown_command(const LockdownOptions& options) {
  static const SystemClock clock;
  const config::Config config = TRY(load_config(TRY(find_config(options.config))));
  const DataFolder data = TRY(open_data_folder(config));
  const auto store = TRY(store::open_sqlite({.file = data.database()}, clock));
  store::Switch value;
  value.name = options.what;
  value.state = options.on ? store::SwitchState::closed : store::SwitchState::open;
  value.message = options.on ? options.message : "";
  value.who = actor();
  value.when = clock.now();
  TRY(store->set_switch(value));
  std::printf("%s: %s. It holds at once, also for uploads under way, and over restarts.\n",
              options.what.c_str(), options.on ? "closed" : "open");
  return 0;
}

}  // namespace portcullis::app

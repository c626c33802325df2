#include <cstdio>

#include "app/commands.h"
#include "app/places.h"
#include "base/id.h"

namespace portcullis::app {

namespace fs = std::filesystem;

Result<int> init_command(const InitOptions& options) {
  std::error_code error;
  if (fs::exists(options.config, error))
    return fail(Fault::client,
                "{} is there already and is left as it is; remove it first to begin anew",
                options.config);
  config::Config config;
  config.data = fs::absolute(options.data).lexically_normal();
  config.policy = config.data / "policy.toml";
  if (!options.listen.empty()) config.listen.media = TRY(config::parse_address(options.listen));
  if (!options.admin.empty()) config.listen.admin = TRY(config::parse_address(options.admin));
  config.listen.api_key = options.api_key;
  config.listen.admin_token = random_hex(16);
  if (options.prefix) config.listen.media_prefix = "/" + random_hex(16) + "/";
  if (!config.listen.media.is_loopback() && !options.prefix)
    return fail(Fault::client,
                "whoever reaches {} would be trusted as Lemmy: listen on a loopback address, or "
                "add --prefix for a "
                "secret path that only Lemmy's pictrs.url knows",
                config.listen.media.text());

  TRY(open_data_folder(config));
  if (!fs::exists(config.policy, error)) {
    const fs::path profile = TRY(shipped("profiles")) / "strict.toml";
    const Bytes text = TRY(read_file(profile.string(), 1024 * 1024));
    TRY(write_durably(config.policy, text));
  }
  TRY(write_durably(fs::absolute(options.config), as_bytes(config::to_toml(config))));
  std::printf(
      "Config   %s\nData     %s\nPolicy   %s (profile strict)\n\nNext: portcullis serve --config "
      "%s\n",
      options.config.c_str(), config.data.c_str(), config.policy.c_str(), options.config.c_str());
  if (options.prefix)
    std::printf("Lemmy's pictrs.url: http://%s%s\n", config.listen.media.text().c_str(),
                config.listen.media_prefix.c_str());
  return 0;
}

}  // namespace portcullis::app

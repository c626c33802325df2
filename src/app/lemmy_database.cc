#include "app/lemmy_database.h"

#include "app/list_credentials.h"
#include "base/bytes.h"

namespace portcullis::app {

Result<std::unique_ptr<lemmy::Database>> open_lemmy(const std::string& where,
                                                    const config::Config& config, lemmy::Use use) {
  std::string address = where.empty() ? config.lemmy.database : where;
  if (address.empty())
    return fail(Fault::client,
                "say with --lemmy-db, or in the config as [lemmy] database, which database is "
                "Lemmy's: file:PATH, env:NAME or postgres://USER:PASSWORD@HOST:PORT/DATABASE. It "
                "stands in lemmy.hjson, or in the environment of Lemmy's container as "
                "LEMMY_DATABASE_URL");
  if (address.starts_with("file:") || address.starts_with("env:"))
    address = trim(TRY(read_secret(address)));
  return lemmy::open(address, {.use = use, .hosts = config.site.hosts});
}

}  // namespace portcullis::app

#include "app/lemmy_database.h"

#include "app/secret.h"

namespace portcullis::app {

Result<std::unique_ptr<lemmy::Database>> open_lemmy(const std::string& where,
                                                    const config::Config& config, lemmy::Use use) {
  const std::string address = where.empty() ? config.lemmy.database : where;
  if (address.empty())
    return fail(Fault::client,
                "say with --lemmy-db, or in the config as [lemmy] database, which database is "
                "Lemmy's: file:PATH, env:NAME or postgres://USER:PASSWORD@HOST:PORT/DATABASE. It "
                "stands in lemmy.hjson, or in the environment of Lemmy's container as "
                "LEMMY_DATABASE_URL");
  return lemmy::open(TRY(secret_or_text(address)), {.use = use, .hosts = config.site.hosts});
}

}  // namespace portcullis::app

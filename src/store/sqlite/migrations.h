// store/sqlite/migrations.h: the schema, version by version. Private to the room.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "store/sqlite/connection.h"

namespace portcullis::store::sqlite {

// Statement i brings a database of version i to version i + 1. Never changed once released; only
// added to.
std::span<const std::string_view> migrations();

// Brings the database to the newest version, in one transaction. A newer one, or a foreign
// database, is an error.
Status migrate(Connection& connection);

}  // namespace portcullis::store::sqlite

// lemmy/rights.h: whether the database's user may do what is going to be done. Private to the room.
#pragma once

#include <map>

#include "lemmy/schema.h"

namespace portcullis::lemmy {

// table → column → whether this user may read it
using Columns = std::map<std::string, std::map<std::string, bool>>;
bool has(const Columns& columns, std::string_view table, std::string_view column);

// What is read of a post besides what may show pictures.
inline constexpr std::string_view kOfPost[] = {"id",    "thumbnail_url", "url_content_type",
                                               "ap_id", "local",         "url"};

// All these columns must exist. Fault::client with the GRANTs that are needed.
Status check_rights(Connection& connection, const Schema& schema, const Columns& columns, Use use);

}  // namespace portcullis::lemmy

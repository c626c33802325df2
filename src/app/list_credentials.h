// app/list_credentials.h: what a list's server wants to know before it gives the list. Private to
// this room.
//
// They are never on the command line, in the database, in the log or in an error: only where they
// lie is kept, "env:NAME" or "file:PATH". One a line:
//
//   basic USER:PASSWORD        HTTP Basic, as NCMEC has it
//   bearer TOKEN
//   header NAME: VALUE         as StopNCII has it (x-functions-key, Ocp-Apim-Subscription-Key)
//   query NAME=VALUE           in the address, as ThreatExchange has it (access_token)
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace portcullis::app {

struct Credentials {
  std::vector<std::string> headers;                        // "Name: value"
  std::vector<std::pair<std::string, std::string>> query;  // name, value
};
// An error names the line, not what is on it. Pure.
Result<Credentials> parse_credentials(std::string_view text);
// `where` empty: none.
Result<Credentials> load_credentials(const std::string& where);
// The address with the parameters in place of any of those names that it had. Pure.
std::string with_query(std::string url, const Credentials& credentials);

bool is_url(std::string_view source);
// For people and logs: an address without its query, which may hold a secret. Pure.
std::string shown_source(std::string_view source);
// Where the page that `url` names as its next lies: `next` is an address, a path (one from /v2/ on
// stands for the same place below `url`, as NCMEC writes it), or, with `is_token`, the value of
// nextPageToken. Empty if that is on another server: credentials are for this one. Pure.
std::string next_url(const std::string& url, const std::string& next, bool is_token);

}  // namespace portcullis::app

// app/switches_api.h: /api/switches on the admin listener.
#pragma once

#include "net/net.h"
#include "store/store.h"

namespace portcullis::app {

// GET /api/switches gives all of them; GET /api/switches/NAME one. POST or PUT
// /api/switches/NAME takes {"state":…, "message":…, "reason":…, "for":"2h", "who":…} (all but the
// state may be left out) and gives it as it is then. Errors are {"error":…} with 400, 401, 404,
// 405, 413 or 503. `token`: what "Authorization: Bearer …" must bring; empty: the API is off, 404.
// Blocks in the store, so it is asked on `db`.
Task<net::Response> answer_switches(const std::string& token, net::Request& request,
                                    net::BodyReader& body, store::Store& store, Pool& db,
                                    const Clock& clock);

}  // namespace portcullis::app

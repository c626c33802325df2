// app/switching.h: flipping switches, for the command line, the HTTP API and what closes uploads by
// itself.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "store/store.h"

namespace portcullis::app {

struct Flip {
  std::string name, state;
  std::string message = {}, reason = {}, who = {};
  std::chrono::seconds lasts{0};  // after which what was before holds again; 0: until flipped again
};

// Checked, then durable and audited; running servers follow at once. Gives what was stored. One
// that already is in that state keeps what was before it.
Result<store::Switch> flip(store::Store& store, const Flip& wanted, WallTime now);

// In one word: uploads closed, and remote pictures not stored unless they are blocked already.
// `what` is "uploads" or "remote", or empty for both. Lifting it restores what was before.
Result<std::vector<store::Switch>> lock_down(store::Store& store, const std::string& what,
                                             const Flip& wanted, WallTime now);
Result<std::vector<store::Switch>> lift_lockdown(store::Store& store, const std::string& what,
                                                 const std::string& who, WallTime now);

// All switches there are, in the state that holds; those that nobody flipped with the default's
// name, "default" for one that policy decides.
std::vector<store::Switch> all_switches(const std::vector<store::Switch>& flipped, WallTime now);
boost::json::object to_json(const store::Switch& value);
// For people: "closed by admin at …, until …, saying "…"".
std::string to_text(const store::Switch& value);

}  // namespace portcullis::app

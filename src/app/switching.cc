#include "app/switching.h"

#include <algorithm>

namespace portcullis::app {

namespace json = boost::json;

namespace {

constexpr std::string_view kOpen = "open", kClosed = "closed";

std::string in_seconds(WallTime time) { return rfc3339(time).substr(0, 19) + "Z"; }

// What `lockdown` may be said of, or all of it.
Result<std::vector<std::string>> meant_by(const std::string& what) {
  std::vector<std::string> all{std::string(store::kUploads), std::string(store::kRemote)};
  if (what.empty()) return all;
  if (std::ranges::find(all, what) == all.end())
    return fail(Fault::client, "lockdown knows {}, not \"{}\"", fmt::join(all, " and "), what);
  return std::vector{what};
}

// Whether there is anything to lift.
bool is_locked_down(std::string_view state) {
  return state == kClosed || state == store::name(store::RemotePictures::pass_through) ||
         state == store::name(store::RemotePictures::block);
}

}  // namespace

Result<store::Switch> flip(store::Store& store, const Flip& wanted, WallTime now) {
  TRY(store::check_switch(wanted.name, wanted.state));
  const auto current = TRY(store.get_switch(wanted.name));
  const std::string state = store::state_at(current, now);
  store::Switch value{wanted.name, wanted.state, wanted.message, wanted.who,
                      now,         std::nullopt, wanted.reason,  state};
  if (wanted.lasts.count() > 0) value.until = now + wanted.lasts;
  if (current && state == wanted.state) value.before = current->before;
  TRY(store.set_switch(value));
  return value;
}

Result<std::vector<store::Switch>> lock_down(store::Store& store, const std::string& what,
                                             const Flip& wanted, WallTime now) {
  std::vector<store::Switch> flipped;
  for (const std::string& name : TRY(meant_by(what))) {
    Flip one = wanted;
    one.name = name;
    one.state =
        name == store::kUploads ? kClosed : store::name(store::RemotePictures::pass_through);
    const auto current = TRY(store.get_switch(name));
    const bool is_blocked = name == store::kRemote &&
                            store::remote_pictures(current, now) == store::RemotePictures::block;
    if (!is_blocked) flipped.push_back(TRY(flip(store, one, now)));
  }
  return flipped;
}

Result<std::vector<store::Switch>> lift_lockdown(store::Store& store, const std::string& what,
                                                 const std::string& who, WallTime now) {
  std::vector<store::Switch> flipped;
  for (const std::string& name : TRY(meant_by(what))) {
    const auto current = TRY(store.get_switch(name));
    if (!current || !is_locked_down(store::state_at(current, now))) continue;
    store::Switch value = *current;
    value.until = std::nullopt;
    value.state = !value.before.empty()     ? value.before
                  : name == store::kUploads ? std::string(kOpen)
                                            : std::string(store::kDefaultState);
    value.message = value.reason = value.before = "";
    value.who = who;
    value.when = now;
    TRY(store.set_switch(value));
    flipped.push_back(std::move(value));
  }
  return flipped;
}

std::vector<store::Switch> all_switches(const std::vector<store::Switch>& flipped, WallTime now) {
  std::vector<store::Switch> all;
  for (const store::SwitchKind& kind : store::switch_kinds()) {
    store::Switch value;
    const auto found = std::ranges::find(flipped, kind.name, &store::Switch::name);
    if (found != flipped.end()) value = *found;
    const std::string state = found == flipped.end() ? std::string() : store::state_at(value, now);
    if (found == flipped.end() || state != value.state) value = {};
    value.name = kind.name;
    value.state = !state.empty()                 ? state
                  : kind.name == store::kUploads ? kOpen
                                                 : store::kDefaultState;
    all.push_back(std::move(value));
  }
  return all;
}

json::object to_json(const store::Switch& value) {
  json::object object{{"name", value.name}, {"state", value.state}};
  if (!value.message.empty()) object["message"] = value.message;
  if (!value.reason.empty()) object["reason"] = value.reason;
  if (!value.who.empty()) {
    object["who"] = value.who;
    object["when"] = rfc3339(value.when);
  }
  if (value.until) object["until"] = rfc3339(*value.until);
  return object;
}

std::string to_text(const store::Switch& value) {
  std::string text = value.state;
  if (value.state == store::kDefaultState)
    text = "default (kept while the policy has a classifier, else passed through)";
  if (!value.who.empty()) text += fmt::format(", by {} at {}", value.who, in_seconds(value.when));
  if (value.until) text += ", until " + in_seconds(*value.until);
  if (!value.reason.empty()) text += fmt::format(", because \"{}\"", value.reason);
  if (!value.message.empty()) text += fmt::format(", saying \"{}\"", value.message);
  return text;
}

}  // namespace portcullis::app

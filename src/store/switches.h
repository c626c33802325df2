// store/switches.h: what an admin can flip while the site runs. Part of store/store.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace portcullis::store {

// `uploads`: whether people may upload: open, closed.
// `remote`: what becomes of pictures that others host: cache (fetched, screened, kept),
// pass_through (never stored; browsers are sent to their origin), block (nothing of them is shown),
// or default: as if nobody had ever said anything.
enum class RemotePictures { cache, pass_through, block };
std::string_view name(RemotePictures state);

inline constexpr std::string_view kUploads = "uploads", kRemote = "remote";
inline constexpr std::string_view kDefaultState = "default";

// How one was flipped last.
struct Switch {
  std::string name;
  std::string state;
  std::string message;  // shown to people; empty: the default text
  std::string who;      // who flipped it
  WallTime when;
  std::optional<WallTime> until;  // from then on `before` holds
  std::string reason = {};        // for admins
  std::string before = {};        // empty: as if nobody had ever flipped it
  bool operator==(const Switch&) const = default;
};

// The switches there are, and the states of each.
struct SwitchKind {
  std::string_view name;
  std::span<const std::string_view> states;
};
std::span<const SwitchKind> switch_kinds();
// Fault::client, with what there is, for another name or state.
Status check_switch(std::string_view name, std::string_view state);

// The state that holds; empty: nobody has said so, and the default does.
std::string state_at(const std::optional<Switch>& value, WallTime now);
// A word that is not known reads as closed.
bool uploads_are_open(const std::optional<Switch>& value, WallTime now);
// Nothing: the default. A word that is not known reads as `block`.
std::optional<RemotePictures> remote_pictures(const std::optional<Switch>& value, WallTime now);

}  // namespace portcullis::store

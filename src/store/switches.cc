#include "store/switches.h"

#include <algorithm>
#include <array>

namespace portcullis::store {

namespace {

constexpr std::array<std::string_view, 2> kUploadStates{"open", "closed"};
constexpr std::array<std::string_view, 4> kRemoteStates{"cache", "pass_through", "block",
                                                        kDefaultState};
constexpr std::array<SwitchKind, 2> kKinds{SwitchKind{kUploads, kUploadStates},
                                           SwitchKind{kRemote, kRemoteStates}};

std::string listed(std::span<const std::string_view> words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace

std::string_view name(RemotePictures state) {
  return kRemoteStates[static_cast<std::size_t>(state)];
}

std::span<const SwitchKind> switch_kinds() { return kKinds; }

Status check_switch(std::string_view name, std::string_view state) {
  const auto kind = std::ranges::find(kKinds, name, &SwitchKind::name);
  if (kind == kKinds.end())
    return fail(Fault::client, "there is no switch \"{}\"; there are {} and {}", name, kUploads,
                kRemote);
  if (std::ranges::find(kind->states, state) == kind->states.end())
    return fail(Fault::client, "{} cannot be \"{}\"; it can be {}", name, state,
                listed(kind->states));
  return {};
}

std::string state_at(const std::optional<Switch>& value, WallTime now) {
  if (!value) return {};
  return value->until && *value->until <= now ? value->before : value->state;
}

bool uploads_are_open(const std::optional<Switch>& value, WallTime now) {
  const std::string state = state_at(value, now);
  return state.empty() || state == kUploadStates[0];
}

std::optional<RemotePictures> remote_pictures(const std::optional<Switch>& value, WallTime now) {
  const std::string state = state_at(value, now);
  if (state.empty() || state == kDefaultState) return std::nullopt;
  for (const RemotePictures one : {RemotePictures::cache, RemotePictures::pass_through})
    if (state == name(one)) return one;
  return RemotePictures::block;
}

}  // namespace portcullis::store

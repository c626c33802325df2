#include "app/automatic_closing.h"

#include "app/switching.h"
#include "policy/policy.h"

namespace portcullis::app {

Result<std::optional<std::string>> close_if_too_many(
    store::Store& store, const std::vector<config::CloseUploads>& limits, const std::string& rule,
    WallTime now) {
  for (const config::CloseUploads& limit : limits) {
    if (!policy::fits(limit.rule, rule)) continue;
    std::uint64_t refused = 0;
    for (const auto& [name, count] : TRY(store.refusals_by_rule(now - limit.within)))
      if (policy::fits(limit.rule, name)) refused += count;
    if (refused <= limit.refusals) continue;
    if (!store::uploads_are_open(TRY(store.get_switch(std::string(store::kUploads))), now))
      return std::nullopt;
    const std::string reason = fmt::format("close_uploads.{}: {} pictures refused by \"{}\"",
                                           limit.name, refused, limit.rule);
    TRY(flip(
        store,
        {std::string(store::kUploads), "closed", limit.message, reason, "portcullis", limit.lasts},
        now));
    return fmt::format(
        "Uploads were closed: {} pictures were refused within {} minutes by rules "
        "that fit \"{}\" ([close_uploads.{}]). {}",
        refused, std::chrono::ceil<std::chrono::minutes>(limit.within).count(), limit.rule,
        limit.name,
        limit.lasts.count() > 0 ? "They open by themselves later."
                                : "`portcullis lockdown off uploads` opens them.");
  }
  return std::nullopt;
}

}  // namespace portcullis::app

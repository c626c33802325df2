#include "app/pict_rs_shelf.h"

#include "app/wait_for.h"
#include "base/id.h"

namespace portcullis::app {

namespace {

// wait_for() wants a value.
Task<Result<bool>> deleted(pictrs::Client& pict_rs, std::string alias) {
  const Status done = co_await pict_rs.delete_alias(std::move(alias));
  if (done) co_return true;
  if (done.error().code == "alias-not-found") co_return false;
  co_return std::unexpected(done.error());
}

}  // namespace

Result<PictureShelf::Taken> PictRsShelf::take_off_one(const lemmy::Thumbnail& one) {
  const auto ours = TRY(store_.handed_on(one.alias));
  if (ours && ours->source != policy::Origin::remote) return Taken::a_users;
  const std::string& origin = ours && !ours->url.empty() ? ours->url : one.origin;
  if (!origin.empty()) {
    const std::string& token = one.delete_token;
    const Status put = store_.put_stand_in(
        {one.alias, token.empty() ? random_uuid() : token, origin, clock_.now(), true});
    if (!put && put.error().code != "duplicate-alias") return std::unexpected(put.error());
  }
  const bool was_there = TRY(wait_for(deleted(pict_rs_, one.alias)));
  TRY(store_.let_go(one.alias));
  return was_there ? Taken::gone : Taken::not_there;
}

Result<std::vector<PictureShelf::Taken>> PictRsShelf::take_off(
    const std::vector<lemmy::Thumbnail>& batch, const store::Job& job) {
  std::vector<Taken> taken;
  std::vector<std::string> gone;
  for (const lemmy::Thumbnail& one : batch) {
    taken.push_back(TRY(take_off_one(one)));
    if (taken.back() == Taken::gone) gone.push_back(one.alias);
  }
  TRY(store_.save_job(job));
  if (on_gone_) on_gone_(gone);
  return taken;
}

Result<std::uint64_t> PictRsShelf::purge_proxied() {
  constexpr std::size_t kBatch = 100;
  std::uint64_t purged = 0;
  while (true) {
    const auto page = TRY(store_.unused_handed_on(clock_.now() + std::chrono::hours(1), kBatch));
    for (const store::HandedOn& one : page) {
      TRY(wait_for(deleted(pict_rs_, one.alias)));
      TRY(store_.let_go(one.alias));
    }
    purged += page.size();
    if (page.size() < kBatch) return purged;
  }
}

}  // namespace portcullis::app

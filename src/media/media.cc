#include "media/media.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <charconv>

#include "base/log.h"
#include "media/fallback.h"
#include "media/internal.h"
#include "media/openapi.h"
#include "media/placeholder.h"
#include "media/serving.h"
#include "media/uploads.h"
#include "media/validator.h"

namespace portcullis::media {

namespace {

constexpr std::size_t kBatch = 500;  // rows that one step of making room touches

bool is_upload(Action action) {
  return action == Action::upload || action == Action::upload_backgrounded ||
         action == Action::import;
}

// pict-rs's own limit on the time of a request, in nanoseconds since 1970. Nothing, or the answer.
std::optional<net::Response> past_deadline(const net::Request& request, Action action,
                                           WallTime now) {
  const auto answer = is_upload(action) ? refusal : error_answer;
  const auto header = request.header("x-request-deadline");
  if (!header) return std::nullopt;
  std::string_view digits = *header;
  const bool is_negative = digits.starts_with('-');
  if (is_negative) digits.remove_prefix(1);
  if (digits.empty() || digits.size() > 39 ||
      digits.find_first_not_of("0123456789") != std::string_view::npos)
    return answer(400, "parse-deadline", "X-Request-Deadline must be a number.");
  std::int64_t nanoseconds = 0;
  const auto [stop, fault] =
      std::from_chars(digits.data(), digits.data() + digits.size(), nanoseconds);
  if (!is_negative && fault == std::errc::result_out_of_range) return std::nullopt;
  const std::chrono::nanoseconds left =
      std::chrono::nanoseconds(is_negative ? 0 : nanoseconds) - now.time_since_epoch();
  if (left.count() > 0) return std::nullopt;
  return answer(408, "request-timeout", "Deadline exceeded");
}

}  // namespace

// Everything that answers requests.
class Media::Room {
 public:
  Room(Options options, Services services)
      : shared_(std::move(options), services),
        pict_rs_(services.pict_rs ? std::make_unique<PictRsApi>(shared_, finder()) : nullptr),
        variants_(shared_),
        remotes_(shared_, variants_),
        uploads_(shared_),
        internal_(shared_, remotes_, pict_rs_.get()),
        validator_(shared_),
        fallback_(shared_) {}

  Task<net::Response> handle(net::Request& request, net::BodyReader& body);
  Task<net::Response> validate(net::Request& request, net::BodyReader& body) {
    return validator_.handle(request, body);
  }
  Status maintain();
  void abandon() {
    variants_.abandon();
    remotes_.abandon();
  }
  Task<void> tidy_up() {
    if (pict_rs_) co_await pict_rs_->tidy_up();
  }
  void forget_stored() { shared_.hot.clear(); }
  const Counters& counters() const { return shared_.counters; }

 private:
  Task<net::Response> original(const net::Request& request, const Route& route, bool relayed);
  Task<net::Response> process(const net::Request& request, const Route& route, bool relayed);
  Task<net::Response> process_in_background(const net::Request& request, const Route& route);
  Task<net::Response> details(const net::Request& request, const Route& route);
  Task<net::Response> process_details(const net::Request& request, const Route& route);
  Task<net::Response> blurhash(const net::Request& request, const Route& route);
  Task<net::Response> remove(const Route& route);
  Task<net::Response> health();
  // The stored picture that the route is about.
  Task<Found<StoredPointer>> find(const net::Request& request, const Route& route, bool relayed,
                                  Remotes::Miss miss);
  // The same, for what the pict-rs behind this gate answers.
  PictRsApi::Find finder() {
    return [this](const net::Request& request, const Route& route, bool relayed, bool may_fetch) {
      return find(request, route, relayed,
                  may_fetch ? Remotes::Miss::fetch : Remotes::Miss::give_up);
    };
  }
  static bool is_elsewhere(const StoredPointer& stored) { return !stored->elsewhere.empty(); }
  // Whether what was not found here may still lie in the store before this one.
  bool may_be_elsewhere(const Instead& instead, const Route& route) const {
    const auto* answer = std::get_if<net::Response>(&instead);
    return fallback_.is_on() && answer && answer->status == 404 && !route.alias.empty();
  }
  net::Response served(const net::Request& request, const StoredPointer& picture, bool relayed);
  Task<net::Response> not_found(net::Response plain, const Route& route, bool relayed);
  Task<void> make_in_background(StoredPointer of, image::Variant variant);
  Result<image::Variant> variant_of(const Route& route) const {
    return image::variant_from(route.extension, route.parameters, shared_.options.filters);
  }
  Status look_after_evidence();
  Status make_room();

  int evidence_step_ = 0;  // of maintain() alone
  Shared shared_;
  std::unique_ptr<PictRsApi> pict_rs_;  // null: pictures are in the own store
  Variants variants_;
  Remotes remotes_;
  Uploads uploads_;
  Internal internal_;
  Validator validator_;
  Fallback fallback_;
};

Media::Media(Options options, Services services)
    : room_(std::make_unique<Room>(std::move(options), services)) {}
Media::~Media() = default;
Task<net::Response> Media::handle(net::Request& request, net::BodyReader& body) {
  return room_->handle(request, body);
}
Task<net::Response> Media::validate(net::Request& request, net::BodyReader& body) {
  return room_->validate(request, body);
}
const Counters& Media::counters() const { return room_->counters(); }
Status Media::maintain() { return room_->maintain(); }
Task<void> Media::tidy_up() { return room_->tidy_up(); }
void Media::abandon() { room_->abandon(); }
void Media::forget_stored() { room_->forget_stored(); }

Task<net::Response> Media::Room::handle(net::Request& request, net::BodyReader& body) {
  const bool relayed = request.header("x-forwarded-for").has_value();
  const Route found =
      route(request.method, request.path, request.query, shared_.options.prefix, relayed);
  if (!relayed && found.action != Action::nothing && found.action != Action::health)
    if (auto late = past_deadline(request, found.action, shared_.services.clock.now()))
      co_return std::move(*late);
  if (is_internal(found.action)) {
    if (!internal_.may(request))
      co_return error_answer(401, "invalid-api-token", "Invalid API Key");
    if (found.action == Action::import) co_return co_await uploads_.import(request, body, found);
    co_return co_await internal_.handle(found, body);
  }
  switch (found.action) {
    case Action::health:
      co_return co_await health();
    case Action::description:
      co_return net::Response{
          200, {{"Content-Type", "application/yaml"}}, std::string(kOpenApi), false};
    case Action::original:
      co_return co_await original(request, found, relayed);
    case Action::process:
      co_return co_await process(request, found, relayed);
    case Action::process_backgrounded:
      co_return co_await process_in_background(request, found);
    case Action::details:
      co_return co_await details(request, found);
    case Action::process_details:
      co_return co_await process_details(request, found);
    case Action::blurhash:
      co_return co_await blurhash(request, found);
    case Action::remove:
      co_return co_await remove(found);
    case Action::upload:
      co_return co_await uploads_.upload(request, body, found);
    case Action::upload_backgrounded:
      co_return co_await uploads_.upload_backgrounded(request, body, found);
    case Action::claim:
      co_return co_await uploads_.claim(found);
    case Action::download:
      co_return co_await remotes_.download(request, found);
    default:
      co_return empty_answer(404);
  }
}

Task<Found<StoredPointer>> Media::Room::find(const net::Request& request, const Route& route,
                                             bool relayed, Remotes::Miss miss) {
  const auto may_fetch = request.method == "GET" ? miss : Remotes::Miss::give_up;
  if (!route.url.empty())
    co_return co_await remotes_.proxied(request, route.url, relayed, may_fetch);
  if (route.alias.empty())
    co_return std::unexpected(
        error_answer(400, "invalid-query", "src, alias or proxy is missing."));
  co_return co_await remotes_.by_alias(request, route.alias, may_fetch);
}

net::Response Media::Room::served(const net::Request& request, const StoredPointer& picture,
                                  bool relayed) {
  ++shared_.counters.served;
  return serve(request, picture, relayed, shared_.options.cache_max_age);
}

// What an admin chose to show for pictures that are not there; to the site itself, not through it.
Task<net::Response> Media::Room::not_found(net::Response plain, const Route& route, bool relayed) {
  if (plain.status != 404) co_return plain;
  if (relayed) co_return empty_answer(404);
  if (const std::string alias = co_await internal_.not_found_alias(); !alias.empty())
    if (const auto stored = co_await stored_by_alias(shared_, alias))
      co_return serve_not_found(*stored);
  if (route.url.empty()) co_return empty_answer(404);
  co_return plain;
}

Task<net::Response> Media::Room::original(const net::Request& request, const Route& route,
                                          bool relayed) {
  auto stored = co_await find(request, route, relayed, Remotes::Miss::fetch);
  if (stored && is_elsewhere(*stored))
    co_return co_await pict_rs_->about(request, route, relayed, *stored);
  if (stored) co_return served(request, *stored, relayed);
  if (may_be_elsewhere(stored.error(), route))
    if (auto answer = co_await fallback_.original(request, route, relayed))
      co_return *std::move(answer);
  co_return co_await not_found(picture_instead(std::move(stored).error()), route, relayed);
}

Task<net::Response> Media::Room::process(const net::Request& request, const Route& route,
                                         bool relayed) {
  const auto variant = variant_of(route);
  if (!variant) co_return answer_for_variant(variant.error());
  auto stored = co_await find(request, route, relayed, Remotes::Miss::fetch);
  if (!stored && may_be_elsewhere(stored.error(), route))
    if (auto answer = co_await fallback_.process(request, route, relayed))
      co_return *std::move(answer);
  if (!stored) {
    std::string_view thumbnail;
    for (const auto& [key, value] : route.parameters)
      if (key == "thumbnail") thumbnail = value;
    co_return co_await not_found(
        picture_instead(std::move(stored).error(), route.extension, thumbnail), route, relayed);
  }
  if (is_elsewhere(*stored)) co_return co_await pict_rs_->about(request, route, relayed, *stored);
  if (request.method == "HEAD") {
    const auto known = co_await variants_.find(*stored, variant->key);
    if (!known) co_return answer_for_variant(known.error());
    if (!*known) co_return empty_answer(404);
    co_return served(request, *known, relayed);
  }
  const auto made = co_await variants_.find_or_make(*stored, *variant);
  if (!made) co_return co_await not_found(answer_for_variant(made.error()), route, relayed);
  co_return served(request, *made, relayed);
}

Task<net::Response> Media::Room::process_in_background(const net::Request& request,
                                                       const Route& route) {
  const auto variant = variant_of(route);
  if (!variant) co_return answer_for_variant(variant.error());
  auto stored = co_await find(request, route, false, Remotes::Miss::give_up);
  if (!stored) {
    net::Response answer = details_instead(std::move(stored).error(), shared_.services.clock.now());
    if (answer.status == 404) co_return empty_answer(404);
    if (answer.status == 200) co_return empty_answer(202);  // the placeholder has one look only
    co_return answer;
  }
  if (is_elsewhere(*stored)) co_return co_await pict_rs_->about(request, route, false, *stored);
  asio::co_spawn(co_await asio::this_coro::executor, make_in_background(*stored, *variant),
                 asio::detached);
  co_return empty_answer(202);
}

Task<void> Media::Room::make_in_background(StoredPointer of, image::Variant variant) {
  const auto made = co_await variants_.find_or_make(std::move(of), std::move(variant));
  if (!made) log::info("a variant was not made in the background", {{"why", made.error().what}});
}

Task<net::Response> Media::Room::details(const net::Request& request, const Route& route) {
  auto stored = co_await find(request, route, false, Remotes::Miss::give_up);
  if (!stored && may_be_elsewhere(stored.error(), route))
    if (auto answer = co_await fallback_.details(route)) co_return *std::move(answer);
  if (!stored) co_return details_instead(std::move(stored).error(), shared_.services.clock.now());
  if (is_elsewhere(*stored)) co_return co_await pict_rs_->about(request, route, false, *stored);
  co_return json_answer(200, details_json((*stored)->details, (*stored)->created));
}

Task<net::Response> Media::Room::process_details(const net::Request& request, const Route& route) {
  const auto variant = variant_of(route);
  if (!variant) co_return answer_for_variant(variant.error());
  auto stored = co_await find(request, route, false, Remotes::Miss::give_up);
  if (!stored) co_return details_instead(std::move(stored).error(), shared_.services.clock.now());
  if (is_elsewhere(*stored)) co_return co_await pict_rs_->about(request, route, false, *stored);
  const auto known = co_await variants_.find(*stored, variant->key);
  if (!known) co_return answer_for_variant(known.error());
  if (!*known) co_return error_answer(404, "alias-not-found", "No such variant");
  co_return json_answer(200, details_json((*known)->details, (*known)->created));
}

Task<net::Response> Media::Room::blurhash(const net::Request& request, const Route& route) {
  auto stored = co_await find(request, route, false, Remotes::Miss::fetch);
  if (!stored) {
    if (std::holds_alternative<ShowPlaceholder>(stored.error()))
      co_return json_answer(200, blurhash_json(placeholder_details().blurhash));
    co_return details_instead(std::move(stored).error(), shared_.services.clock.now());
  }
  if (is_elsewhere(*stored)) co_return co_await pict_rs_->about(request, route, false, *stored);
  co_return json_answer(200, blurhash_json((*stored)->details.blurhash));
}

Task<net::Response> Media::Room::remove(const Route& route) {
  if (pict_rs_) co_return co_await pict_rs_->remove(route);
  const auto deleted = co_await shared_.services.db.run(
      [&] { return shared_.services.store.delete_alias(route.alias, route.token); });
  if (!deleted)
    co_return error_answer(503, "storage-unavailable", "The picture cannot be deleted right now.");
  if (deleted->outcome == store::Store::Deleted::wrong_token)
    co_return error_answer(403, "invalid-delete-token", "The delete token is wrong.");
  shared_.deleted(deleted->aliases);
  co_return empty_answer(204);
}

// Healthy means that stored pictures can be served; whether uploads are taken is the admin
// listener's business.
Task<net::Response> Media::Room::health() {
  if (pict_rs_) co_return co_await pict_rs_->health();
  const auto counts =
      co_await shared_.services.db.run([&] { return shared_.services.store.generation(); });
  co_return empty_answer(counts ? 200 : 503);
}

Status Media::Room::maintain() {
  store::Store& store = shared_.services.store;
  const WallTime now = shared_.services.clock.now();
  if (const auto accesses = shared_.accesses.take(); !accesses.empty()) TRY(store.touch(accesses));
  if (!pict_rs_) TRY(uploads_.expire_unclaimed());
  TRY(store.expire_answers(now, kBatch));
  const auto variants = TRY(store.expire_variants(now - shared_.options.keep_variants, kBatch));
  const auto proxied = TRY(store.expire_proxied(now - shared_.options.keep_proxied, kBatch));
  shared_.forget(proxied.aliases);
  shared_.counters.evicted += variants.variants + proxied.aliases.size();
  if (variants.variants > 0) shared_.hot.clear();
  TRY(look_after_evidence());
  return make_room();
}

// What is over its time goes; when there is no room for more, uploads close.
Status Media::Room::look_after_evidence() {
  TRY(shared_.services.keeper.destroy_due(kBatch));
  const double fullness = TRY(shared_.services.keeper.fullness());
  const int step = fullness >= 1.0 ? 3 : fullness >= 0.8 ? 2 : fullness >= 0.5 ? 1 : 0;
  if (step > evidence_step_)
    shared_.alert(
        "evidence-budget",
        step == 3 ? std::string("The room for evidence is used up, so uploads are closed "
                                "until some of it is over its time or "
                                "evidence.max_bytes is raised.")
                  : fmt::format("{} % of the room for evidence are used up.", step == 2 ? 80 : 50));
  evidence_step_ = step;
  shared_.is_evidence_full = step == 3;
  return {};
}

Status Media::Room::make_room() {
  store::Store& store = shared_.services.store;
  const Options& options = shared_.options;
  const auto over = [](std::uint64_t used, std::uint64_t most) {
    return used - std::min(used, most);
  };
  store::Usage usage = TRY(store.usage());
  if (const auto excess = over(usage.variants, options.max_variant_bytes); excess > 0) {
    const auto gone = TRY(store.evict(excess, true, kBatch));
    shared_.counters.evicted += gone.variants;
    shared_.hot.clear();
    usage = TRY(store.usage());
  }
  if (options.max_bytes == 0) return {};
  const auto excess = over(usage.all, options.max_bytes);
  std::uint64_t freed = 0;
  if (excess > 0) {
    const auto gone = TRY(store.evict(excess, false, kBatch));
    freed = gone.bytes;
    shared_.counters.evicted += gone.variants + gone.aliases.size();
    shared_.hot.clear();
  }
  const bool is_full = excess > 0 && freed == 0;
  if (is_full && !shared_.is_full.exchange(true))
    log::error(
        "media.max_bytes is used up by uploads alone: new pictures are refused until some "
        "are deleted or the limit is raised",
        {{"bytes", usage.all}, {"max_bytes", options.max_bytes}});
  shared_.is_full = is_full;
  return {};
}

Result<std::size_t> sweep(store::Store& store, blob::BlobStore& blobs, std::size_t most) {
  const std::vector<Sha256> digests = TRY(store.sweepable(most));
  for (const Sha256& digest : digests) {
    TRY(blobs.remove(digest));
    TRY(store.removed(digest));
  }
  return digests.size();
}

Result<std::size_t> remove_orphans(store::Store& store, blob::BlobStore& blobs) {
  std::vector<Sha256> orphans;
  Status failed;
  TRY(blobs.list([&](const Sha256& digest) {
    if (!failed) return;
    const Result<bool> known = store.knows(digest);
    if (!known)
      failed = std::unexpected(known.error());
    else if (!*known)
      orphans.push_back(digest);
  }));
  TRY(failed);
  for (const Sha256& digest : orphans) TRY(blobs.remove(digest));
  return orphans.size();
}

}  // namespace portcullis::media

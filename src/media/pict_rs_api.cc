#include "media/pict_rs_api.h"

#include <boost/json.hpp>

#include "base/log.h"
#include "media/internal.h"

namespace portcullis::media {

namespace json = boost::json;

namespace {

constexpr std::size_t kAtOnce = 100;  // pictures that one tidying lets go
constexpr std::chrono::hours kUnclaimed{1};
constexpr std::size_t kLongestList = 4 * 1024 * 1024;  // of aliases

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::any_of(names, [&](auto one) { return ascii_equal_ignoring_case(name, one); });
}

// What pict-rs says, as it says it; what it could not do is not this server's fault.
net::Response passed_on(net::UpstreamAnswer answer) {
  if (answer.status >= 500) {
    return error_for_pict_rs(
        {Fault::upstream, fmt::format("it answered {}", answer.status), "upstream-refused"});
  }
  net::Response response{answer.status, {}, std::string(), false};
  if (const auto type = answer.header("content-type"))
    response.headers.push_back({"Content-Type", std::string(*type)});
  if (answer.body) response.body = net::StreamPart{std::move(answer.body), answer.length};
  return response;
}

std::vector<std::string> aliases_in(std::string_view text) {
  std::vector<std::string> aliases;
  boost::system::error_code error;
  const json::value root = json::parse(text, error);
  const json::value* list =
      error || !root.is_object() ? nullptr : root.as_object().if_contains("aliases");
  if (!list || !list->is_array()) return aliases;
  for (const json::value& one : list->as_array())
    if (one.is_string() && is_alias(one.as_string())) aliases.emplace_back(one.as_string());
  return aliases;
}

}  // namespace

std::vector<net::Header> headers_to_pict_rs(const net::Request& request, bool relayed) {
  std::vector<net::Header> headers;
  const auto copy = [&](const char* name) {
    if (const auto value = request.header(name)) headers.push_back({name, std::string(*value)});
  };
  copy("Range");
  copy("If-Range");
  if (relayed) return headers;
  copy("If-None-Match");
  copy("If-Modified-Since");
  return headers;
}

net::Response picture_answer(net::UpstreamAnswer answer, bool relayed,
                             std::chrono::seconds cache_max_age) {
  constexpr std::string_view kKept[] = {"content-type",  "last-modified",      "etag",
                                        "accept-ranges", "content-range",      "location",
                                        "vary",          "content-disposition"};
  const int status = answer.status;
  if (relayed && status == 404) return empty_answer(404);
  const bool is_shifting = status == 204 || status == 304;
  if (status >= 500 || (relayed && is_shifting))
    return error_for_pict_rs(
        {Fault::upstream, fmt::format("it answered {}", status), "upstream-refused"});
  net::Response response{status, {}, std::string(), false};
  for (net::Header& one : answer.headers)
    if (is_one_of(one.name, kKept)) response.headers.push_back(std::move(one));
  const bool may_be_kept = status == 200 || status == 206 || status == 304;
  response.headers.push_back(
      {"Cache-Control",
       may_be_kept ? fmt::format("public, max-age={}", cache_max_age.count()) : "no-store"});
  response.headers.push_back({"X-Content-Type-Options", "nosniff"});
  // Also without a body: an answer to HEAD tells the length that one would have.
  if (answer.body || answer.length)
    response.body = net::StreamPart{std::move(answer.body), answer.length};
  return response;
}

// How pict-rs is asked for what the route wants of a picture.
PictRsApi::Target PictRsApi::target_of(const Route& route) const {
  const auto of_variant = [&](std::string path) -> Target {
    image::Parameters wanted;
    for (const auto& pair : route.parameters)
      if (std::ranges::find(shared_.options.filters, pair.first) != shared_.options.filters.end())
        wanted.push_back(pair);
    return [path = std::move(path), extension = route.extension, wanted = std::move(wanted)](
               const std::string& alias) { return variant_target(path, extension, alias, wanted); };
  };
  switch (route.action) {
    case Action::process:
      return of_variant("/image/process");
    case Action::process_details:
      return of_variant("/image/details/process");
    case Action::process_backgrounded:
      return of_variant("/image/process_backgrounded");
    case Action::details:
      return [](const std::string& alias) { return "/image/details/original/" + alias; };
    case Action::blurhash:
      return [](const std::string& alias) { return "/image/blurhash?alias=" + alias; };
    default:
      return original_target;
  }
}

Task<net::Response> PictRsApi::about(const net::Request& request, const Route& route, bool relayed,
                                     StoredPointer picture) {
  const Target target = target_of(route);
  const bool is_picture = route.action == Action::original || route.action == Action::process;
  for (int attempt = 0;; ++attempt) {
    const std::string alias = picture->elsewhere;
    auto answer = co_await pict_rs_.ask(
        {.method = request.method == "HEAD" ? "HEAD" : "GET",
         .target = target(alias),
         .headers = is_picture ? headers_to_pict_rs(request, relayed) : std::vector<net::Header>(),
         .deadline = soon()});
    if (!answer) co_return error_for_pict_rs(answer.error());
    // The copy that is kept for a URL went away behind our back: once more, from the origin.
    if (answer->status == 404 && alias != route.alias && attempt == 0) {
      if (const auto gone = co_await pict_rs_.forget(alias); gone) {
        shared_.forget(*gone);
        const bool may_fetch = is_picture || route.action == Action::blurhash;
        auto again = co_await find_(request, route, relayed, may_fetch);
        if (!again && is_picture) co_return picture_instead(std::move(again).error());
        if (!again)
          co_return details_instead(std::move(again).error(), shared_.services.clock.now());
        picture = *std::move(again);
        continue;
      }
    }
    if (!is_picture) co_return passed_on(*std::move(answer));
    ++shared_.counters.served;
    co_return picture_answer(*std::move(answer), relayed, shared_.options.cache_max_age);
  }
}

Task<std::optional<net::Response>> PictRsApi::remove_stand_in(const Route& route,
                                                              const std::string& alias) {
  Services& services = shared_.services;
  const auto found = co_await services.db.run([&] { return services.store.stand_in(alias); });
  if (!found)
    co_return error_answer(503, "storage-unavailable", "The store cannot be reached right now.");
  if (!*found) co_return std::nullopt;
  const bool has_token = route.action == Action::remove;
  const auto deleted = co_await services.db.run([&] {
    return services.store.delete_alias(alias,
                                       has_token ? std::optional(route.token) : std::nullopt);
  });
  if (!deleted)
    co_return error_answer(503, "storage-unavailable", "The store cannot be reached right now.");
  if (deleted->outcome == store::Store::Deleted::wrong_token)
    co_return error_answer(403, "invalid-delete-token", "The delete token is wrong.");
  shared_.deleted(deleted->aliases);
  if (has_token) co_return empty_answer(204);
  if (route.action == Action::internal_delete) co_return json_answer(200, R"({"msg":"ok"})");
  const auto remote =
      co_await services.db.run([&] { return services.store.remote((*found)->url); });
  if (remote && *remote && !(*remote)->alias.empty()) {
    const net::Response purged = co_await purge((*remote)->alias);
    if (purged.status != 200 && purged.status != 404) co_return purged;
  }
  co_return json_answer(200, aliases_json({alias}));
}

Task<net::Response> PictRsApi::remove(const Route& route) {
  if (auto done = co_await remove_stand_in(route, route.alias)) co_return *std::move(done);
  const auto gone = co_await pict_rs_.remove(route.alias, route.token);
  if (gone) {
    shared_.deleted(*gone);
    co_return empty_answer(204);
  }
  if (gone.error().code == "invalid-delete-token")
    co_return error_answer(403, "invalid-delete-token", "The delete token is wrong.");
  co_return error_for_pict_rs(gone.error());
}

// Healthy means that stored pictures can be served, and that what is known of them can be read.
Task<net::Response> PictRsApi::health() {
  const auto answer =
      co_await pict_rs_.ask({.method = "GET", .target = "/healthz", .deadline = soon()});
  const auto generation =
      co_await shared_.services.db.run([&] { return shared_.services.store.generation(); });
  co_return empty_answer(answer && answer->status == 200 && generation ? 200 : 503);
}

Task<net::Response> PictRsApi::pass(PictRs::Ask ask) {
  ask.internal = true;
  ask.deadline = soon();
  auto answer = co_await pict_rs_.ask(std::move(ask));
  if (!answer) co_return error_for_pict_rs(answer.error());
  if (answer->status == 401)  // the client's key was right
    co_return error_for_pict_rs(
        {Fault::us, "[pict_rs] api_key is not the one of pict-rs", "upstream-refused"});
  co_return passed_on(*std::move(answer));
}

Task<net::Response> PictRsApi::internal(const Route& route, net::BodyReader& body,
                                        Answered<std::string> alias) {
  std::string target;
  char between = '?';
  const auto add = [&](std::string_view key, std::string_view value) {
    target += fmt::format("{}{}={}", std::exchange(between, '&'), key, net::percent_encode(value));
  };
  switch (route.action) {
    case Action::remove_variants:
      co_return co_await pass({.method = "DELETE", .target = "/internal/variants"});
    case Action::set_not_found: {
      const auto chosen = co_await alias_to_show(body);
      if (!chosen) co_return chosen.error();
      co_return co_await pass({.method = "POST",
                               .target = "/internal/set_not_found",
                               .headers = {{"Content-Type", "application/json"}},
                               .body = json::serialize(json::object{{"alias", *chosen}})});
    }
    case Action::hashes:
      target = "/internal/hashes";
      for (const auto& [key, value] : route.parameters)
        if (key == "limit" || key == "slug" || key == "timestamp") add(key, value);
      co_return co_await pass({.method = "GET", .target = std::move(target)});
    case Action::prune_missing:
      target = "/internal/prune_missing";
      for (const auto& [key, value] : route.parameters)
        if (key == "force") add(key, value);
      co_return co_await pass({.method = "POST", .target = std::move(target)});
    default:
      break;
  }
  // What is gone is deleted; Lemmy takes anything else for a failure.
  const bool is_deletion = route.action == Action::internal_delete;
  if (!alias && is_deletion && alias.error().status == 404)
    co_return json_answer(200, R"({"msg":"ok"})");
  if (!alias) co_return std::move(alias).error();
  if (is_deletion || route.action == Action::purge)
    if (auto done = co_await remove_stand_in(route, *alias)) co_return *std::move(done);
  if (is_deletion) {
    const auto gone = co_await pict_rs_.remove(*alias, {});
    if (!gone) co_return error_for_pict_rs(gone.error());
    shared_.deleted(*gone);
    co_return json_answer(200, R"({"msg":"ok"})");
  }
  if (route.action == Action::purge) co_return co_await purge(*alias);
  co_return co_await pass(
      {.method = "GET",
       .target = fmt::format("/internal/{}?alias={}",
                             route.action == Action::aliases ? "aliases" : "identifier", *alias)});
}

// pict-rs names all that it deleted; what was derived from any of them goes as well.
Task<net::Response> PictRsApi::purge(const std::string& alias) {
  auto answer = co_await pict_rs_.ask({.method = "POST",
                                       .target = "/internal/purge?alias=" + alias,
                                       .internal = true,
                                       .deadline = soon()});
  if (!answer) co_return error_for_pict_rs(answer.error());
  if (answer->status != 200 || !answer->body) {
    if (answer->status == 404)
      if (const auto gone = co_await pict_rs_.forget(alias); gone) shared_.forget(*gone);
    co_return passed_on(*std::move(answer));
  }
  const auto text = co_await net::read_text(*answer->body, kLongestList);
  if (!text) co_return error_for_pict_rs(text.error());
  std::vector<std::string> gone;
  for (const std::string& one : aliases_in(*text)) {
    const auto with_derived = co_await pict_rs_.forget(one);
    if (!with_derived) {
      log::error("a purged picture could not be forgotten",
                 {{"alias", one}, {"why", with_derived.error().what}});
      gone.push_back(one);
      continue;
    }
    for (const std::string& name : *with_derived)
      if (std::ranges::find(gone, name) == gone.end()) gone.push_back(name);
  }
  shared_.deleted(gone);
  co_return json_answer(200, aliases_json(gone));
}

Task<void> PictRsApi::tidy_up() {
  Services& services = shared_.services;
  const WallTime now = services.clock.now();
  for (const Uploaded& file : shared_.backgrounded.expire(now - kUnclaimed)) {
    const auto gone = co_await pict_rs_.remove(file.alias, file.delete_token);
    if (gone) continue;
    log::warning("unclaimed uploads stay", {{"alias", file.alias}, {"why", gone.error().what}});
    co_return;  // pict-rs is not there
  }
  const auto unused = co_await services.db.run(
      [&] { return services.store.unused_handed_on(now - shared_.options.keep_proxied, kAtOnce); });
  if (!unused) {
    log::warning("unused copies stay for now", {{"why", unused.error().what}});
    co_return;
  }
  for (const store::HandedOn& one : *unused) {
    const auto gone = co_await pict_rs_.remove(one.alias, one.delete_token);
    if (!gone) {
      log::warning("an unused copy stays for now",
                   {{"alias", one.alias}, {"why", gone.error().what}});
      co_return;  // pict-rs is not there: it is tried again
    }
    shared_.forget(*gone);
    ++shared_.counters.evicted;
  }
}

}  // namespace portcullis::media

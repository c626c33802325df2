#include "media/remotes.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/json.hpp>

#include "base/id.h"
#include "base/log.h"
#include "media/placeholder.h"

namespace portcullis::media {

namespace {

net::Response not_fetched() { return refusal_for({Fault::client, "", "download-file-error"}); }

// What evidence should say of a picture that was fetched; JSON.
std::string context_of(const std::string& url) {
  return boost::json::serialize(boost::json::object{{"url", url}});
}

bool has_classifier(const policy::Policy& policy) {
  return std::ranges::any_of(policy.signals(), [](const policy::SignalDefinition& signal) {
    return signal.kind == policy::SignalKind::classifier;
  });
}

std::unexpected<net::Response> no_such_proxy() {
  return std::unexpected(error_answer(404, "proxy-not-found", "No such proxied picture"));
}

}  // namespace

OwnUrl own_url(std::string_view url) {
  const auto host = url.find("://");
  if (host == std::string_view::npos) return {};
  url.remove_prefix(host + 3);
  url.remove_prefix(std::min(url.find_first_of("/?#"), url.size()));
  const std::string_view path = url.substr(0, url.find_first_of("?#"));
  std::string_view query = url.substr(path.size());
  query = query.starts_with('?') ? query.substr(1, query.find('#') - 1) : std::string_view();
  if (path == "/api/v3/image_proxy" || path == "/api/v4/image/proxy") {
    const auto values = net::query_values(query, "url");
    return values.size() == 1 ? OwnUrl{{}, values.front()} : OwnUrl();
  }
  for (const std::string_view prefix : {"/pictrs/image/", "/api/v4/image/"})
    if (path.starts_with(prefix)) {
      const auto alias = net::percent_decode(path.substr(prefix.size()));
      return alias && is_alias(*alias) ? OwnUrl{*alias, {}} : OwnUrl();
    }
  return {};
}

Answered<Remotes::Subject> Remotes::subject_of(std::string url) const {
  const auto is_own = [&](const std::string& host) {
    return std::ranges::find(shared_.options.hosts, host) != shared_.options.hosts.end();
  };
  auto host = shared_.services.fetcher.host_of(url);
  if (!host) return std::unexpected(not_fetched());
  if (!is_own(*host)) return Subject{std::move(url), {}};
  OwnUrl own = own_url(url);
  if (!own.alias.empty()) return Subject{{}, std::move(own.alias)};
  if (own.remote.empty()) return std::unexpected(not_fetched());  // a page of ours, no picture
  host = shared_.services.fetcher.host_of(own.remote);
  if (!host) return std::unexpected(not_fetched());
  if (!is_own(*host)) return Subject{std::move(own.remote), {}};
  own = own_url(own.remote);  // once is enough: deeper ones are nobody's
  if (own.alias.empty()) return std::unexpected(not_fetched());
  return Subject{{}, std::move(own.alias)};
}

Task<Answered<std::optional<store::Remote>>> Remotes::look_up(const std::string& url) {
  auto found = co_await shared_.services.db.run([&] { return shared_.services.store.remote(url); });
  if (found) co_return *std::move(found);
  log::error("a remote picture could not be looked up", {{"why", found.error().what}});
  co_return std::unexpected(storage_unavailable());
}

Task<Answered<store::RemotePictures>> Remotes::state() {
  Services& services = shared_.services;
  const auto value = co_await services.db.run(
      [&] { return services.store.get_switch(std::string(store::kRemote)); });
  if (!value) {
    log::error("the switch of remote pictures cannot be read", {{"why", value.error().what}});
    co_return std::unexpected(storage_unavailable());
  }
  if (const auto said = store::remote_pictures(*value, services.clock.now())) co_return *said;
  co_return has_classifier(services.scanner.ruleset()->policy)
      ? store::RemotePictures::cache
      : store::RemotePictures::pass_through;
}

// While copies are kept, a refusal is remembered as long as a copy would be, and the picture then
// looked at again. In the other states nobody would look.
bool Remotes::is_remembered_as_refused(const std::optional<store::Remote>& remote,
                                       store::RemotePictures state) const {
  return remote && remote->fetch && remote->fetch->refused &&
         (state != store::RemotePictures::cache ||
          shared_.services.clock.now() - remote->fetch->when <= shared_.options.keep_proxied);
}

std::optional<Instead> Remotes::shown_instead(const std::optional<store::Remote>& remote,
                                              const std::string& url,
                                              store::RemotePictures state) const {
  if (state == store::RemotePictures::block || is_remembered_as_refused(remote, state))
    return ShowPlaceholder();
  if (state == store::RemotePictures::pass_through) return ShowOrigin{url};
  return std::nullopt;
}

Task<net::Response> Remotes::download(const net::Request& request, const Route& route) {
  std::string url;
  bool in_background = false;
  image::Parameters rest;
  for (const auto& [key, value] : route.parameters) {
    if (key == "url")
      url = value.substr(0, value.find('#'));
    else if (key == "backgrounded" && value != "true" && value != "false")
      co_return refusal_for({Fault::client, "", "invalid-query"});
    else if (key == "backgrounded")
      in_background = value == "true";
    else
      rest.emplace_back(key, value);
  }
  if (url.empty()) co_return error_answer(400, "invalid-query", "url is missing.");
  const auto wishes = image::wishes_from(rest);
  if (!wishes) co_return refusal_for(wishes.error());
  auto subject = subject_of(std::move(url));
  if (!subject) co_return std::move(subject).error();
  Order order{.request = request.id,
              .subject = {policy::Origin::remote, {}, *wishes, {}},
              .url = subject->url,
              .context = context_of(subject->url)};
  order.subject.rendering.operations = wishes->operations.value_or(shared_.options.preprocess);
  if (in_background) {
    auto id = shared_.backgrounded.begin(shared_.services.clock.now());
    if (!id) co_return refusal_for({Fault::limits, "too many unclaimed uploads", "decoder-busy"});
    asio::co_spawn(co_await asio::this_coro::executor,
                   download_in_background(*std::move(subject), std::move(order), *id),
                   asio::detached);
    co_return json_answer(202, backgrounded_json({*id}));
  }
  auto taken = co_await download_subject(*std::move(subject), std::move(order));
  if (!taken) co_return std::move(taken).error().answer;
  co_return json_answer(201, uploaded_json({*std::move(taken)}));
}

Task<void> Remotes::download_in_background(Subject subject, Order order, std::string id) {
  shared_.backgrounded.finish(id, co_await download_subject(std::move(subject), std::move(order)));
}

Task<Taken> Remotes::download_subject(Subject subject, Order order) {
  if (!subject.alias.empty()) {
    const auto stored = co_await stored_by_alias(shared_, subject.alias);
    if (stored && !(*stored)->elsewhere.empty())
      co_return co_await take_copy(subject.alias, std::move(order));
    if (stored) {
      auto derived = co_await variants_.derive(*stored, subject.alias, order.subject.rendering, {});
      if (!derived) co_return std::unexpected(NotTaken{answer_for_variant(derived.error())});
      co_return *std::move(derived);
    }
    const auto stand_in = co_await shared_.services.db.run(
        [&] { return shared_.services.store.stand_in(subject.alias); });
    if (!stand_in || !*stand_in)
      co_return std::unexpected(NotTaken{answer_for_missing(stored.error())});
    order.url = (*stand_in)->url;
  }
  const auto now = co_await state();
  if (!now) co_return std::unexpected(NotTaken{now.error()});
  const auto remote = co_await look_up(order.url);
  if (!remote) co_return std::unexpected(NotTaken{remote.error()});
  if (const auto instead = shown_instead(*remote, order.url, *now)) {
    if (std::holds_alternative<ShowOrigin>(*instead))
      co_return std::unexpected(NotTaken{remote_not_stored()});
    co_return co_await new_stand_in(order.url);
  }
  const std::string url = order.url;
  auto taken = co_await download_remote(std::move(order));
  if (!taken && taken.error().shows_forbidden) co_return co_await new_stand_in(url);
  co_return taken;
}

// So that Lemmy has an address of ours, never that of the picture.
Task<Taken> Remotes::new_stand_in(const std::string& url) {
  Services& services = shared_.services;
  const Uploaded made{random_uuid() + ".png", random_uuid(), placeholder_details(),
                      services.clock.now()};
  const Status put = co_await services.db.run([&] {
    return services.store.put_stand_in({made.alias, made.delete_token, url, made.created});
  });
  if (put) co_return made;
  log::error("a stand-in could not be stored", {{"why", put.error().what}});
  co_return std::unexpected(NotTaken{storage_unavailable()});
}

// Several downloads of one URL at once fetch it once; the later ones find it remembered.
Task<Taken> Remotes::download_remote(Order order) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (auto known = co_await remembered(order)) co_return *std::move(known);
    bool is_mine = false;
    auto fetched = co_await flights_.join("download " + order.url, [&] {
      is_mine = true;
      return fetch_and_take(order);
    });
    if (is_mine || !fetched) co_return fetched;
  }
  co_return co_await fetch_and_take(order);  // with other operations than the one before
}

Task<Taken> Remotes::download_once(Order order) {
  if (auto known = co_await remembered(order)) co_return *std::move(known);
  co_return co_await fetch_and_take(std::move(order));
}

Task<std::optional<Taken>> Remotes::remembered(const Order& order) {
  const auto found = co_await look_up(order.url);
  if (!found) co_return Taken(std::unexpected(NotTaken{found.error()}));
  const std::optional<store::Remote>& remote = *found;
  if (!remote || !remote->fetch) co_return std::nullopt;
  const store::Fetch& fetch = *remote->fetch;
  if (shared_.services.clock.now() - fetch.when > shared_.options.keep_proxied)
    co_return std::nullopt;
  if (fetch.refused) co_return Taken(std::unexpected(NotTaken{content_refused(), true}));
  const Deadline deadline = shared_.services.clock.steady() + shared_.options.fetch_timeout;
  co_return co_await ingest_.take_remembered(fetch.original, fetch.bytes, order, deadline);
}

Task<Taken> Remotes::fetch_and_take(Order order) {
  Services& services = shared_.services;
  const Options& options = shared_.options;
  if (shared_.is_full) co_return std::unexpected(NotTaken{storage_full()});
  const Deadline deadline = services.clock.steady() + options.fetch_timeout;
  const std::uint64_t most = std::min(
      options.max_file_size, order.subject.wishes.max_file_size.value_or(options.max_file_size));
  auto spool = co_await services.files.run(
      [&] { return Spool::create(options.spool, shared_.spool_budget, most); });
  if (!spool) co_return std::unexpected(NotTaken{refusal_for(spool.error())});
  ++shared_.counters.fetched;
  const Status fetched = co_await services.fetcher.fetch(
      order.url, most, options.fetch_timeout, [&](ByteView bytes) { return spool->add(bytes); });
  if (!fetched) {
    log::info("remote picture not fetched",
              {{"request", order.request}, {"why", fetched.error().what}});
    const std::string& code = fetched.error().code;
    co_return std::unexpected(NotTaken{code == "validate-file-size" || code == "spool-full"
                                           ? refusal_for(fetched.error())
                                           : not_fetched()});
  }
  spool->finish();
  if (spool->size() == 0) co_return std::unexpected(NotTaken{not_fetched()});
  store::Fetch fetch{spool->digests(), spool->size(), services.clock.now(), false};
  const std::string url = order.url;
  auto uploaded =
      co_await ingest_.take(*spool, std::move(order), services.clock.steady(), deadline);
  fetch.refused = !uploaded && uploaded.error().shows_forbidden;
  if (uploaded || fetch.refused) {
    const Status noted =
        co_await services.db.run([&] { return services.store.remember_fetch(url, fetch); });
    if (!noted) log::warning("a fetch could not be remembered", {{"why", noted.error().what}});
  }
  co_return uploaded;
}

Task<Answered<std::string>> Remotes::alias_of(std::string url) {
  auto subject = subject_of(std::move(url));
  if (!subject) co_return no_such_proxy();
  if (!subject->alias.empty()) co_return std::move(subject->alias);
  const auto found = co_await look_up(subject->url);
  if (!found) co_return std::unexpected(found.error());
  const std::optional<store::Remote>& remote = *found;
  if (!remote || remote->alias.empty()) co_return no_such_proxy();
  co_return remote->alias;
}

Task<Found<StoredPointer>> Remotes::proxied(const net::Request& request, std::string url,
                                            bool announced_only, Miss miss) {
  Services& services = shared_.services;
  auto subject = subject_of(std::move(url));
  if (!subject) {
    if (announced_only) co_return std::unexpected(empty_answer(404));
    if (miss == Miss::give_up) co_return no_such_proxy();
    co_return std::unexpected(
        error_answer(400, "download-file-error", "This is no address of a picture."));
  }
  if (!subject->alias.empty()) co_return co_await by_alias(request, subject->alias, miss);
  const std::string& remote_url = subject->url;
  auto remote = co_await look_up(remote_url);
  if (!remote) co_return std::unexpected(std::move(remote).error());
  std::optional<store::Remote>& known = *remote;
  if (announced_only && (!known || (!known->announced && known->alias.empty())))
    co_return std::unexpected(empty_answer(404));
  if (!announced_only && miss == Miss::fetch && (!known || !known->announced)) {
    const Status announced = co_await services.db.run(
        [&] { return services.store.announce(remote_url, services.clock.now()); });
    if (!announced) co_return std::unexpected(storage_unavailable());
  }
  const auto now = co_await state();
  if (!now) co_return std::unexpected(now.error());
  if (auto instead = shown_instead(known, remote_url, *now))
    co_return std::unexpected(*std::move(instead));
  if (known && !known->alias.empty()) {
    if (auto stored = co_await stored_by_alias(shared_, known->alias)) {
      shared_.accesses.note_proxied(remote_url, services.clock.now());
      co_return *std::move(stored);
    }
  }
  if (miss == Miss::give_up) co_return no_such_proxy();
  const bool may_fill = !known || !known->purged || refills_.may_refill(services.clock.steady());
  if (shared_.is_full || !may_fill) co_return std::unexpected(ShowOrigin{remote_url});
  Order order{.request = request.id,
              .subject = {policy::Origin::remote, {}, {}, {}},
              .url = remote_url,
              .proxied = remote_url,
              .context = context_of(remote_url)};
  auto uploaded = co_await flights_.join("proxy " + remote_url,
                                         [&] { return fetch_and_take(std::move(order)); });
  if (!uploaded && uploaded.error().shows_forbidden) co_return std::unexpected(ShowPlaceholder());
  if (!uploaded) co_return std::unexpected(std::move(uploaded).error().answer);
  auto stored = co_await stored_by_alias(shared_, uploaded->alias);
  if (!stored) co_return std::unexpected(answer_for_missing(stored.error()));
  co_return *std::move(stored);
}

Task<Found<StoredPointer>> Remotes::by_alias(const net::Request& request, const std::string& alias,
                                             Miss miss) {
  auto stored = co_await stored_by_alias(shared_, alias);
  if (stored) co_return *std::move(stored);
  const Error missing = std::move(stored).error();
  if (missing.code != "alias-not-found") co_return std::unexpected(answer_for_missing(missing));
  const auto found =
      co_await shared_.services.db.run([&] { return shared_.services.store.stand_in(alias); });
  if (!found) co_return std::unexpected(answer_for_missing(found.error()));
  const std::optional<store::StandIn>& stand_in = *found;
  if (!stand_in) co_return std::unexpected(answer_for_missing(missing));
  const auto now = co_await state();
  if (!now) co_return std::unexpected(now.error());
  const auto remote = co_await look_up(stand_in->url);
  if (!remote) co_return std::unexpected(remote.error());
  if (auto instead = shown_instead(*remote, stand_in->url, *now))
    co_return std::unexpected(*std::move(instead));
  if (auto copy = co_await copy_elsewhere(*remote, stand_in->url)) co_return *std::move(copy);
  const bool may_fill = miss == Miss::fetch && !shared_.is_full &&
                        (!stand_in->purged || refills_.may_refill(shared_.services.clock.steady()));
  if (!may_fill) co_return std::unexpected(ShowOrigin{stand_in->url});
  co_return co_await fill(request, *stand_in);
}

// The picture takes the alias's place, or is shown from where it lies if it cannot.
Task<Found<StoredPointer>> Remotes::fill(const net::Request& request,
                                         const store::StandIn& stand_in) {
  if (shared_.services.pict_rs) co_return co_await fill_elsewhere(request, stand_in.url);
  Order order{.request = request.id,
              .subject = {policy::Origin::remote, {}, {}, {}},
              .alias = stand_in.alias,
              .url = stand_in.url,
              .stand_in = stand_in,
              .context = context_of(stand_in.url)};
  auto taken = co_await flights_.join("fill " + stand_in.alias,
                                      [&] { return download_once(std::move(order)); });
  if (taken) {
    auto stored = co_await stored_by_alias(shared_, taken->alias);
    if (stored) co_return *std::move(stored);
  }
  if (!taken && taken.error().shows_forbidden) co_return std::unexpected(ShowPlaceholder());
  co_return std::unexpected(ShowOrigin{stand_in.url});
}

}  // namespace portcullis::media

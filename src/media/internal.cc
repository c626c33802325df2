#include "media/internal.h"

#include <sodium.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/json.hpp>
#include <charconv>

#include "base/log.h"

namespace portcullis::media {

namespace json = boost::json;

namespace {

constexpr const char* kNotFound = "not-found";  // the setting
constexpr std::size_t kLongestBody = 4 * 1024;
constexpr std::size_t kDefaultPage = 20, kMostOnPage = 1'000;
constexpr std::size_t kBatch = 500;

std::unexpected<net::Response> no_such_alias() {
  return std::unexpected(error_answer(404, "alias-not-found", "No such alias"));
}

net::Response storage_trouble(const Error& error) {
  log::error("the internal API could not reach the store", {{"why", error.what}});
  return error_answer(503, "storage-unavailable", "The store cannot be reached right now.");
}

net::Response ok() { return json_answer(200, R"({"msg":"ok"})"); }

// The digest in a slug of /internal/hashes; pict-rs ignores one that is none.
std::optional<Sha256> digest_in_slug(const std::string& slug) {
  Bytes key(39);
  std::size_t size = 0;
  if (::sodium_base642bin(reinterpret_cast<unsigned char*>(key.data()), key.size(), slug.data(),
                          slug.size(), nullptr, &size, nullptr,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
      size != key.size())
    return std::nullopt;
  Sha256 digest;
  std::copy_n(key.begin(), digest.bytes.size(), digest.bytes.begin());
  return digest;
}

Task<std::optional<std::string>> read_small(net::BodyReader& body) {
  Bytes buffer(kLongestBody + 1);
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const auto count = co_await body.read(std::span(buffer).subspan(filled));
    if (!count) co_return std::nullopt;
    if (*count == 0) co_return std::string(as_text(ByteView(buffer).first(filled)));
    filled += *count;
  }
  co_return std::nullopt;
}

template <class T>
std::optional<T> whole(std::string_view text) {
  T value{};
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

bool Internal::may(const net::Request& request) const {
  const std::string& key = shared_.options.api_key;
  const auto sent = request.header("x-api-token");
  return !key.empty() && sent && equal_constant_time(*sent, key);
}

Task<net::Response> Internal::handle(const Route& route, net::BodyReader& body) {
  if (pict_rs_) {
    const bool has_subject = route.action == Action::internal_delete ||
                             route.action == Action::purge || route.action == Action::aliases ||
                             route.action == Action::identifier;
    Answered<std::string> alias;
    if (has_subject) alias = co_await subject(route);
    co_return co_await pict_rs_->internal(route, body, std::move(alias));
  }
  switch (route.action) {
    case Action::remove_variants:
      co_return co_await remove_variants();
    case Action::set_not_found:
      co_return co_await set_not_found(body);
    case Action::hashes:
      co_return co_await hashes(route);
    case Action::prune_missing:
      co_return co_await prune_missing(route);
    default:
      break;
  }
  auto alias = co_await subject(route);
  if (!alias) {
    // What is gone is deleted; Lemmy takes anything else for a failure.
    if (route.action == Action::internal_delete && alias.error().status == 404) co_return ok();
    co_return std::move(alias).error();
  }
  switch (route.action) {
    case Action::internal_delete:
      co_return co_await remove(*std::move(alias));
    case Action::purge:
      co_return co_await purge(*std::move(alias));
    case Action::aliases:
      co_return co_await aliases(*std::move(alias));
    default:
      co_return co_await identifier(*std::move(alias));
  }
}

Task<Answered<std::string>> Internal::subject(const Route& route) {
  if (!route.url.empty()) co_return co_await remotes_.alias_of(route.url);
  if (route.alias.empty())
    co_return std::unexpected(error_answer(400, "invalid-query", "alias or proxy is missing."));
  co_return route.alias;
}

Task<net::Response> Internal::remove(std::string alias) {
  const auto deleted = co_await shared_.services.db.run(
      [&] { return shared_.services.store.delete_alias(alias, std::nullopt); });
  if (!deleted) co_return storage_trouble(deleted.error());
  shared_.deleted(deleted->aliases);
  co_return ok();
}

Task<net::Response> Internal::purge(std::string alias) {
  const auto gone =
      co_await shared_.services.db.run([&] { return shared_.services.store.purge(alias); });
  if (!gone) co_return storage_trouble(gone.error());
  if (gone->empty()) co_return no_such_alias().error();
  shared_.deleted(*gone);
  co_return json_answer(200, aliases_json(*gone));
}

Task<net::Response> Internal::aliases(std::string alias) {
  const auto found =
      co_await shared_.services.db.run([&] { return shared_.services.store.aliases_with(alias); });
  if (!found) co_return storage_trouble(found.error());
  if (found->empty()) co_return no_such_alias().error();
  co_return json_answer(200, aliases_json(*found));
}

Task<net::Response> Internal::identifier(std::string alias) {
  const auto found =
      co_await shared_.services.db.run([&] { return shared_.services.store.find(alias); });
  if (!found) co_return storage_trouble(found.error());
  const std::optional<store::AliasAndDetails>& row = *found;
  if (!row) co_return no_such_alias().error();
  const std::string hex = row->alias.blob.hex();
  co_return json_answer(
      200, json::serialize(json::object{
               {"msg", "ok"},
               {"identifier", fmt::format("{}/{}/{}", hex.substr(0, 2), hex.substr(2, 2), hex)}}));
}

Task<net::Response> Internal::remove_variants() {
  asio::co_spawn(co_await asio::this_coro::executor, remove_all_variants(), asio::detached);
  co_return empty_answer(204);
}

Task<void> Internal::remove_all_variants() {
  while (true) {
    const auto gone = co_await shared_.services.db.run(
        [&] { return shared_.services.store.evict(UINT64_MAX, true, kBatch); });
    if (!gone) log::error("variants could not be removed", {{"why", gone.error().what}});
    if (!gone || gone->variants == 0) break;
  }
  shared_.hot.clear();
}

Task<Answered<std::string>> alias_to_show(net::BodyReader& body) {
  const auto text = co_await read_small(body);
  std::string alias;
  try {
    const json::value root = json::parse(text.value_or(""));
    const json::object& object = root.as_object();
    if (object.contains("proxy") && !object.contains("alias"))
      co_return std::unexpected(error_answer(400, "proxy-not-allowed",
                                             "Only an alias can be shown for what is not found."));
    alias = object.at("alias").as_string();
  } catch (const std::exception&) {
    co_return std::unexpected(
        error_answer(400, "invalid-json", "The body must be {\"alias\":\"…\"}."));
  }
  co_return alias;
}

Task<net::Response> Internal::set_not_found(net::BodyReader& body) {
  const auto chosen = co_await alias_to_show(body);
  if (!chosen) co_return chosen.error();
  const std::string& alias = *chosen;
  const auto found =
      co_await shared_.services.db.run([&] { return shared_.services.store.find(alias); });
  if (!found) co_return storage_trouble(found.error());
  if (!*found) co_return no_such_alias().error();
  const Status set = co_await shared_.services.db.run(
      [&] { return shared_.services.store.put_setting(kNotFound, alias); });
  if (!set) co_return storage_trouble(set.error());
  co_return json_answer(201, R"({"msg":"ok"})");
}

Task<std::string> Internal::not_found_alias() {
  const auto found =
      co_await shared_.services.db.run([&] { return shared_.services.store.setting(kNotFound); });
  co_return found ? found->value_or("") : std::string();
}

Task<net::Response> Internal::hashes(const Route& route) {
  std::size_t limit = kDefaultPage;
  std::optional<Sha256> from;
  std::optional<WallTime> before;
  for (const auto& [key, value] : route.parameters) {
    if (key == "limit") {
      const auto number = whole<std::size_t>(value);
      if (!number) co_return error_answer(400, "invalid-query", "limit must be a number.");
      limit = *number;
    } else if (key == "slug") {
      from = digest_in_slug(value);
    } else if (key == "timestamp") {
      before = parse_rfc3339(value);
      if (!before)
        co_return error_answer(400, "invalid-query", "timestamp must be as in RFC 3339.");
    }
  }
  const std::size_t most = std::min(limit, kMostOnPage);
  const auto page = co_await shared_.services.db.run(
      [&] { return shared_.services.store.blobs(most, from, before); });
  if (!page) co_return storage_trouble(page.error());
  co_return json_answer(200, hashes_json(*page, limit));
}

// Begins it, or tells how far it is.
Task<net::Response> Internal::prune_missing(const Route& route) {
  bool force = false;
  for (const auto& [key, value] : route.parameters)
    if (key == "force") force = value == "true";
  bool begin = false;
  json::object answer;
  {
    const std::scoped_lock lock(pruning_.mutex);
    begin = !pruning_.is_running && (force || !pruning_.is_complete);
    if (begin) {
      pruning_.is_running = true;
      pruning_.is_complete = false;
      pruning_.progress = pruning_.total = 0;
    }
    answer = {{"complete", pruning_.is_complete},
              {"progress", pruning_.progress},
              {"total", pruning_.total}};
  }
  if (begin) asio::co_spawn(co_await asio::this_coro::executor, prune(), asio::detached);
  co_return json_answer(200, json::serialize(answer));
}

Task<void> Internal::prune() {
  Services& services = shared_.services;
  const auto counts = co_await services.db.run([&] { return services.store.counts(); });
  if (counts) {
    const std::scoped_lock lock(pruning_.mutex);
    pruning_.total = counts->blobs;
  }
  std::optional<Sha256> after;
  bool is_complete = false;
  while (!is_complete) {
    const auto some =
        co_await services.db.run([&] { return services.store.stored_after(after, kBatch); });
    if (!some) log::error("pruning ended early", {{"why", some.error().what}});
    if (!some) break;
    is_complete = some->empty();
    for (const Sha256& blob : *some) {
      const auto opened = co_await services.files.run([&] { return services.blobs.open(blob); });
      if (!opened && opened.error().fault == Fault::client) {
        const auto gone =
            co_await services.db.run([&] { return services.store.forget_blob(blob); });
        if (gone) shared_.forget(*gone);
        log::warning("a blob without its file was forgotten", {{"blob", blob.hex()}});
      }
      const std::scoped_lock lock(pruning_.mutex);
      ++pruning_.progress;
    }
    if (!some->empty()) after = some->back();
  }
  const std::scoped_lock lock(pruning_.mutex);
  pruning_.is_running = false;
  pruning_.is_complete = is_complete;
}

}  // namespace portcullis::media

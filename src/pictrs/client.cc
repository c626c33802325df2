// What pict-rs is asked.
#include <algorithm>

#include "base/id.h"
#include "pictrs/pictrs.h"

namespace portcullis::pictrs {

namespace {

constexpr std::uint64_t kMostOfAReply = 64ull * 1024 * 1024;  // a page of 1,000 hashes

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7F; }

// Slugs are base64url; aliases and extensions stand for themselves.
bool is_slug(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '=';
  });
}

std::unexpected<Error> no_alias(std::string_view alias) {
  return fail_with(Fault::client, "alias-not-found", "pict-rs has no picture {}", alias);
}

}  // namespace

Result<std::unique_ptr<Client>> Client::create(std::string_view address, Options options,
                                               egress::ConfiguredClient& http) {
  auto endpoint = TRY(egress::Endpoint::parse(address, options.max_at_once));
  if (std::ranges::any_of(options.api_key, is_control))
    return fail(Fault::us, "the API key of {} holds a control character", endpoint.text());
  return std::unique_ptr<Client>(new Client(std::move(endpoint), std::move(options), http));
}

Task<Result<egress::Reply>> Client::ask(egress::Request request, Access access,
                                        std::uint64_t max_bytes,
                                        std::chrono::milliseconds timeout) const {
  if (access == Access::internal) {
    if (options_.api_key.empty())
      co_return fail_with(Fault::us, "invalid-api-token",
                          "the API key of pict-rs at {} is needed, as in its server.api_key",
                          address());
    request.headers.push_back("X-Api-Token: " + options_.api_key);
  }
  const bool has_sink = static_cast<bool>(request.sink);
  auto reply = co_await http_.ask(endpoint_, std::move(request), max_bytes, timeout);
  if (!reply) {
    // With a sink it may be the sink's own error, which comes back as it is.
    Error& error = reply.error();
    if (error.fault == Fault::upstream)
      co_return fail_with(Fault::upstream, "unreachable", "pict-rs at {} cannot be reached: {}",
                          address(), error.what);
    if (!has_sink && error.fault == Fault::limits)
      co_return fail_with(Fault::upstream, "pict-rs-failed", "pict-rs at {}: {}", address(),
                          error.what);
    co_return std::unexpected(std::move(error));
  }
  const int status = reply->status;
  if (status >= 200 && status <= 299) co_return *std::move(reply);
  if (status == 401)
    co_return fail_with(Fault::us, "invalid-api-token",
                        "pict-rs at {} does not take this API key: give the one in its "
                        "server.api_key",
                        address());
  if (status >= 500)
    co_return fail_with(Fault::upstream, "pict-rs-failed",
                        "pict-rs at {} answered {}: look into its log, then start again", address(),
                        status);
  co_return *std::move(reply);
}

Task<Result<std::string>> Client::get(std::string target, Access access) const {
  auto reply =
      CO_TRY(co_await ask({.target = std::move(target)}, access, kMostOfAReply, options_.timeout));
  if (reply.status == 404)
    co_return fail_with(Fault::client, "alias-not-found", "pict-rs at {} has no such picture",
                        address());
  if (reply.status > 299)
    co_return fail_with(Fault::upstream, "pict-rs-failed",
                        "what answers at {} is no pict-rs 0.5: status {}", address(), reply.status);
  co_return std::move(reply.body);
}

Task<Status> Client::health() {
  const auto answered = co_await get("/healthz", Access::open);
  if (answered) co_return Status();
  if (answered.error().code == "alias-not-found")
    co_return fail_with(Fault::upstream, "pict-rs-failed",
                        "what answers at {} is no pict-rs: it has no /healthz", address());
  co_return std::unexpected(answered.error());
}

Task<Result<Page>> Client::hashes(std::size_t limit, std::string from) {
  if (!is_slug(from)) co_return fail(Fault::us, "\"{}\" names no page of pict-rs's", from);
  std::string target =
      fmt::format("/internal/hashes?limit={}", std::clamp<std::size_t>(limit, 1, 1'000));
  if (!from.empty()) target += "&slug=" + from;
  const auto text = co_await get(std::move(target), Access::internal);
  if (text) co_return parse_page(*text);
  if (text.error().code == "alias-not-found")
    co_return fail_with(Fault::upstream, "pict-rs-failed",
                        "pict-rs at {} cannot list what it holds: version 0.5 or newer is needed",
                        address());
  co_return std::unexpected(text.error());
}

Task<Result<std::vector<std::string>>> Client::aliases(std::string alias) {
  if (!is_alias(alias)) co_return no_alias(alias);
  const std::string text =
      CO_TRY(co_await get("/internal/aliases?alias=" + alias, Access::internal));
  auto found = parse_aliases(text);
  if (found && found->empty()) co_return no_alias(alias);  // as 0.5.17 says it
  co_return found;
}

Task<Result<std::string>> Client::identifier(std::string alias) {
  if (!is_alias(alias)) co_return no_alias(alias);
  const std::string text =
      CO_TRY(co_await get("/internal/identifier?alias=" + alias, Access::internal));
  co_return parse_identifier(text);
}

Task<Result<Details>> Client::details(std::string alias) {
  if (!is_alias(alias)) co_return no_alias(alias);
  const std::string text = CO_TRY(co_await get("/image/details/original/" + alias, Access::open));
  co_return parse_details(text);
}

// The sink counts, since its errors keep their codes.
Task<Status> Client::get_file(std::string target, std::uint64_t max_bytes,
                              egress::Sink sink) const {
  auto received = std::make_shared<std::uint64_t>(0);
  egress::Sink counted = [received, max_bytes, sink = std::move(sink)](ByteView bytes) -> Status {
    *received += bytes.size();
    if (*received > max_bytes)
      return fail_with(Fault::limits, "validate-file-size", "the file has more than {} bytes",
                       max_bytes);
    return sink(bytes);
  };
  const auto reply = CO_TRY(co_await ask({.target = std::move(target), .sink = std::move(counted)},
                                         Access::open, UINT64_MAX, options_.file_timeout));
  if (reply.status == 404)
    co_return fail_with(Fault::client, "alias-not-found", "pict-rs at {} has no such picture",
                        address());
  if (reply.status > 299)
    co_return fail_with(Fault::upstream, "pict-rs-failed",
                        "pict-rs at {} did not give the file: status {}", address(), reply.status);
  co_return Status();
}

Task<Status> Client::original(std::string alias, std::uint64_t max_bytes, egress::Sink sink) {
  if (!is_alias(alias)) co_return no_alias(alias);
  co_return co_await get_file("/image/original/" + alias, max_bytes, std::move(sink));
}

Task<Status> Client::process(std::string extension, std::string query, std::uint64_t max_bytes,
                             egress::Sink sink) {
  if (!is_alias(extension) || std::ranges::any_of(query, is_control)) co_return no_alias(extension);
  co_return co_await get_file("/image/process." + extension + "?" + query, max_bytes,
                              std::move(sink));
}

Task<Status> Client::delete_alias(std::string alias) {
  if (!is_alias(alias)) co_return no_alias(alias);
  const auto reply =
      CO_TRY(co_await ask({.is_post = true, .target = "/internal/delete?alias=" + alias},
                          Access::internal, kMostOfAReply, options_.timeout));
  if (reply.status == 404) co_return no_alias(alias);
  if (reply.status > 299)
    co_return fail_with(Fault::upstream, "pict-rs-failed",
                        "pict-rs at {} did not delete {}: status {}", address(), alias,
                        reply.status);
  co_return Status();
}

}  // namespace portcullis::pictrs

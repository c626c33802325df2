#include "media/validator.h"

#include <boost/json.hpp>

#include "base/log.h"

namespace portcullis::media {

namespace {

constexpr std::string_view kScan = "api/v1/scan/";
// A refusal leaves at its step, which must be within the time, too.
constexpr std::chrono::milliseconds kLongestStep{5'000};

// What evidence should say of such a request; JSON.
std::string context_of(const net::Request& request) {
  return boost::json::serialize(
      boost::json::object{{"request", request.id}, {"asked_by", "another picture server"}});
}

}  // namespace

bool is_validation(std::string_view method, std::string_view path, std::string_view secret) {
  if (!path.starts_with('/')) return false;
  path.remove_prefix(1);
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return false;
  const bool is_secret = equal_constant_time(path.substr(0, slash), secret);
  if (secret.empty() || !is_secret || method != "POST") return false;
  path.remove_prefix(slash + 1);
  if (path == "validate") return true;
  return path.size() > kScan.size() && path.starts_with(kScan) &&
         path.find('/', kScan.size()) == std::string_view::npos;
}

Task<net::Response> Validator::handle(const net::Request& request, net::BodyReader& body) {
  if (!is_validation(request.method, request.path, shared_.options.validator_secret))
    co_return empty_answer(404);
  ++shared_.counters.validations;
  if (auto answer = co_await refused(request, body)) co_return std::move(*answer);
  co_return json_answer(200, R"({"msg":"ok"})");
}

Task<std::optional<net::Response>> Validator::refused(const net::Request& request,
                                                      net::BodyReader& body) {
  Services& services = shared_.services;
  const Options& options = shared_.options;
  const SteadyTime began = services.clock.steady();
  if (auto ended = co_await ingest_.closed()) co_return ended;
  const auto not_read = [&](const Error& error) {
    ++(error.fault == Fault::client ? shared_.counters.not_taken : shared_.counters.failed);
    log::info("picture of another server not read", {{"request", request.id}, {"why", error.what}});
    return refusal_for(error);
  };
  if (request.content_length.value_or(0) > options.max_file_size)
    co_return not_read({Fault::client, "it is announced as too large", "validate-file-size"});
  auto spool = co_await services.files.run(
      [&] { return Spool::create(options.spool, shared_.spool_budget, options.max_file_size); });
  if (!spool) co_return not_read(spool.error());
  const Status read =
      co_await read_body(shared_, body, [&](ByteView portion) { return spool->add(portion); });
  if (!read) co_return not_read(read.error());
  spool->finish();
  if (spool->size() == 0)
    co_return not_read({Fault::client, "it has no bytes", "validate-file-empty"});

  const SteadyTime received = services.clock.steady();
  const Deadline deadline = std::min(received + options.upload_timeout,
                                     began + kWhole - std::min(options.refusal_step, kLongestStep));
  const Order order{.request = request.id,
                    .subject = {policy::Origin::upload, {}, {}, {}},
                    .context = context_of(request)};
  auto refused = co_await ingest_.judge_for_another(*spool, order, received, deadline);
  if (!refused) co_return std::nullopt;
  co_return std::move(refused->answer);
}

}  // namespace portcullis::media

#include "media/uploads.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/json.hpp>

#include "base/log.h"

namespace portcullis::media {

namespace json = boost::json;

namespace {

constexpr std::chrono::seconds kLongPoll{10};
constexpr std::chrono::milliseconds kPollInterval{100};
constexpr std::chrono::hours kUnclaimed{1};
constexpr std::size_t kLongestContext = 500;  // of one header

// What evidence should say of a request; JSON.
std::string context_of(const net::Request& request, const Uploader& uploader,
                       const std::string& file_name) {
  json::object context{{"request", request.id},
                       {"account", uploader.account},
                       {"address", uploader.address},
                       {"address_verified", uploader.address_is_verified},
                       {"file_name", file_name.substr(0, kLongestContext)}};
  for (const char* name : {"user-agent", "x-forwarded-for"})
    if (const auto values = request.all_headers(name); !values.empty())
      context[name] = fmt::format("{}", fmt::join(values, ", ")).substr(0, kLongestContext);
  return json::serialize(context);
}

}  // namespace

Task<net::Response> Uploads::upload(const net::Request& request, net::BodyReader& body,
                                    const Route& route) {
  auto received = co_await receive(request, body, route);
  if (!received) co_return std::move(received).error();
  const Deadline deadline = received->when + shared_.options.upload_timeout;
  std::vector<Uploaded> done;
  for (const ReceivedFile& file : received->files) {
    auto uploaded = co_await ingest_.take(
        file.spool, order_for(request, *received, file.name, policy::Origin::upload),
        received->when, deadline);
    if (!uploaded) {
      co_await ingest_.undo(done);  // the others of the same request do not stay
      co_return std::move(uploaded).error().answer;
    }
    done.push_back(*std::move(uploaded));
  }
  co_return json_answer(201, uploaded_json(done));
}

Task<net::Response> Uploads::import(const net::Request& request, net::BodyReader& body,
                                    const Route& route) {
  auto received = co_await receive(request, body, route);
  if (!received) co_return std::move(received).error();
  for (const ReceivedFile& file : received->files)
    if (!is_alias(file.name))
      co_return refusal(400, "file-upload-error", "The name of a file cannot be an alias.");
  const Deadline deadline = received->when + shared_.options.upload_timeout;
  std::vector<Uploaded> done;
  for (const ReceivedFile& file : received->files) {
    Order order = order_for(request, *received, file.name, policy::Origin::import);
    order.alias = file.name;
    auto uploaded = co_await ingest_.take(file.spool, std::move(order), received->when, deadline);
    if (!uploaded) {
      co_await ingest_.undo(done);
      co_return std::move(uploaded).error().answer;
    }
    done.push_back(*std::move(uploaded));
  }
  co_return json_answer(201, uploaded_json(done));
}

// The bytes stay in their spool, which has no name, until they are judged.
Task<net::Response> Uploads::upload_backgrounded(const net::Request& request, net::BodyReader& body,
                                                 const Route& route) {
  auto received = co_await receive(request, body, route);
  if (!received) co_return std::move(received).error();
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < received->files.size(); ++i) {
    auto id = shared_.backgrounded.begin(shared_.services.clock.now());
    if (!id) co_return refusal_for({Fault::limits, "too many unclaimed uploads", "decoder-busy"});
    ids.push_back(*std::move(id));
  }
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    Order order = order_for(request, *received, received->files[i].name, policy::Origin::upload);
    asio::co_spawn(
        executor,
        work_in_background(std::move(received->files[i]), std::move(order), received->when, ids[i]),
        asio::detached);
  }
  co_return json_answer(202, backgrounded_json(ids));
}

Task<void> Uploads::work_in_background(ReceivedFile file, Order order, SteadyTime received,
                                       std::string id) {
  const Deadline deadline = shared_.services.clock.steady() + shared_.options.upload_timeout;
  auto uploaded = co_await ingest_.take(file.spool, std::move(order), received, deadline);
  shared_.backgrounded.finish(id, std::move(uploaded));
}

Task<net::Response> Uploads::claim(const Route& route) {
  std::string id;
  for (const auto& [key, value] : route.parameters)
    if (key == "upload_id") id = value;
  if (id.empty()) co_return error_answer(400, "invalid-query", "upload_id is missing.");
  // While uploads are closed nothing is handed out; it can be claimed when they open again.
  if (auto ended = co_await ingest_.switched_off()) {
    ended->status = 422;
    co_return std::move(*ended);
  }
  const Deadline until = shared_.services.clock.steady() + kLongPoll;
  while (true) {
    auto claim = shared_.backgrounded.claim(id);
    switch (claim.state) {
      case Backgrounded::State::unknown:
        co_return error_answer(400, "already-claimed", "Upload was already claimed");
      case Backgrounded::State::done: {
        auto& outcome = claim.outcome;
        if (outcome) co_return json_answer(200, uploaded_json({*std::move(outcome)}));
        net::Response refused = std::move(outcome).error().answer;
        refused.status = 422;
        co_return refused;
      }
      case Backgrounded::State::working:
        break;
    }
    if (shared_.services.clock.steady() >= until) co_return empty_answer(204);
    co_await pause(kPollInterval);
  }
}

Status Uploads::expire_unclaimed() {
  for (const Uploaded& file :
       shared_.backgrounded.expire(shared_.services.clock.now() - kUnclaimed)) {
    const auto deleted = TRY(shared_.services.store.delete_alias(file.alias, std::nullopt));
    shared_.forget(deleted.aliases);
  }
  return {};
}

Task<Answered<Uploads::Received>> Uploads::receive(const net::Request& request,
                                                   net::BodyReader& body, const Route& route) {
  Received received;
  if (auto wishes = image::wishes_from(route.parameters))
    received.wishes = *std::move(wishes);
  else
    co_return std::unexpected(refusal_for(wishes.error()));
  if (auto uploader =
          uploader_of(request, shared_.options.trusted_proxies, shared_.options.trusted_accounts))
    received.uploader = *std::move(uploader);
  else
    co_return std::unexpected(refusal_for(uploader.error()));
  if (auto ended = co_await ingest_.closed()) co_return std::unexpected(std::move(*ended));
  if (shared_.attempts.is_closed(received.uploader)) {
    ++shared_.counters.closed;
    co_return std::unexpected(closed_for_uploader());
  }
  auto files = co_await read(request, body);
  if (!files) {
    ++(files.error().fault == Fault::client ? shared_.counters.not_taken : shared_.counters.failed);
    log::info("upload not read", {{"request", request.id}, {"why", files.error().what}});
    co_return std::unexpected(refusal_for(files.error()));
  }
  received.files = *std::move(files);
  received.when = shared_.services.clock.steady();
  co_return received;
}

Task<Result<std::vector<ReceivedFile>>> Uploads::read(const net::Request& request,
                                                      net::BodyReader& body) {
  const Options& options = shared_.options;
  auto receiver = CO_TRY(Receiver::create(request.header("content-type").value_or(""),
                                          options.spool, shared_.spool_budget,
                                          {options.max_file_size, options.max_file_count}));
  CO_TRY(co_await read_body(shared_, body, [&](ByteView portion) {
    Status fed = receiver->feed(portion);
    if (!fed && fed.error().fault == Fault::limits && fed.error().code.empty())
      fed.error().fault = Fault::client;  // the parser's own bounds
    return fed;
  }));
  co_return receiver->finish();
}

Order Uploads::order_for(const net::Request& request, const Received& received,
                         const std::string& file_name, policy::Origin origin) const {
  const Uploader& uploader = received.uploader;
  Order order{.request = request.id,
              .subject = {origin, uploader.owner, received.wishes, {}, uploader.kind}};
  order.subject.rendering.operations =
      received.wishes.operations.value_or(shared_.options.preprocess);
  order.subject.varies_refused = [this, uploader](const std::vector<hash::Dihedral>& prints) {
    return shared_.attempts.varies_refused(uploader, prints);
  };
  order.context = context_of(request, uploader, file_name);
  order.uploader = uploader;
  return order;
}

}  // namespace portcullis::media

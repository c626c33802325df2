#include "app/switches_api.h"

#include "app/switching.h"
#include "base/log.h"
#include "config/config.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

constexpr std::string_view kPath = "/api/switches";
constexpr std::size_t kLongest = 16 * 1024;

net::Response json_answer(int status, const json::value& value) {
  return {status,
          {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          json::serialize(value) + "\n",
          false};
}
net::Response error_answer(int status, std::string_view what) {
  net::Response response = json_answer(status, json::object{{"error", what}});
  if (status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
  if (status == 405) response.headers.push_back({"Allow", "GET, POST, PUT"});
  return response;
}

bool brings(const net::Request& request, const std::string& token) {
  constexpr std::string_view kBearer = "bearer ";
  const auto header = request.header("authorization");
  return header && header->size() > kBearer.size() &&
         ascii_equal_ignoring_case(header->substr(0, kBearer.size()), kBearer) &&
         equal_constant_time(header->substr(kBearer.size()), token);
}

Task<Result<std::string>> read_all(net::BodyReader& body) {
  std::string text;
  Bytes buffer(kLongest);
  while (true) {
    const std::size_t count = CO_TRY(co_await body.read(buffer));
    if (count == 0) co_return text;
    if (text.size() + count > kLongest) co_return fail(Fault::limits, "the body is too long");
    text += as_text(ByteView(buffer).first(count));
  }
}

Result<Flip> flip_from(std::string_view body, std::string_view name) {
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  if (error || !value.is_object()) return fail(Fault::client, "the body must be a JSON object");
  Flip wanted{std::string(name), {}, {}, {}, "api"};
  std::string lasts;
  for (const auto& [key, member] : value.as_object()) {
    std::string* const place = key == "state"     ? &wanted.state
                               : key == "message" ? &wanted.message
                               : key == "reason"  ? &wanted.reason
                               : key == "who"     ? &wanted.who
                               : key == "for"     ? &lasts
                                                  : nullptr;
    if (!place)
      return fail(Fault::client, "\"{}\" is unknown; there are state, message, reason, for, who",
                  std::string_view(key));
    if (!member.is_string())
      return fail(Fault::client, "\"{}\" must be text", std::string_view(key));
    *place = member.as_string();
  }
  if (wanted.who != "api") wanted.who = "api:" + wanted.who;
  if (!lasts.empty())
    wanted.lasts = std::chrono::ceil<std::chrono::seconds>(TRY(config::parse_duration(lasts)));
  return wanted;
}

int status_of(const Error& error) {
  return error.fault == Fault::client ? 400 : error.fault == Fault::limits ? 413 : 503;
}

}  // namespace

Task<net::Response> answer_switches(const std::string& token, net::Request& request,
                                    net::BodyReader& body, store::Store& store, Pool& db,
                                    const Clock& clock) {
  if (token.empty()) co_return error_answer(404, "listen.admin_token is not set, so this is off");
  if (!brings(request, token)) co_return error_answer(401, "the bearer token is missing or wrong");
  std::string_view name = std::string_view(request.path).substr(kPath.size());
  if (name.starts_with('/')) name.remove_prefix(1);
  const bool is_read = request.method == "GET";
  if (!is_read && ((request.method != "POST" && request.method != "PUT") || name.empty()))
    co_return error_answer(405, "switches are read with GET and flipped with POST NAME");
  if (!is_read) {
    const auto text = co_await read_all(body);
    if (!text) co_return error_answer(status_of(text.error()), text.error().what);
    const auto wanted = flip_from(*text, name);
    if (!wanted) co_return error_answer(400, wanted.error().what);
    const auto flipped = co_await db.run([&] { return flip(store, *wanted, clock.now()); });
    if (!flipped) co_return error_answer(status_of(flipped.error()), flipped.error().what);
    log::info("switch flipped",
              {{"name", wanted->name}, {"state", wanted->state}, {"who", wanted->who}});
  }
  const auto flipped = co_await db.run([&] { return store.switches(); });
  if (!flipped) co_return error_answer(503, flipped.error().what);
  json::array all;
  for (const store::Switch& value : all_switches(*flipped, clock.now())) {
    if (value.name == name) co_return json_answer(200, to_json(value));
    all.push_back(to_json(value));
  }
  if (!name.empty()) co_return error_answer(404, "there is no such switch");
  co_return json_answer(200, json::object{{"switches", std::move(all)}});
}

}  // namespace portcullis::app

#include "media/pict_rs.h"

#include <boost/json.hpp>
#include <limits>

#include "base/id.h"
#include "base/log.h"
#include "media/internal.h"

namespace portcullis::media {

namespace json = boost::json;

namespace {

constexpr std::size_t kLongestAnswer = 64 * 1024;  // of an upload, or an error
constexpr std::chrono::seconds kDeleting{8};

// Pieces of memory as the body of a request.
class PiecesBody final : public net::BodyReader {
 public:
  explicit PiecesBody(std::array<ByteView, 3> pieces) : pieces_(pieces) {}
  std::uint64_t size() const {
    std::uint64_t sum = 0;
    for (const ByteView piece : pieces_) sum += piece.size();
    return sum;
  }
  Task<Result<std::size_t>> read(std::span<std::byte> into) override {
    std::size_t filled = 0;
    while (filled < into.size() && next_ < pieces_.size()) {
      ByteView& piece = pieces_[next_];
      const std::size_t count = std::min(piece.size(), into.size() - filled);
      std::copy_n(piece.begin(), count, into.begin() + static_cast<std::ptrdiff_t>(filled));
      piece = piece.subspan(count);
      filled += count;
      if (piece.empty()) ++next_;
    }
    co_return filled;
  }

 private:
  std::array<ByteView, 3> pieces_;
  std::size_t next_ = 0;
};

std::unexpected<Error> not_understood(std::string_view what) {
  return fail_with(Fault::upstream, "upstream-broken", "pict-rs's answer was not understood: {}",
                   what);
}

template <class T>
T number_of(const json::value& value) {
  const auto number = value.to_number<std::int64_t>();
  if (number < 0 || number > std::int64_t{std::numeric_limits<T>::max()})
    throw std::out_of_range("a number is too large");
  return static_cast<T>(number);
}

store::Details details_from(const json::object& object) {
  store::Details details;
  details.width = number_of<std::uint16_t>(object.at("width"));
  details.height = number_of<std::uint16_t>(object.at("height"));
  if (const json::value* frames = object.if_contains("frames"); frames && !frames->is_null())
    details.frames = number_of<std::uint32_t>(*frames);
  details.content_type = object.at("content_type").as_string();
  if (const json::value* blurhash = object.if_contains("blurhash");
      blurhash && !blurhash->is_null())
    details.blurhash = blurhash->as_string();
  return details;
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace

std::string original_target(const std::string& alias) { return "/image/original/" + alias; }

std::string variant_target(std::string_view path, const std::string& extension,
                           const std::string& alias, const image::Parameters& parameters) {
  constexpr std::string_view kOperations[] = {"identity", "thumbnail", "resize", "crop", "blur"};
  std::string target = fmt::format("{}.{}?src={}", path, extension, alias);
  for (const auto& [key, value] : parameters)
    if (std::ranges::find(kOperations, key) != std::end(kOperations))
      target += fmt::format("&{}={}", key, net::percent_encode(value));
  return target;
}

Result<Uploaded> uploaded_from_json(std::string_view text) {
  try {
    const json::value root = json::parse(text);
    const json::array& files = root.as_object().at("files").as_array();
    if (files.size() != 1) return not_understood("it tells of another number of files");
    const json::object& file = files.at(0).as_object();
    Uploaded uploaded{std::string(file.at("file").as_string()),
                      std::string(file.at("delete_token").as_string()),
                      details_from(file.at("details").as_object()),
                      {}};
    if (!is_alias(uploaded.alias) || !is_alias(uploaded.delete_token))
      return not_understood("it names no alias");
    const std::string created(file.at("details").as_object().at("created_at").as_string());
    const auto when = parse_rfc3339(created);
    if (!when) return not_understood("it names no time");
    uploaded.created = *when;
    return uploaded;
  } catch (const std::exception& error) {
    return not_understood(error.what());
  }
}

std::string code_from_json(std::string_view text) {
  boost::system::error_code error;
  const json::value root = json::parse(text, error);
  if (error || !root.is_object()) return {};
  const json::value* code = root.as_object().if_contains("code");
  if (!code || !code->is_string() || !is_word(code->as_string())) return {};
  return std::string(code->as_string());
}

Task<Result<net::UpstreamAnswer>> PictRs::ask(Ask ask) {
  if (ask.internal) ask.headers.push_back({"X-Api-Token", shared_.options.pict_rs_key});
  PiecesBody body({as_bytes(ask.body), {}, {}});
  net::UpstreamRequest request{.method = std::move(ask.method),
                               .target = std::move(ask.target),
                               .headers = std::move(ask.headers)};
  if (!ask.body.empty()) {
    request.body = &body;
    request.length = ask.body.size();
  }
  auto answer = co_await shared_.services.pict_rs->ask(std::move(request), ask.deadline);
  if (!answer || answer->status >= 500) ++shared_.counters.pict_rs_failures;
  co_return answer;
}

Task<Result<Uploaded>> PictRs::store(const Order& order, ByteView rendition,
                                     std::string_view content_type, Deadline deadline) {
  const std::string boundary = random_uuid();
  const std::string before = fmt::format(
      "--{}\r\nContent-Disposition: form-data; name=\"images[]\"; filename=\"{}\"\r\n"
      "Content-Type: {}\r\n\r\n",
      boundary, order.alias.empty() ? "picture" : order.alias, content_type);
  const std::string after = fmt::format("\r\n--{}--\r\n", boundary);
  PiecesBody body({as_bytes(before), rendition, as_bytes(after)});
  net::UpstreamRequest request{
      .method = "POST",
      .target = order.alias.empty() ? "/image" : "/internal/import",
      .headers = {{"Content-Type", "multipart/form-data; boundary=" + boundary}},
      .body = &body,
      .length = body.size(),
      .whole = deadline};
  if (!order.alias.empty()) request.headers.push_back({"X-Api-Token", shared_.options.pict_rs_key});
  auto answer = co_await shared_.services.pict_rs->ask(std::move(request), deadline);
  if (!answer || answer->status >= 500) ++shared_.counters.pict_rs_failures;
  if (!answer) co_return std::unexpected(answer.error());
  std::string text;
  if (answer->body) text = CO_TRY(co_await net::read_text(*answer->body, kLongestAnswer));
  if (answer->status >= 200 && answer->status < 300) co_return uploaded_from_json(text);
  const std::string code = code_from_json(text);
  const bool is_for_client =
      answer->status >= 400 && answer->status < 500 && answer->status != 401 && is_known_word(code);
  co_return fail_with(is_for_client ? Fault::client : Fault::upstream,
                      is_for_client ? code : "upstream-refused",
                      "pict-rs did not take a rendition: {} {}", answer->status, code);
}

Task<Result<std::vector<std::string>>> PictRs::remove(std::string alias, std::string token) {
  Ask asked{.method = token.empty() ? "POST" : "DELETE",
            .target = token.empty() ? "/internal/delete?alias=" + alias
                                    : fmt::format("/image/delete/{}/{}", token, alias),
            .internal = token.empty(),
            .deadline = shared_.services.clock.steady() + kDeleting};
  const auto answer = CO_TRY(co_await ask(std::move(asked)));
  if (answer.status == 403)
    co_return fail_with(Fault::client, "invalid-delete-token", "the delete token is wrong");
  if (answer.status >= 300 && answer.status != 404)
    co_return fail_with(Fault::upstream, "upstream-refused", "pict-rs did not delete: {}",
                        answer.status);
  co_return co_await forget(std::move(alias));
}

Task<Result<std::vector<std::string>>> PictRs::forget(std::string alias) {
  std::vector<std::string> gone{alias};
  const auto derived = CO_TRY(
      co_await shared_.services.db.run([&] { return shared_.services.store.let_go(alias); }));
  for (const store::HandedOn& one : derived) {
    const auto also = co_await remove(one.alias, one.delete_token);
    if (!also) {
      log::warning("a picture that was derived from a deleted one stays for now",
                   {{"alias", one.alias}, {"why", also.error().what}});
      continue;
    }
    gone.insert(gone.end(), also->begin(), also->end());
  }
  co_return gone;
}

Task<Status> PictRs::copy_into(Spool& spool, const std::string& alias, Deadline deadline) {
  auto answer = CO_TRY(
      co_await ask({.method = "GET", .target = original_target(alias), .deadline = deadline}));
  if (answer.status == 404)
    co_return fail_with(Fault::client, "alias-not-found", "pict-rs knows no such alias");
  if (answer.status != 200 || !answer.body)
    co_return fail_with(Fault::upstream, "upstream-refused", "pict-rs answered {}", answer.status);
  CO_TRY(co_await read_body(shared_, *answer.body,
                            [&](ByteView portion) { return spool.add(portion); }));
  spool.finish();
  co_return Status();
}

net::Response error_for_pict_rs(const Error& error) {
  log::error("pict-rs could not be asked", {{"code", error.code}, {"why", error.what}});
  const bool is_broken = error.code == "upstream-broken" || error.code == "upstream-refused";
  return error_answer(is_broken ? 502 : 503, error.code.empty() ? "upstream-broken" : error.code,
                      "The picture cannot be read right now. Please try again later.");
}

}  // namespace portcullis::media

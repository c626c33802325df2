#include "media/media.h"

#include <map>
#include <mutex>

#include "base/id.h"
#include "media/answers.h"
#include "media/routes.h"

namespace portcullis::media {

namespace {

constexpr std::size_t kMaxFiles = 100;

store::Details details_of(std::size_t bytes) {
  store::Details details;
  details.content_type = "image/png";
  details.blurhash = "L00000fQfQfQfQfQfQfQfQfQfQfQ";  // black
  details.bytes = bytes;
  return details;
}

// Every file of field "images[]", in memory.
Task<Result<std::vector<std::string>>> files_of(const net::Request& request, net::BodyReader& body,
                                                std::uint64_t max_file_size) {
  std::vector<std::string> files;
  bool in_file = false;
  auto parser = CO_TRY(net::MultipartParser::create(
      request.header("content-type").value_or(""), {},
      {.part_begin = [&](const net::PartHeader& header) -> Status {
         in_file = header.name == "images[]";
         if (in_file && files.size() == kMaxFiles)
           return fail_with(Fault::client, "file-upload-error", "too many files");
         if (in_file) files.emplace_back();
         return {};
       },
       .part_data = [&](ByteView bytes) -> Status {
         if (!in_file) return {};
         if (bytes.size() > max_file_size - files.back().size())
           return fail_with(Fault::client, "validate-file-size", "a file is too large");
         files.back() += as_text(bytes);
         return {};
       },
       .part_end = [] { return Status(); }}));
  Bytes buffer(64 * 1024);
  while (const std::size_t count = CO_TRY(co_await body.read(buffer)))
    CO_TRY(parser.feed(ByteView(buffer).first(count)));
  CO_TRY(parser.finish());
  if (files.empty()) co_return fail_with(Fault::client, "validate-no-files", "no file");
  co_return files;
}

}  // namespace

class Dummy::Room {
 public:
  Room(std::string api_key, Limits limits, Fetcher& fetcher, const Clock& clock)
      : api_key_(std::move(api_key)), limits_(limits), fetcher_(fetcher), clock_(clock) {}
  Task<net::Response> handle(net::Request& request, net::BodyReader& body);
  std::size_t pictures() const;

 private:
  struct Picture {
    std::string token, bytes;
    WallTime created;
  };

  Task<net::Response> upload(const net::Request& request, net::BodyReader& body, bool backgrounded);
  Task<net::Response> download(std::string url);
  Task<net::Response> read(std::string alias, std::string url, bool details);
  net::Response remove(const std::string& alias, const std::string& token);
  net::Response internal(bool purge, const std::string& alias);
  // The alias of what was stored; empty when there is no room.
  std::string keep(std::string bytes);
  Task<std::string> fetch(std::string url);

  const std::string api_key_;
  const Limits limits_;
  Fetcher& fetcher_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Picture> pictures_;
  std::map<std::string, std::string> proxied_;    // URL to alias
  std::map<std::string, std::string> unclaimed_;  // upload id to alias
  std::uint64_t bytes_ = 0;
};

Dummy::Dummy(std::string api_key, Limits limits, Fetcher& fetcher, const Clock& clock)
    : room_(std::make_unique<Room>(std::move(api_key), limits, fetcher, clock)) {}
Dummy::~Dummy() = default;
Task<net::Response> Dummy::handle(net::Request& request, net::BodyReader& body) {
  return room_->handle(request, body);
}
std::size_t Dummy::pictures() const { return room_->pictures(); }

std::size_t Dummy::Room::pictures() const {
  const std::scoped_lock lock(mutex_);
  return pictures_.size();
}

Task<net::Response> Dummy::Room::handle(net::Request& request, net::BodyReader& body) {
  const bool relayed = request.header("x-forwarded-for").has_value();
  const media::Route found = route(request.method, request.path, request.query, "", relayed);
  const auto parameter = [&](std::string_view key) {
    for (const auto& [name, value] : found.parameters)
      if (name == key) return value;
    return std::string();
  };
  switch (found.action) {
    case Action::health:
      co_return net::Response{200,
                              {{"Content-Type", "text/plain"}},
                              std::string("dummy mode: nothing is screened, nothing is kept\n"),
                              false};
    case Action::original:
    case Action::process:
      co_return co_await read(found.alias, found.url, false);
    case Action::details:
      co_return co_await read(found.alias, found.url, true);
    case Action::upload:
      co_return co_await upload(request, body, false);
    case Action::upload_backgrounded:
      co_return co_await upload(request, body, true);
    case Action::claim: {
      const std::scoped_lock lock(mutex_);
      const auto claimed = unclaimed_.extract(parameter("upload_id"));
      const auto picture = claimed.empty() ? pictures_.end() : pictures_.find(claimed.mapped());
      if (picture == pictures_.end())
        co_return error_answer(400, "already-claimed", "Upload was already claimed");
      co_return json_answer(200, uploaded_json({{picture->first, picture->second.token,
                                                 details_of(picture->second.bytes.size()),
                                                 picture->second.created}}));
    }
    case Action::download:
      co_return co_await download(parameter("url"));
    case Action::remove:
      co_return remove(found.alias, found.token);
    case Action::internal_delete:
    case Action::purge:
    case Action::aliases: {
      const auto key = request.header("x-api-token");
      if (api_key_.empty() || !key || !equal_constant_time(*key, api_key_))
        co_return error_answer(401, "invalid-api-token", "Invalid API Key");
      if (found.action == Action::aliases) co_return json_answer(200, aliases_json({found.alias}));
      co_return internal(found.action == Action::purge, found.alias);
    }
    default:
      co_return empty_answer(404);
  }
}

std::string Dummy::Room::keep(std::string bytes) {
  const std::scoped_lock lock(mutex_);
  if (bytes.size() > limits_.max_bytes - bytes_) return {};
  bytes_ += bytes.size();
  std::string alias = random_uuid() + ".png";
  pictures_[alias] = {random_uuid(), std::move(bytes), clock_.now()};
  return alias;
}

Task<net::Response> Dummy::Room::upload(const net::Request& request, net::BodyReader& body,
                                        bool backgrounded) {
  auto files = co_await files_of(request, body, limits_.max_file_size);
  if (!files) co_return refusal_for(files.error());
  std::vector<Uploaded> done;
  std::vector<std::string> ids;
  for (std::string& file : *files) {
    const std::size_t size = file.size();
    const std::string alias = keep(std::move(file));
    if (alias.empty()) co_return storage_full();
    const std::scoped_lock lock(mutex_);
    const Picture& picture = pictures_.at(alias);
    done.push_back({alias, picture.token, details_of(size), picture.created});
    if (backgrounded) unclaimed_[ids.emplace_back(random_uuid())] = alias;
  }
  co_return backgrounded ? json_answer(202, backgrounded_json(ids))
                         : json_answer(201, uploaded_json(done));
}

Task<std::string> Dummy::Room::fetch(std::string url) {
  std::string bytes;
  const Status fetched = co_await fetcher_.fetch(url, limits_.max_file_size, limits_.fetch_timeout,
                                                 [&](ByteView some) -> Status {
                                                   bytes += as_text(some);
                                                   return {};
                                                 });
  co_return fetched ? keep(std::move(bytes)) : std::string();
}

Task<net::Response> Dummy::Room::download(std::string url) {
  const std::string alias = co_await fetch(std::move(url));
  if (alias.empty()) co_return refusal_for({Fault::client, "", "download-file-error"});
  const std::scoped_lock lock(mutex_);
  const Picture& picture = pictures_.at(alias);
  co_return json_answer(
      201,
      uploaded_json({{alias, picture.token, details_of(picture.bytes.size()), picture.created}}));
}

Task<net::Response> Dummy::Room::read(std::string alias, std::string url, bool details) {
  if (!url.empty()) {
    {
      const std::scoped_lock lock(mutex_);
      if (const auto known = proxied_.find(url); known != proxied_.end()) alias = known->second;
    }
    if (alias.empty() && !details) {
      alias = co_await fetch(url);
      const std::scoped_lock lock(mutex_);
      if (!alias.empty()) proxied_[url] = alias;
    }
    if (alias.empty()) co_return error_answer(404, "proxy-not-found", "No such proxied picture");
  }
  const std::scoped_lock lock(mutex_);
  const auto found = pictures_.find(alias);
  if (found == pictures_.end())
    co_return details ? error_answer(404, "alias-not-found", "No such alias") : empty_answer(404);
  const Picture& picture = found->second;
  if (details)
    co_return json_answer(200, details_json(details_of(picture.bytes.size()), picture.created));
  co_return net::Response{200, {{"Content-Type", "image/png"}}, picture.bytes, false};
}

net::Response Dummy::Room::remove(const std::string& alias, const std::string& token) {
  const std::scoped_lock lock(mutex_);
  const auto found = pictures_.find(alias);
  if (found == pictures_.end()) return empty_answer(204);
  if (!equal_constant_time(found->second.token, token))
    return error_answer(403, "invalid-delete-token", "The delete token is wrong.");
  bytes_ -= found->second.bytes.size();
  pictures_.erase(found);
  return empty_answer(204);
}

net::Response Dummy::Room::internal(bool purge, const std::string& alias) {
  const std::scoped_lock lock(mutex_);
  const auto found = pictures_.find(alias);
  const bool known = found != pictures_.end();
  if (known) {
    bytes_ -= found->second.bytes.size();
    pictures_.erase(found);
  }
  if (!purge) return json_answer(200, R"({"msg":"ok"})");
  return known ? json_answer(200, aliases_json({alias}))
               : error_answer(404, "alias-not-found", "No such alias");
}

}  // namespace portcullis::media

#include "media/media.h"

#include <list>

#include "base/log.h"
#include "media/answers.h"
#include "media/range.h"
#include "media/routes.h"
#include "media/upload.h"

namespace portcullis::media {

namespace {

// scan's memory, kept in the store. An error reads as "not remembered": the picture is then looked
// at again.
class StoreMemory final : public scan::Memory {
 public:
  explicit StoreMemory(Services& services) : services_(services) {}

  Task<std::optional<policy::SignalAnswer>> answer(const Sha256& original,
                                                   const std::string& signal,
                                                   const std::string& version) override {
    const store::AnswerKey key{original, signal, version};
    auto found = co_await services_.db.run(
        [&] { return services_.store.answer(key, services_.clock.now()); });
    co_return found ? std::move(*found) : std::nullopt;
  }

  Task<void> remember(const Sha256& original, const std::string& signal, const std::string& version,
                      const policy::SignalAnswer& answer) override {
    const store::AnswerKey key{original, signal, version};
    const WallTime until = services_.clock.now() + kLifetime;
    const Status done =
        co_await services_.db.run([&] { return services_.store.remember(key, answer, until); });
    if (!done)
      log::warning("an answer could not be remembered",
                   {{"signal", signal}, {"why", done.error().what}});
  }

  Task<std::optional<scan::Known>> known(const Sha256& original,
                                         const std::string& operations) override {
    const auto found =
        co_await services_.db.run([&] { return services_.store.rendition(original, operations); });
    if (!found) co_return std::nullopt;
    const std::optional<store::RenditionRecord>& record = *found;
    if (!record) co_return std::nullopt;
    Result<image::Seen> seen = image::seen_from_json(record->facts);
    if (!seen) co_return std::nullopt;
    co_return scan::Known{record->blob, *std::move(seen)};
  }

 private:
  static constexpr std::chrono::hours kLifetime{24 * 90};
  Services& services_;
};

std::string etag_of(const Sha256& digest) { return '"' + digest.hex() + '"'; }

// Whether the client has this already. Only asked for direct requests.
bool is_unchanged(const net::Request& request, const std::string& etag, WallTime modified) {
  if (const auto value = request.header("if-none-match")) return etag_listed(*value, etag);
  if (const auto value = request.header("if-modified-since")) {
    const auto since = parse_http_date(*value);
    return since && std::chrono::floor<std::chrono::seconds>(modified) <= *since;
  }
  return false;
}

// If-Range: the range counts only for the very same bytes.
bool range_counts(const net::Request& request, const std::string& etag, WallTime modified) {
  const auto value = request.header("if-range");
  if (!value || *value == etag) return true;
  const auto date = parse_http_date(*value);
  return date && std::chrono::floor<std::chrono::seconds>(modified) == *date;
}

}  // namespace

// Hot originals: what an alias stands for, with the file open, so that serving one again asks
// neither database nor directory. Bounded; forgets what was used longest ago. Thread-safe.
class Media::OpenFiles {
 public:
  struct Entry {
    store::AliasAndDetails row;
    std::shared_ptr<const UniqueFd> fd;
    std::uint64_t size = 0;
  };

  OpenFiles(std::uint64_t spool_bytes, std::atomic<std::uint64_t>& spooled)
      : spool_budget(spool_bytes, spooled) {}

  std::shared_ptr<const Entry> find(const std::string& alias) {
    const std::scoped_lock lock(mutex_);
    const auto found = by_alias_.find(alias);
    if (found == by_alias_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->second;
  }

  void keep(const std::string& alias, std::shared_ptr<const Entry> entry) {
    const std::scoped_lock lock(mutex_);
    if (by_alias_.contains(alias)) return;
    order_.emplace_front(alias, std::move(entry));
    by_alias_.emplace(alias, order_.begin());
    if (order_.size() <= kMost) return;
    by_alias_.erase(order_.back().first);
    order_.pop_back();
  }

  void forget(const std::string& alias) {
    const std::scoped_lock lock(mutex_);
    const auto found = by_alias_.find(alias);
    if (found == by_alias_.end()) return;
    order_.erase(found->second);
    by_alias_.erase(found);
  }

  SpoolBudget spool_budget;

 private:
  static constexpr std::size_t kMost = 256;  // open files; far below the usual limit of 1,024
  using Order = std::list<std::pair<std::string, std::shared_ptr<const Entry>>>;

  std::mutex mutex_;
  Order order_;  // newest first
  std::unordered_map<std::string, Order::iterator> by_alias_;
};

Media::Media(Options options, Services services)
    : options_(std::move(options)),
      services_(services),
      memory_(std::make_unique<StoreMemory>(services_)),
      open_files_(std::make_unique<OpenFiles>(options_.spool_bytes, counters_.spooled_bytes)) {}

Media::~Media() = default;

Task<net::Response> Media::handle(net::Request& request, net::BodyReader& body) {
  const bool relayed = request.header("x-forwarded-for").has_value();
  const Route found = route(request.method, request.path, request.query, options_.prefix, relayed);
  switch (found.action) {
    case Action::nothing:
      break;
    case Action::original:
      co_return co_await serve(request, found.alias, relayed);
    case Action::details:
      co_return co_await details(found.alias);
    case Action::remove:
      co_return co_await remove(found.token, found.alias);
    case Action::health:
      co_return co_await health();
    case Action::upload: {
      Upload upload(options_, services_, counters_, *memory_, open_files_->spool_budget);
      co_return co_await upload.run(request, body);
    }
  }
  co_return empty_answer(404);
}

Task<net::Response> Media::serve(const net::Request& request, const std::string& alias,
                                 bool relayed) {
  auto entry = open_files_->find(alias);
  if (!entry) {
    auto row = co_await services_.db.run([&] { return services_.store.find(alias); });
    if (!row) {
      log::error("an alias could not be looked up",
                 {{"request", request.id}, {"why", row.error().what}});
      co_return error_answer(503, "storage-unavailable", "The picture cannot be read right now.");
    }
    std::optional<store::AliasAndDetails> found = *std::move(row);
    if (!found) co_return empty_answer(404);
    const Sha256 digest = found->alias.blob;
    auto opened = co_await services_.files.run([&] { return services_.blobs.open(digest); });
    if (!opened) {
      log::error("a stored picture cannot be opened",
                 {{"request", request.id}, {"alias", alias}, {"why", opened.error().what}});
      co_return error_answer(500, "lost-file", "The picture's file is missing.");
    }
    auto made = std::make_shared<OpenFiles::Entry>();
    made->row = *std::move(found);
    made->size = opened->size;
    made->fd = std::make_shared<const UniqueFd>(std::move(opened->fd));
    open_files_->keep(alias, made);
    entry = made;
  }
  const WallTime created = entry->row.alias.created;
  const std::string etag = etag_of(entry->row.alias.blob);
  net::Response response;
  response.headers = {
      {"ETag", etag},
      {"Last-Modified", http_date(created)},
      {"Cache-Control", fmt::format("public, max-age={}", options_.cache_max_age.count())},
      {"Accept-Ranges", "bytes"},
      {"Content-Type", entry->row.details.content_type},
      {"X-Content-Type-Options", "nosniff"}};
  ++counters_.served;
  if (!relayed && is_unchanged(request, etag, created)) {
    response.status = 304;
    co_return response;
  }
  Range range;
  if (const auto asked = request.header("range"); asked && range_counts(request, etag, created))
    range = parse_range(*asked, entry->size);
  switch (range.kind) {
    case Range::Kind::whole:
      response.body = net::FilePart{entry->fd, 0, entry->size};
      break;
    case Range::Kind::part:
      response.status = 206;
      response.headers.push_back(
          {"Content-Range", fmt::format("bytes {}-{}/{}", range.offset,
                                        range.offset + range.length - 1, entry->size)});
      response.body = net::FilePart{entry->fd, range.offset, range.length};
      break;
    case Range::Kind::unsatisfiable:
      response.status = 416;
      response.headers.push_back({"Content-Range", fmt::format("bytes */{}", entry->size)});
      break;
    case Range::Kind::several:
      co_return error_answer(416, "range-not-satisfiable",
                             "Only one range of bytes can be served.");
  }
  co_return response;
}

Task<net::Response> Media::details(const std::string& alias) {
  const auto row = co_await services_.db.run([&] { return services_.store.find(alias); });
  if (!row)
    co_return error_answer(503, "storage-unavailable", "The picture cannot be read right now.");
  const std::optional<store::AliasAndDetails>& found = *row;
  if (!found) co_return error_answer(404, "alias-not-found", "No such alias");
  co_return json_answer(200, details_json(found->details, found->alias.created));
}

Task<net::Response> Media::remove(const std::string& token, const std::string& alias) {
  const auto deleted =
      co_await services_.db.run([&] { return services_.store.delete_alias(alias, token); });
  if (!deleted)
    co_return error_answer(503, "storage-unavailable", "The picture cannot be deleted right now.");
  if (deleted->outcome == store::Store::Deleted::wrong_token)
    co_return error_answer(403, "invalid-delete-token", "The delete token is wrong.");
  for (const std::string& gone : deleted->aliases) {
    ++counters_.deleted;
    open_files_->forget(gone);
  }
  co_return empty_answer(204);
}

// Healthy means that stored pictures can be served; whether uploads are taken is the admin
// listener's business.
Task<net::Response> Media::health() {
  const auto counts = co_await services_.db.run([&] { return services_.store.generation(); });
  co_return empty_answer(counts ? 200 : 503);
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

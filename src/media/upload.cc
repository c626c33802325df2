#include "media/upload.h"

#include <boost/asio/steady_timer.hpp>

#include "base/id.h"
#include "base/log.h"

namespace portcullis::media {

namespace {

constexpr std::size_t kChunk = 256 * 1024;  // one hop to the files pool for this much

// Who may decode one picture at a time: the credential the request carries, else the address
// nearest to the client that the relay names. A digest, so that the credential itself is kept
// nowhere.
std::string owner_of(const net::Request& request) {
  for (const std::string_view name : {"authorization", "cookie", "x-forwarded-for"})
    if (const auto value = request.header(name)) return sha256_of(as_bytes(*value)).hex();
  return {};
}

store::Details details_of(const decoder::Rendition& made, std::uint64_t bytes) {
  store::Details details;
  details.width = made.width;
  details.height = made.height;
  if (made.frames > 1) details.frames = made.frames;
  details.content_type = decoder::content_type(made.format);
  details.blurhash = made.blurhash;
  details.bytes = bytes;
  return details;
}

store::VerdictRecord record_of(const scan::Screening& screening, WallTime now) {
  return {random_uuid(),     screening.facts.sha256, screening.ruleset,
          screening.verdict, screening.facts,        now};
}

bool is_to_store(policy::Outcome outcome) {
  return outcome == policy::Outcome::accept || outcome == policy::Outcome::label;
}

}  // namespace

Task<net::Response> Media::Upload::run(net::Request& request, net::BodyReader& body) {
  if (Ended ended = co_await closed()) co_return std::move(*ended);
  Result<std::vector<Spool>> spools = co_await receive(request, body);
  if (!spools) {
    ++(spools.error().fault == Fault::client ? counters_.not_taken : counters_.failed);
    log::info("upload not read", {{"request", request.id}, {"why", spools.error().what}});
    co_return refusal_for(spools.error());
  }
  received_ = services_.clock.steady();
  for (const Spool& spool : *spools) {
    Ended ended = co_await take(request, spool);
    if (!ended) continue;
    co_await undo();
    co_return std::move(*ended);
  }
  co_return json_answer(201, uploaded_json(done_));
}

// An unreadable switch reads as closed.
Task<Media::Upload::Ended> Media::Upload::closed() {
  const auto found =
      co_await services_.db.run([&] { return services_.store.get_switch("uploads"); });
  if (!found) {
    ++counters_.failed;
    log::error("the upload switch cannot be read, so uploads are refused",
               {{"why", found.error().what}});
    co_return storage_unavailable();
  }
  const auto& value = *found;
  if (!value || store::is_open(*value, services_.clock.now())) co_return std::nullopt;
  ++counters_.closed;
  co_return uploads_closed(value->message);
}

Task<Result<std::vector<Spool>>> Media::Upload::receive(const net::Request& request,
                                                        net::BodyReader& body) {
  auto receiver =
      CO_TRY(Receiver::create(request.header("content-type").value_or(""), options_.spool, budget_,
                              {options_.max_file_size, options_.max_file_count}));
  Bytes buffer(kChunk);
  for (bool ended = false; !ended;) {
    std::size_t filled = 0;
    while (filled < buffer.size() && !ended) {
      Result<std::size_t> count = co_await body.read(std::span(buffer).subspan(filled));
      if (!count) {
        Error error = std::move(count).error();
        if (error.fault == Fault::limits && error.code.empty()) {
          error.fault = Fault::client;
          error.code = "validate-file-size";
        }
        co_return std::unexpected(std::move(error));
      }
      ended = *count == 0;
      filled += *count;
    }
    const ByteView portion(buffer.data(), filled);
    Status fed = co_await services_.files.run([&] { return receiver->feed(portion); });
    if (!fed) {
      Error error = std::move(fed).error();
      if (error.fault == Fault::limits && error.code.empty())
        error.fault = Fault::client;  // the parser's own bounds
      co_return std::unexpected(std::move(error));
    }
  }
  co_return receiver->finish();
}

Task<Media::Upload::Ended> Media::Upload::take(const net::Request& request, const Spool& spool) {
  const Deadline deadline = services_.clock.steady() + options_.upload_timeout;
  const scan::Original original{spool.fd(), spool.size(), spool.digests()};
  const scan::Subject subject{policy::Origin::upload, owner_of(request)};
  // A rendition that was known may be swept before it is claimed; then the picture is decoded once
  // more.
  for (const scan::Reuse reuse : {scan::Reuse::yes, scan::Reuse::no}) {
    const scan::Screening screening =
        co_await services_.scanner.scan(original, subject, &memory_, deadline, reuse);
    if (Ended ended = co_await judged(request, screening)) co_return ended;
    if (!screening.rendition && !screening.known_blob) {
      ++counters_.unanswered;
      co_return screening_unavailable();
    }
    Result<std::optional<Uploaded>> stored = co_await store(screening);
    if (!stored) {
      if (stored.error().code == "uploads-closed") {
        if (Ended ended = co_await closed()) co_return ended;
        co_return uploads_closed({});
      }
      ++counters_.failed;
      log::error("upload not stored", {{"request", request.id}, {"why", stored.error().what}});
      co_return storage_unavailable();
    }
    std::optional<Uploaded> uploaded = *std::move(stored);
    if (!uploaded) continue;
    ++counters_.accepted;
    log::info("upload accepted", {{"request", request.id},
                                  {"alias", uploaded->alias},
                                  {"rule", screening.verdict.rule},
                                  {"bytes", spool.size()}});
    done_.push_back(*std::move(uploaded));
    co_return std::nullopt;
  }
  co_return storage_unavailable();
}

Task<Media::Upload::Ended> Media::Upload::judged(const net::Request& request,
                                                 const scan::Screening& screening) {
  if (screening.not_taken) {
    ++counters_.not_taken;
    log::info("upload not taken", {{"request", request.id}, {"why", screening.not_taken->what}});
    co_return refusal_for(*screening.not_taken);
  }
  if (is_to_store(screening.verdict.outcome)) co_return std::nullopt;
  const store::VerdictRecord record = record_of(screening, services_.clock.now());
  const Status recorded = co_await services_.db.run([&] { return services_.store.record(record); });
  if (!recorded)
    log::error("a verdict could not be recorded",
               {{"request", request.id}, {"why", recorded.error().what}});
  log::info("upload refused", {{"request", request.id},
                               {"verdict", record.id},
                               {"outcome", policy::name(record.verdict.outcome)},
                               {"rule", record.verdict.rule},
                               {"why", record.verdict.reason}});
  if (screening.verdict.unanswered) {
    ++counters_.unanswered;
    co_return screening_unavailable();
  }
  ++counters_.refused;
  co_await wait_for_step();
  co_return content_refused();
}

// Nothing when a known rendition is not stored any more.
Task<Result<std::optional<Uploaded>>> Media::Upload::store(const scan::Screening& screening) {
  const bool have_bytes = screening.rendition != nullptr;
  const ByteView bytes = have_bytes ? screening.rendition->view() : ByteView{};
  PORTCULLIS_CHECK(screening.seen.has_value());
  const image::Seen& seen = *screening.seen;
  const Sha256 digest = have_bytes ? co_await services_.files.run([&] { return sha256_of(bytes); })
                                   : screening.known_blob.value_or(Sha256{});
  store::Details details = details_of(seen.made, bytes.size());
  if (!have_bytes) {
    const auto known =
        CO_TRY(co_await services_.db.run([&] { return services_.store.details(digest); }));
    if (!known) co_return std::nullopt;
    details = *known;
  }
  const WallTime now = services_.clock.now();
  const auto claim = CO_TRY(
      co_await services_.db.run([&] { return services_.store.claim(digest, details, now); }));

  Status stored;
  if (!claim.already_stored) {
    if (have_bytes)
      stored = co_await services_.files.run([&] { return services_.blobs.put(digest, bytes); });
    else
      stored = fail_with(Fault::storage, "gone", "the rendition was removed meanwhile");
  }
  Uploaded uploaded{random_uuid() + std::string(decoder::extension(seen.made.format)),
                    random_uuid(), details, now};
  if (stored) {
    const store::Store::Publication publication{
        claim.id,
        {uploaded.alias, uploaded.delete_token, digest, now, policy::Origin::upload},
        record_of(screening, now),
        store::RenditionRecord{screening.facts.sha256, screening.operations, digest,
                               image::to_json(seen)}};
    stored = co_await services_.db.run([&] { return services_.store.publish(publication); });
  }
  if (!stored) {
    const Status given_up =
        co_await services_.db.run([&] { return services_.store.abandon(claim.id); });
    if (!given_up) log::error("a claim could not be given up", {{"why", given_up.error().what}});
    if (stored.error().code == "gone") co_return std::nullopt;
    co_return std::unexpected(std::move(stored).error());
  }
  co_return uploaded;
}

// One part failed: the others of the same request do not stay.
Task<void> Media::Upload::undo() {
  for (const Uploaded& file : done_) {
    const auto deleted = co_await services_.db.run(
        [&] { return services_.store.delete_alias(file.alias, file.delete_token); });
    if (!deleted)
      log::error("a part of a failed upload stays",
                 {{"alias", file.alias}, {"why", deleted.error().what}});
  }
}

Task<void> Media::Upload::wait_for_step() {
  if (options_.refusal_step.count() == 0) co_return;
  const auto passed = services_.clock.steady() - received_;
  const auto left = options_.refusal_step - passed % options_.refusal_step;
  asio::basic_waitable_timer<std::chrono::steady_clock,
                             asio::wait_traits<std::chrono::steady_clock>, Executor>
      timer(co_await asio::this_coro::executor, left);
  co_await timer.async_wait(use_task);
}

}  // namespace portcullis::media

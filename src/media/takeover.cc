// Pictures that another store had before this one.
#include <fcntl.h>

#include <boost/json.hpp>

#include "base/id.h"
#include "media/ingest.h"

namespace portcullis::media {

namespace {

// A claim is lost when the server starts meanwhile.
constexpr int kTries = 3;

// What evidence should say of a picture that was taken over; JSON.
std::string context_of(const TakeOver::Name& name) {
  return boost::json::serialize(boost::json::object{
      {"import", name.alias}, {"created", rfc3339(name.created)}, {"url", name.url}});
}

TakeOver::Outcome outcome_of(const NotTaken& not_taken) {
  using End = TakeOver::End;
  const Error& why = not_taken.why;
  const End end = why.code == "refused"           ? End::refused
                  : why.code == "held"            ? End::held
                  : why.code == "unanswered"      ? End::unanswered
                  : why.code == "duplicate-alias" ? End::name_taken
                  : why.code == "not-kept"        ? End::stopped
                  : why.code == "remote-closed"   ? End::no_picture
                  : why.fault == Fault::client    ? End::no_picture
                                                  : End::stopped;
  if (why.code == "not-kept")
    return {end,
            "a picture that the policy wants kept as evidence could not be kept; see the log, and "
            "`portcullis check`",
            not_taken.verdict};
  return {end, why.what, not_taken.verdict};
}

}  // namespace

class TakeOver::Room {
 public:
  Room(Options options, Services services)
      : shared_(std::move(options), services), ingest_(shared_) {}

  Task<Result<std::optional<End>>> known(const Sha256& original, const std::string& alias) {
    Services& services = shared_.services;
    co_return co_await services.db.run([&]() -> Result<std::optional<End>> {
      if (const auto found = TRY(services.store.find(alias))) {
        const auto provenance = TRY(services.store.provenance(found->alias.blob));
        const bool is_same = std::ranges::any_of(
            provenance.originals,
            [&](const store::RenditionRecord& record) { return record.original == original; });
        return is_same ? End::there_already : End::name_taken;
      }
      // A tombstone or another stand-in leads elsewhere already.
      if (TRY(services.store.was_deleted(alias)) || TRY(services.store.stand_in(alias)))
        return End::deleted;
      if (TRY(services.store.is_gone(alias)) && !TRY(services.store.is_allowed(original)))
        return End::refused;
      return std::nullopt;
    });
  }

  Task<Outcome> take(const scan::Original& original, const Name& name) {
    if (!is_alias(name.alias))
      co_return Outcome{End::no_picture, "its name could not stand in an address", {}};
    if (auto why = co_await closed()) co_return Outcome{End::stopped, *std::move(why), {}};
    UniqueFd fd(::fcntl(original.fd, F_DUPFD_CLOEXEC, 0));
    if (!fd) co_return Outcome{End::stopped, "too many files are open", {}};
    const Spool spool = Spool::of_file(std::move(fd), original.size, original.digests);
    for (int left = kTries;; --left) {
      const Taken taken = co_await take_once(spool, name);
      if (taken) co_return Outcome{End::taken, {}, {}};
      if (taken.error().why.code == "claim-gone" && left > 1) continue;
      Outcome outcome = outcome_of(taken.error());
      if (outcome.end != End::refused && outcome.end != End::held) co_return outcome;
      co_return co_await remembered(std::move(outcome), name);
    }
  }

  Task<Outcome> judge(const scan::Original& original) {
    const scan::Screening screening = co_await shared_.services.scanner.scan(
        original, subject(), shared_.memory.get(), deadline(), scan::Reuse::yes);
    if (screening.not_taken) co_return Outcome{End::no_picture, screening.not_taken->what, {}};
    const policy::Verdict& verdict = screening.verdict;
    switch (verdict.outcome) {
      case policy::Outcome::accept:
      case policy::Outcome::label:
        co_return Outcome{End::taken, {}, {}};
      case policy::Outcome::hold:
      case policy::Outcome::refuse:
        break;
    }
    co_return Outcome{verdict.unanswered                         ? End::unanswered
                      : verdict.outcome == policy::Outcome::hold ? End::held
                                                                 : End::refused,
                      verdict.reason,
                      {}};
  }

 private:
  static scan::Subject subject() { return {policy::Origin::import, {}, {}, {}}; }
  Deadline deadline() const {
    return shared_.services.clock.steady() + shared_.options.upload_timeout;
  }

  // Why nothing may come in, in a sentence.
  Task<std::optional<std::string>> closed() {
    Services& services = shared_.services;
    co_return co_await services.db.run([&]() -> std::optional<std::string> {
      const auto uploads = services.store.get_switch(std::string(store::kUploads));
      if (!uploads) return uploads.error().what;
      if (!store::uploads_are_open(*uploads, services.clock.now()))
        return "uploads are closed, and what is taken over is an upload: `portcullis lockdown "
               "off`, then start again";
      const auto usage = services.store.usage();
      if (!usage) return usage.error().what;
      if (shared_.options.max_bytes > 0 &&
          usage->all - usage->variants >= shared_.options.max_bytes)
        return "media.max_bytes is used up: raise it, then start again";
      const auto fullness = services.keeper.fullness();
      if (!fullness) return fullness.error().what;
      if (*fullness >= 1)
        return "the room for evidence is used up: raise evidence.max_bytes, then start again";
      return std::nullopt;
    });
  }

  Task<Taken> take_once(const Spool& spool, const Name& name) {
    Order order{.request = "import", .subject = subject()};
    order.alias = name.alias;
    order.delete_token = name.delete_token;
    order.created = name.created;
    order.url = order.proxied = name.url;
    if (!name.url.empty()) order.source = policy::Origin::remote;
    order.context = context_of(name);
    return ingest_.take(spool, std::move(order), shared_.services.clock.steady(), deadline());
  }

  Task<Outcome> remembered(Outcome outcome, const Name& name) {
    Services& services = shared_.services;
    const Status done = co_await services.db.run([&] {
      return services.store.remember_gone({name.alias}, outcome.verdict, services.clock.now());
    });
    if (!done) co_return Outcome{End::stopped, done.error().what, {}};
    co_return outcome;
  }

  Shared shared_;
  Ingest ingest_;
};

TakeOver::TakeOver(Options options, Services services)
    : room_(std::make_unique<Room>(std::move(options), services)) {}
TakeOver::~TakeOver() = default;
Task<Result<std::optional<TakeOver::End>>> TakeOver::known(const Sha256& original,
                                                           const std::string& alias) {
  return room_->known(original, alias);
}
Task<TakeOver::Outcome> TakeOver::take(scan::Original original, Name name) {
  co_return co_await room_->take(original, name);
}
Task<TakeOver::Outcome> TakeOver::judge(scan::Original original) {
  co_return co_await room_->judge(original);
}

}  // namespace portcullis::media

#include <algorithm>
#include <array>
#include <atomic>

#include "base/log.h"
#include "services/limits.h"
#include "services/protocol.h"

namespace portcullis::services {

namespace {

using policy::Answer;
using policy::SignalAnswer;

constexpr std::array<std::string_view, 4> kTypes{"hma", "arachnid", "photodna", "http"};
constexpr std::array<std::string_view, 2> kModes{"hash", "media"};
constexpr std::array<std::string_view, 4> kAddresses{
    "", "https://shield.projectarachnid.com", "https://api.microsoftmoderator.com/photodna/v1.0",
    ""};
// Enough for a video's worth of matches.
constexpr std::uint64_t kLongestReply = 1024 * 1024;
constexpr std::chrono::milliseconds kProbeTimeout{5'000};

std::unique_ptr<Protocol> protocol_for(const Options& options) {
  switch (options.type) {
    case Type::hma:
      return hma_protocol(options);
    case Type::arachnid:
      return arachnid_protocol(options);
    case Type::photodna:
      return photodna_protocol(options);
    case Type::http:
      break;
  }
  return http_protocol(options);
}

bool fits_a_header(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

Status check(const Options& options) {
  const std::string& name = options.name;
  if (!fits_a_header(options.key) || !fits_a_header(options.user + options.password))
    return fail(Fault::us, "service {}: its key, user or password has characters beyond ASCII",
                name);
  if (options.user.contains(':'))
    return fail(Fault::us, "service {}: `user` cannot have a ':'", name);
  if (options.type == Type::arachnid && (options.user.empty() || options.password.empty()))
    return fail(Fault::us, "service {}: it needs `user` and `password_file` or `password_env`",
                name);
  if (options.type == Type::photodna && options.key.empty())
    return fail(Fault::us, "service {}: it needs `key_file` or `key_env`", name);
  return {};
}

SignalAnswer unanswered(std::string why) { return {Answer::unanswered, false, {}, std::move(why)}; }

class RealService final : public Service {
 public:
  RealService(Options options, egress::Endpoint endpoint,
              std::shared_ptr<egress::ConfiguredClient> client, const Clock& clock)
      : options_(std::move(options)),
        endpoint_(std::move(endpoint)),
        client_(std::move(client)),
        clock_(clock),
        protocol_(protocol_for(options_)),
        limits_({options_.per_minute, options_.failures, options_.rest}, clock.steady()) {
    version_ = fmt::format("{} {} {} {}", options_.name, name(options_.type), name(options_.mode),
                           endpoint_.text());
    if (options_.type == Type::hma) version_ += fmt::format(" {}", fmt::join(options_.banks, ","));
    if (options_.type == Type::http)
      version_ += fmt::format(" {}", fmt::join(options_.match_statuses, ","));
    if (options_.mode == Mode::hash && options_.turned) version_ += " turned";
  }

  const Options& options() const override { return options_; }
  const egress::Endpoint& endpoint() const override { return endpoint_; }
  const std::string& version() const override { return version_; }
  std::optional<decoder::ViewSize> view() const override { return protocol_->view(); }

  Reading reading() const override {
    return {.service = options_.name,
            .match = match_,
            .no_match = no_match_,
            .unanswered = unanswered_,
            .requests = requests_,
            .over_budget = over_budget_,
            .resting = resting_,
            .is_resting = limits_.is_resting()};
  }

  Task<Status> probe() const override {
    const auto request = protocol_->probe();
    if (!request) co_return co_await client_->connect(endpoint_, kProbeTimeout);
    const egress::Reply reply =
        CO_TRY(co_await client_->ask(endpoint_, *request, kLongestReply, kProbeTimeout));
    if (reply.status == 200) co_return Status();
    co_return fail(Fault::upstream, "status {}", reply.status);
  }

  Task<SignalAnswer> ask(const scan::Question& question, Deadline deadline) override {
    SignalAnswer answer = co_await look(question, deadline);
    ++(answer.answer == Answer::match      ? match_
       : answer.answer == Answer::no_match ? no_match_
                                           : unanswered_);
    answer.detail = fmt::format("{}: {}", options_.name, answer.detail);
    co_return answer;
  }

 private:
  // What is known so far of one picture. Of one coroutine's loop.
  struct Asking {
    std::vector<Step> steps;
    Deadline until;
    std::size_t next = 0;
    Finding finding;
    std::optional<Error> error;  // the first; service's faults before others
  };

  Task<SignalAnswer> look(const scan::Question& question, Deadline deadline) {
    Asking asking;
    auto steps = protocol_->steps(question);
    if (!steps) co_return unanswered(steps.error().what);
    asking.steps = *std::move(steps);
    if (asking.steps.empty())
      co_return said({}, true, "the picture is too plain for a perceptual hash");

    const SteadyTime now = clock_.steady();
    if (now >= deadline) co_return unanswered("no time was left");
    switch (limits_.admit(asking.steps.size(), now)) {
      case Admission::over_budget:
        ++over_budget_;
        co_return unanswered(fmt::format("{} more requests would be over {} a minute (per_minute)",
                                         asking.steps.size(), options_.per_minute));
      case Admission::resting:
        ++resting_;
        co_return unanswered("it failed too often and is not asked for a while");
      case Admission::yes:
        break;
    }
    asking.until = std::min(deadline, now + options_.timeout);
    std::vector<Task<void>> workers;
    for (std::size_t i = 0; i < std::min(options_.max_at_once, asking.steps.size()); ++i)
      workers.push_back(work(asking));
    co_await all(std::move(workers));

    if (!asking.error || asking.error->fault == Fault::client) {
      limits_.succeeded();
    } else if (asking.until - now >= options_.timeout) {
      // With less time than it may take, its failure proves nothing.
      limits_.failed(clock_.steady());
      log::warning("a service failed", {{"service", options_.name}, {"why", asking.error->what}});
    }
    if (asking.error && !asking.finding.match) co_return unanswered(asking.error->what);
    std::string detail = asking.finding.match ? asking.finding.detail : "nothing known";
    co_return said(asking.finding, !asking.error, detail.empty() ? "match" : std::move(detail));
  }

  // One of several that make the requests of one picture, one after the other.
  Task<void> work(Asking& asking) {
    while (asking.next < asking.steps.size()) {
      const Step& step = asking.steps[asking.next++];
      auto found = co_await make(step, asking.until);
      if (found)
        add(asking.finding, *std::move(found));
      else if (!asking.error || asking.error->fault == Fault::client)
        asking.error = std::move(found).error();
      // The rest would only keep a service busy that is in trouble.
      if (asking.error && asking.error->fault != Fault::client) asking.next = asking.steps.size();
    }
  }

  Task<Result<Finding>> make(const Step& step, Deadline until) {
    const auto left = std::chrono::floor<std::chrono::milliseconds>(until - clock_.steady());
    if (left.count() <= 0) co_return fail(Fault::upstream, "it did not answer in time");
    ++requests_;
    const egress::Reply reply =
        CO_TRY(co_await client_->ask(endpoint_, step.request(), kLongestReply, left));
    co_return step.read(reply);
  }

  // Scores are 1 and 0; those that are not known for want of an answer are left out.
  SignalAnswer said(const Finding& finding, bool is_whole, std::string detail) const {
    SignalAnswer answer;
    answer.answer = finding.match ? Answer::match : Answer::no_match;
    answer.exact = finding.exact;
    for (const std::string& label : labels(options_.type, options_.banks)) {
      const bool found = finding.labels.contains(label);
      if (found || is_whole) answer.scores[label] = found ? 1 : 0;
    }
    answer.detail = std::move(detail);
    return answer;
  }

  const Options options_;
  const egress::Endpoint endpoint_;
  const std::shared_ptr<egress::ConfiguredClient> client_;
  const Clock& clock_;
  const std::unique_ptr<Protocol> protocol_;
  std::string version_;
  Limits limits_;
  std::atomic<std::uint64_t> match_{0}, no_match_{0}, unanswered_{0}, requests_{0}, over_budget_{0},
      resting_{0};
};

class ServiceSignal final : public scan::Signal {
 public:
  ServiceSignal(policy::SignalDefinition definition, std::shared_ptr<Service> service,
                std::string why)
      : definition_(std::move(definition)),
        service_(std::move(service)),
        why_(std::move(why)),
        version_(service_ ? service_->version() : "missing") {}

  const policy::SignalDefinition& definition() const override { return definition_; }
  const std::string& version() const override { return version_; }
  std::optional<decoder::ViewSize> view() const override {
    return service_ ? service_->view() : std::nullopt;
  }
  bool memorable() const override { return true; }
  std::chrono::seconds lifetime(const SignalAnswer& answer) const override {
    if (!service_ || !is_whole(answer)) return {};
    return answer.answer == Answer::match ? service_->options().keep_match
                                          : service_->options().keep_no_match;
  }
  Task<SignalAnswer> ask(const scan::Question& question, Deadline deadline) const override {
    if (!service_) co_return unanswered(why_);
    co_return co_await service_->ask(question, deadline);
  }

 private:
  // A match may have come before all was said of it.
  bool is_whole(const SignalAnswer& answer) const {
    const Options& options = service_->options();
    return answer.scores.size() == labels(options.type, options.banks).size();
  }

  policy::SignalDefinition definition_;
  std::shared_ptr<Service> service_;
  std::string why_;
  std::string version_;
};

}  // namespace

std::string_view name(Type type) { return kTypes.at(static_cast<std::size_t>(type)); }
std::string_view name(Mode mode) { return kModes.at(static_cast<std::size_t>(mode)); }
std::optional<Type> type_from(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name);
  if (found == kTypes.end()) return std::nullopt;
  return static_cast<Type>(found - kTypes.begin());
}

std::vector<std::string> labels(Type type, const std::vector<std::string>& banks) {
  switch (type) {
    case Type::hma:
      return banks;
    case Type::arachnid:
      return {"csam", "harmful-abusive-material", "other"};
    case Type::photodna:
      return {"A1", "A2", "B1", "B2", "test"};
    case Type::http:
      break;
  }
  return {};
}

Result<std::shared_ptr<Service>> Service::create(Options options,
                                                 std::shared_ptr<egress::ConfiguredClient> client,
                                                 const Clock& clock) {
  TRY(check(options));
  auto endpoint = egress::Endpoint::parse(
      options.url.empty() ? kAddresses.at(static_cast<std::size_t>(options.type)) : options.url,
      options.max_at_once);
  if (!endpoint)
    return fail(Fault::us, "service {}: `url`: {}", options.name, endpoint.error().what);
  return std::make_shared<RealService>(std::move(options), *std::move(endpoint), std::move(client),
                                       clock);
}

std::shared_ptr<const scan::Signal> signal(policy::SignalDefinition definition,
                                           std::shared_ptr<Service> service, std::string why) {
  return std::make_shared<ServiceSignal>(std::move(definition), std::move(service), std::move(why));
}

}  // namespace portcullis::services

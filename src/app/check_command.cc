#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstdio>

#include "app/commands.h"
#include "app/engine.h"
#include "app/keeping.h"
#include "app/list_credentials.h"
#include "app/secret.h"
#include "app/switching.h"
#include "base/log.h"
#include "egress/egress.h"
#include "net/net.h"

namespace portcullis::app {

namespace {

// Lists of other people's servers are expected to change within it.
constexpr std::chrono::days kFreshEnough{7};

// One line a finding; remembers whether anything failed.
class Doctor {
 public:
  void good(const std::string& part, const std::string& what) {
    rows_.push_back({"ok", part, what});
  }
  void warning(const std::string& part, const std::string& what) {
    rows_.push_back({"WARN", part, what});
  }
  void bad(const std::string& part, const std::string& what) {
    rows_.push_back({"FAIL", part, what});
    failed_ = true;
  }
  template <class T>
  bool look(const std::string& part, const Result<T>& result, const std::string& fine) {
    result ? good(part, fine) : bad(part, result.error().what);
    return result.has_value();
  }
  int report() const {
    std::fputs(table(rows_).c_str(), stdout);
    std::puts(failed_ ? "Something needs mending: see FAIL above." : "All is well.");
    return failed_ ? 1 : 0;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
  bool failed_ = false;
};

// What rules want kept can be kept.
void check_evidence(Doctor& doctor, const config::Config& config, const DataFolder& data,
                    const policy::Policy& policy) {
  const auto options = keeper_options(config, data);
  if (!doctor.look("evidence", options, "the keys are readable")) return;
  if (policy.preserves() && !options->evidence)
    doctor.warning("evidence",
                   "the policy has rules that preserve, but [evidence] evidence_key is empty, so "
                   "nothing is kept: make keys with `portcullis evidence keygen`");
  if (policy.holds() && !options->review)
    doctor.warning(
        "evidence",
        "the policy has rules that hold, but [evidence] review_key is empty, so what they "
        "hold is refused: make keys with `portcullis evidence keygen`");
}

std::optional<policy::Policy> check_policy(Doctor& doctor, const config::Config& config,
                                           const DataFolder& data,
                                           const std::vector<store::HashListRow>& rows) {
  const auto text = read_file(config.policy.string(), 1024 * 1024);
  if (!doctor.look("policy", text, config.policy.string())) return std::nullopt;
  auto parsed =
      policy::Policy::parse(as_text(*text), config.policy.string(), vocabulary(config, rows));
  if (!parsed) {
    doctor.bad("policy", parsed.error().what);
    return std::nullopt;
  }
  for (const policy::Lint& lint : parsed->lints())
    doctor.warning("policy", lint.where + ": " + lint.what);
  for (const policy::SignalDefinition& signal : parsed->signals()) {
    if (signal.kind != policy::SignalKind::classifier) continue;
    doctor.look("model", infer::Model::load(config.inference.models / signal.model, {.threads = 1}),
                signal.model + " loads and its digest is right");
  }
  check_evidence(doctor, config, data, *parsed);
  return *std::move(parsed);
}

// Rules that look at any signal that stands for this service.
std::vector<std::string> rules_about(const policy::Policy& policy, const std::string& service) {
  std::vector<std::string> rules;
  for (const policy::SignalDefinition& signal : policy.signals())
    if (signal.kind == policy::SignalKind::service && signal.service == service)
      std::ranges::copy(policy.rules_about(signal.name), std::back_inserter(rules));
  return rules;
}

Status probe(const services::Service& service) {
  asio::io_context loop;
  Status reached = fail(Fault::us, "it was not asked");
  asio::co_spawn(loop, service.probe(), [&](std::exception_ptr error, Status status) {
    if (!error) reached = std::move(status);
  });
  loop.run();
  return reached;
}

void check_services(Doctor& doctor, const config::Config& config,
                    const std::optional<policy::Policy>& policy, const Clock& clock) {
  OutsideServices all(clock);
  all.configure(config.services);
  for (const config::Service& one : config.services) {
    const OutsideServices::Found found = all.find(one.name);
    if (!found.service) {
      doctor.bad("service", found.why);
      continue;
    }
    const services::Options& options = found.service->options();
    const auto rules = policy ? rules_about(*policy, one.name) : std::vector<std::string>();
    const std::string what =
        fmt::format("{} ({}, {} sent to {}; rules: {})", one.name, one.type,
                    options.mode == services::Mode::hash ? "hashes" : "pictures",
                    found.service->endpoint().host(),
                    rules.empty() ? "none" : fmt::format("{}", fmt::join(rules, ", ")));
    const Status reached = probe(*found.service);
    if (reached)
      doctor.good("service", what);
    else
      doctor.bad("service", fmt::format("{}: {}", what, reached.error().what));
    if (!found.service->endpoint().is_encrypted() && options.mode == services::Mode::media)
      doctor.warning("service", one.name + ": pictures are sent to it without encryption");
  }
}

void check_lists(Doctor& doctor, const DataFolder& data,
                 const std::vector<store::HashListRow>& rows, WallTime now) {
  if (rows.empty())
    doctor.warning("lists", "there are none; add one with `portcullis hashlist add NAME FILE`");
  for (const store::HashListRow& row : rows) {
    doctor.look(
        "lists", hash::HashList::open((data.lists() / row.file).string()),
        fmt::format("{}: {} entries{}", row.name, row.count, row.observe ? ", observed only" : ""));
    const auto age = std::chrono::floor<std::chrono::days>(now - row.checked);
    const std::string advice = fmt::format(
        "{} was last read from its source {} days ago; `portcullis hashlist update "
        "{}` does it now, a timer daily",
        row.name, age.count(), row.name);
    if (row.max_age.count() > 0 && now - row.checked > row.max_age)
      doctor.bad("lists", advice + "; until then it counts as unanswered");
    else if (is_url(row.source) && row.max_age.count() == 0 && age > kFreshEnough)
      doctor.warning("lists", advice);
  }
}

void check_site(Doctor& doctor, const config::Config& config) {
  if (config.site.hosts.empty())
    doctor.warning("site",
                   "[site] hosts is empty: name this site there, or its own pictures are fetched "
                   "from outside like strangers'");
  if (config.listen.api_key.empty())
    doctor.warning("api key",
                   "[listen] api_key is empty: Lemmy cannot purge pictures; set the same one as "
                   "pictrs.api_key");
  if (config.media.import_fallback != "off")
    doctor.warning("fallback",
                   "[media] import_fallback is set: pictures that have not come over yet are shown "
                   "unscreened; set it to \"off\" when the import has ended");
  for (const std::string& text : config.egress.allow)
    doctor.look("egress", Network::parse(text), "[egress] allow opens " + text);
  for (const std::string& text : config.site.trusted_proxies)
    doctor.look("proxies", Network::parse(text), "[site] trusted_proxies believes " + text);
  for (const auto& [name, hook] : {std::pair("purge hook", config.media.purge_hook),
                                   std::pair("alert hook", config.alert.hook)})
    if (!hook.empty() && ::access(hook.c_str(), X_OK) != 0)
      doctor.bad(name, hook.string() + " cannot be run");
}

// Keeps the first thing that is wrong.
Task<void> ask_pict_rs(net::Upstream& upstream, net::UpstreamRequest request, Deadline deadline,
                       Status& asked) {
  const std::string target = request.target;
  const auto answer = co_await upstream.ask(std::move(request), deadline);
  if (!asked) co_return;
  if (!answer)
    asked = std::unexpected(answer.error());
  else if (answer->status == 401)
    asked = fail(Fault::us, "it does not take [pict_rs] api_key: it must be its server.api_key");
  else if (answer->status != 200)
    asked = fail(Fault::upstream, "it answers {} to {}", answer->status, target);
}

// Whether it is there, and takes the key.
Status probe(const config::PictRs& pict_rs, const Clock& clock) {
  const auto server = TRY(config::parse_plain_server(pict_rs.url));
  const std::string key = TRY(load_secret(pict_rs.api_key));
  asio::io_context loop;
  const auto upstream = net::Upstream::create({.host = server.host, .port = server.port}, clock);
  const Deadline deadline = clock.steady() + std::chrono::seconds(5);
  Status asked;
  asio::co_spawn(loop,
                 ask_pict_rs(*upstream, {.method = "GET", .target = "/healthz"}, deadline, asked),
                 asio::detached);
  if (!key.empty())
    asio::co_spawn(loop,
                   ask_pict_rs(*upstream,
                               {.method = "GET",
                                .target = "/internal/hashes?limit=1",
                                .headers = {{"X-Api-Token", key}}},
                               deadline, asked),
                   asio::detached);
  loop.run();
  return asked;
}

void check_other_ways(Doctor& doctor, const config::Config& config, const Clock& clock) {
  if (config.pict_rs.is_on())
    doctor.look("pict-rs", probe(config.pict_rs, clock),
                config.pict_rs.url + " answers and keeps what is accepted");
  if (config.validator.is_on())
    doctor.good("validator", fmt::format("on {}: pict-rs has stored what it asks about",
                                         config.validator.listen.text()));
}

void check_decoder(Doctor& doctor, const config::Config& config, const Clock& clock) {
  decoder::Options options;
  options.program = decoder_program();
  options.workers = 1;
  options.memory = config.decoder.memory;
  const auto pool = decoder::Pool::create(options, clock);
  if (const std::string problem = pool->health().problem; !problem.empty())
    doctor.bad("decoder", problem);
  else
    doctor.good("decoder", "a worker started and locked itself in (" + pool->version() + ")");
}

}  // namespace

Result<int> check_command(const std::string& config_file) {
  static const SystemClock clock;
  log::set_level(log::Level::error);
  Doctor doctor;
  const auto file = find_config(config_file);
  if (!doctor.look("config", file, file ? file->string() : "")) return doctor.report();
  const auto config = load_config(*file);
  if (!config) {
    doctor.bad("config", config.error().what);
    return doctor.report();
  }
  check_site(doctor, *config);
  check_other_ways(doctor, *config, clock);
  check_decoder(doctor, *config, clock);
  const auto data = open_data_folder(*config);
  if (!doctor.look("data", data, config->data.string())) return doctor.report();
  const auto store = store::open_sqlite({.file = data->database()}, clock);
  if (!doctor.look("store", store, data->database().string())) return doctor.report();
  const auto rows = (*store)->lists();
  if (!doctor.look("store", rows, "readable")) return doctor.report();
  check_lists(doctor, *data, *rows, clock.now());
  check_services(doctor, *config, check_policy(doctor, *config, *data, *rows), clock);
  const auto switches = (*store)->switches();
  if (!doctor.look("switches", switches, "readable")) return doctor.report();
  for (const store::Switch& value : all_switches(*switches, clock.now()))
    if (!value.who.empty() && value.state != "open")
      doctor.warning(value.name,
                     to_text(value) + "; `portcullis lockdown off` restores what was before");
  return doctor.report();
}

}  // namespace portcullis::app

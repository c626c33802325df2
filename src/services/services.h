// services/services.h: detection services of others as signals.
//
// A Service is one [services.NAME] of the config: where it is, what may be sent there, and what is
// known of how it does (Gate: its budget and its breaker). Its state outlives rulesets, so a reload
// neither refills a budget nor closes a breaker. Signals that name it share it. What leaves this
// machine is said at each Type.
//
// A service that gives an error, is not asked because of its budget or breaker, or says what cannot
// be understood is unanswered, never "no match". Thread-safe; answers come back on the loop of
// whoever awaits them.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "egress/egress.h"
#include "scan/scan.h"

namespace portcullis::services {

enum class Type {
  hma,       // hasher-matcher-actioner, usually one's own: PDQ hashes leave
  arachnid,  // Project Arachnid Shield: PDQ hashes leave, or (Mode::media) originals
  photodna,  // PhotoDNA Cloud Service: originals leave, or pictures of 512 x 512 made of them
  http,      // whatever takes a picture and answers with a status: originals leave
};
std::string_view name(Type type);
std::optional<Type> type_from(std::string_view name);

enum class Mode { hash, media };
std::string_view name(Mode mode);

struct Options {
  std::string name;
  Type type = Type::hma;
  Mode mode = Mode::hash;
  std::string url;                       // empty: the type's public address, where there is one
  std::string user, password;            // arachnid needs both; any type: Basic authentication
  std::string key;                       // photodna needs one; others: "Authorization: Bearer"
  std::vector<std::string> banks;        // of an HMA; empty: all. They are its labels
  std::vector<int> match_statuses{406};  // of http: 400 to 499
  bool turned = true;            // hashes of the picture turned and mirrored are asked about, too
  std::size_t max_hashes = 512;  // that one picture may need; a picture with more is unanswered
  std::chrono::milliseconds timeout{10'000};
  std::size_t max_at_once = 4;       // requests of one picture
  std::uint32_t per_minute = 1'200;  // requests; more are not made
  std::uint32_t failures = 5;        // in a row, then nothing is asked for `rest`
  std::chrono::seconds rest{30};
  std::chrono::seconds keep_match{30 * 86'400}, keep_no_match{7 * 86'400};  // remembered
  bool operator==(const Options&) const = default;
};

// What a rule may say `score = "SIGNAL.LABEL"` of: 1 for what the service says of the picture, else
// 0.
std::vector<std::string> labels(Type type, const std::vector<std::string>& banks);

struct Reading {
  std::string service;
  std::uint64_t match = 0, no_match = 0, unanswered = 0;  // pictures asked about
  std::uint64_t requests = 0;
  std::uint64_t over_budget = 0, resting = 0;  // pictures unanswered because of that
  bool is_resting = false;                     // the breaker is open
};

class Service {
 public:
  // Fault::us: an address that is none, credentials that are missing or that no header can hold.
  static Result<std::shared_ptr<Service>> create(Options options,
                                                 std::shared_ptr<egress::ConfiguredClient> client,
                                                 const Clock& clock);
  virtual ~Service() = default;

  virtual const Options& options() const = 0;
  virtual const egress::Endpoint& endpoint() const = 0;
  virtual Reading reading() const = 0;
  // Whether it can be reached; sends nothing of a picture, and no credentials.
  virtual Task<Status> probe() const = 0;

  // What a signal does, for signal().
  virtual const std::string& version() const = 0;
  virtual std::optional<decoder::ViewSize> view() const = 0;
  virtual Task<policy::SignalAnswer> ask(const scan::Question& question, Deadline deadline) = 0;
};

// `service` is null when it could not be made, `why` says what is wrong: every answer is then
// unanswered.
std::shared_ptr<const scan::Signal> signal(policy::SignalDefinition definition,
                                           std::shared_ptr<Service> service, std::string why);

}  // namespace portcullis::services

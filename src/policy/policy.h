// policy/policy.h: facts in, verdict out. Pure: no clock, no I/O, no randomness, so every decision can be replayed from
// its recorded facts.
//
// A Policy is immutable; any thread may ask it. The language is the design's §6: named signals, rules of which the first
// match wins, conditions in three-valued logic (an unanswered condition never fires, nor does its `not`), and a default.
// While a required signal is unanswered, accept and label are impossible unless the rule that fires names `unanswered`.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"

namespace portcullis::policy {

enum class Origin { upload, remote, import };
std::string_view name(Origin origin);
std::optional<Origin> origin_from(std::string_view name);

enum class Answer { match, no_match, unanswered, not_asked };
std::string_view name(Answer answer);
std::optional<Answer> answer_from(std::string_view name);

// One signal's evidence. A list says match or no_match; a classifier that ran says no_match and gives `scores`, label
// to 0..1 (thresholds are policy's business). `detail` is for moderators and the log: which list, at what distance; why
// unanswered. It is never shown to an uploader.
struct SignalAnswer {
  Answer answer = Answer::not_asked;
  bool exact = false;  // the match was by digest, not by nearness
  std::map<std::string, double> scores;
  std::string detail;
  bool operator==(const SignalAnswer&) const = default;
};

// Everything a rule may look at. No pixels; nothing that names a person.
struct Facts {
  Sha256 sha256;                // of the original
  std::uint64_t bytes = 0;      // its size
  std::string format;           // "jpeg", "png", ...; empty when it was not decoded
  std::uint32_t width = 0, height = 0, frames = 0;
  Origin origin = Origin::upload;
  bool allow_listed = false;    // by exact SHA-256: overrules classifiers and near matches, nothing else
  std::map<std::string, SignalAnswer> signals;  // by the signal's name in the policy
  bool operator==(const Facts&) const = default;
};

// JSON both ways, for the record of a verdict and for replay.
std::string to_json(const Facts& facts);
Result<Facts> facts_from_json(std::string_view json);

enum class Outcome { accept, label, hold, refuse };
std::string_view name(Outcome outcome);
std::optional<Outcome> outcome_from(std::string_view name);

struct Verdict {
  Outcome outcome = Outcome::refuse;
  std::string rule;       // the rule that fired; "default"; or "required signal unanswered"
  std::string label;      // with Outcome::label
  bool preserve = false, report = false, alert = false, ban_hash = false;
  bool unanswered = false;  // true when the refusal came because something could not look, not because of what it saw
  std::string reason;     // one sentence for a moderator: rule and the facts that made it fire
  bool operator==(const Verdict&) const = default;
};

enum class SignalKind { list, classifier };

struct SignalDefinition {
  std::string name;
  SignalKind kind = SignalKind::list;
  std::vector<std::string> lists;  // patterns over list names; '*' stands for any characters
  std::string model;               // a folder in models/
  bool required = false;
  int radius = 31;                 // for near lists, 0..31
};

// What loading checks names against.
struct Vocabulary {
  std::map<std::string, std::vector<std::string>> model_labels;  // model -> its labels
  std::vector<std::string> lists;                                // names of configured lists
};

// A finding that does not stop loading, e.g. a list that no enforcing rule reaches. `where` is "file:line:column".
struct Lint {
  std::string where;
  std::string what;
};

class Policy {
 public:
  // Errors say "source:line:column: what is wrong and what to do". Unknown keys, signals and labels, thresholds outside
  // 0..1, unreachable rules, and a required signal without a rule for its absence are errors.
  static Result<Policy> parse(std::string_view toml, std::string_view source, const Vocabulary& vocabulary);

  Verdict decide(const Facts& facts) const;

  const std::vector<SignalDefinition>& signals() const;
  const std::vector<Lint>& lints() const;
  // SHA-256 of the text it was parsed from.
  const Sha256& digest() const;

 private:
  struct Parsed;
  explicit Policy(std::shared_ptr<const Parsed> parsed);
  std::shared_ptr<const Parsed> parsed_;
};

// Whether `name` fits `pattern`, in which '*' stands for any run of characters, '/' included.
bool fits(std::string_view pattern, std::string_view name);

}  // namespace portcullis::policy

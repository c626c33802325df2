// policy/policy.h: facts in, verdict out. Pure: no clock, no I/O, no randomness, so every decision
// can be replayed from its recorded facts.
//
// A Policy is immutable; any thread may ask it. The language: named signals, rules of which the
// first match wins, and a default. Conditions are three-valued: yes, no, unknown. What is unknown
// never fires, nor does its `not`; `all` and `any` are known as soon as one part decides them.
//
//   { match = "signal" }                         a list or a service knows the picture
//   { unanswered = "signal" | "required" }       that signal, or any required one, could not look;
//   always yes or no { score = "signal.label", at_least = 0.6, below = 0.85 }     either bound, or
//   both { allow_listed = true } { format = ["gif", "webp"] }                 unknown while the
//   picture was not decoded { all = [...] }  { any = [...] }  { not = {...} }
//
// Allow-list: conditions that rest on a near match or on a score are unknown for an allow-listed
// picture. An exact match, with the scores a service gives to one, and `unanswered` are as for any
// other picture.
//
// Not asked: a signal that was not asked is unknown to `match` and `score`. `unanswered` says yes
// to it, unless some list signal has an exact match: then it was not asked because nobody needed to
// know, and `unanswered` says no.
//
// The guard: `accept` and `label` are impossible while a required signal has no answer (unanswered
// or not asked, exact match or not), unless the rule that fires itself names each such signal, or
// "required", in an `unanswered` outside any `not`. The verdict is then: refuse, rule "required
// signal unanswered".
//
// Variations: `accept`, `label` and `hold` are impossible for a picture that varies one which was
// refused to the same uploader a short while ago, unless it is on the allow-list: who tries
// variations of a picture until one passes learns nothing. The verdict is then: refuse, rule
// "variation of a refused picture".
//
// A rule may be for some origins (`origin = ["upload"]`) and some classes of uploaders
// (`uploader = ["unidentified", "member"]`) only.
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

// What is known of the person who brings a picture; no name and no number.
enum class UploaderClass {
  nobody,        // no person did: fetched, imported
  unidentified,  // an upload that names no account
  member,        // one that names an account
  trusted,       // one that names an account which the admin trusts
};
std::string_view name(UploaderClass uploader);
std::optional<UploaderClass> uploader_class_from(std::string_view name);

enum class Answer { match, no_match, unanswered, not_asked };
std::string_view name(Answer answer);
std::optional<Answer> answer_from(std::string_view name);

// One signal's evidence. A list says match or no_match; a classifier that ran says no_match and
// gives `scores`, label to 0..1 (thresholds are policy's business); a service says match or
// no_match and may give scores too. An answer of either without a finite score for each label that
// a rule looks at counts as unanswered; if it is a service's match, it counts as that as well.
// `detail` is for moderators and the log: which list, at what distance; why unanswered. It is
// never shown to an uploader.
struct SignalAnswer {
  Answer answer = Answer::not_asked;
  bool exact = false;  // the match was by digest, not by nearness
  std::map<std::string, double> scores;
  std::string detail;
  bool operator==(const SignalAnswer&) const = default;
};

// Everything a rule may look at. No pixels; nothing that names a person.
struct Facts {
  Sha256 sha256;            // of the original
  std::uint64_t bytes = 0;  // its size
  std::string format;       // "jpeg", "png", ...; empty when it was not decoded
  std::uint32_t width = 0, height = 0, frames = 0;
  Origin origin = Origin::upload;
  UploaderClass uploader = UploaderClass::nobody;
  bool allow_listed =
      false;  // by exact SHA-256: overrules classifiers and near matches, nothing else
  // It looks nearly like one that the same person or network was refused not long ago.
  bool varies_refused = false;
  std::map<std::string, SignalAnswer> signals;  // by the signal's name in the policy
  bool operator==(const Facts&) const = default;
};

// JSON both ways, for the record of a verdict and for replay. Facts come back exactly as they went
// in, to the last digit of a score; only scores that are not finite are left out, and bytes of
// texts that are not UTF-8 become '?'. Reading is strict: unknown, missing, doubled or mistyped
// members are an error.
std::string to_json(const Facts& facts);
Result<Facts> facts_from_json(std::string_view json);

enum class Outcome { accept, label, hold, refuse };
std::string_view name(Outcome outcome);
std::optional<Outcome> outcome_from(std::string_view name);

struct Verdict {
  Outcome outcome = Outcome::refuse;
  std::string rule;   // the rule that fired; "default"; or "required signal unanswered"
  std::string label;  // with Outcome::label
  bool preserve = false, report = false, alert = false, ban_hash = false;
  // True when hold or refuse came because something could not look, not because of what was seen:
  // the guard, a rule that would not have fired had every signal answered, or such a default while
  // a required signal has no answer.
  bool unanswered = false;
  std::string reason;  // one sentence for a moderator: rule and the facts that made it fire
  bool operator==(const Verdict&) const = default;
};

inline constexpr std::string_view kDefaultRule = "default";
inline constexpr std::string_view kGuardRule = "required signal unanswered";
inline constexpr std::string_view kVariationRule = "variation of a refused picture";

enum class SignalKind { list, classifier, service };

struct SignalDefinition {
  std::string name;
  SignalKind kind = SignalKind::list;
  std::vector<std::string> lists;  // patterns over list names; '*' stands for any characters
  std::string model;               // a folder in models/
  std::string service;             // the NAME of [services.NAME]
  bool required = false;
  int radius = 31;  // for near lists, 0..31
};

// What loading checks names against.
struct Vocabulary {
  std::map<std::string, std::vector<std::string>> model_labels;  // model -> its labels
  std::vector<std::string> lists;  // of configured lists, with "#tag" if they have one
  std::map<std::string, std::vector<std::string>> service_labels;  // service -> its labels
};

// A finding that does not stop loading: a configured list or service that no rule except accepting
// ones reaches, a pattern that fits no configured list, a signal that no rule looks at, a policy
// without signals. `where` is "source:line:column".
struct Lint {
  std::string where;
  std::string what;
};

class Policy {
 public:
  // Errors say "source:line:column: what is wrong and what to do". Unknown keys, signals and
  // labels, thresholds outside 0..1, rules that earlier ones make unreachable, and a required
  // signal without a rule for its absence are errors. Bounded: 1 MiB of text, 256 signals, 256
  // rules, 64 conditions in one rule, nested 8 deep.
  static Result<Policy> parse(std::string_view toml, std::string_view source,
                              const Vocabulary& vocabulary);

  Verdict decide(const Facts& facts) const;

  // Whether some rule holds or preserves.
  bool holds() const;
  bool preserves() const;
  const std::vector<SignalDefinition>& signals() const;
  const std::vector<Lint>& lints() const;
  // Names of the rules that look at this signal by name, in their order.
  std::vector<std::string> rules_about(std::string_view signal) const;
  // SHA-256 of the text it was parsed from.
  const Sha256& digest() const;

  struct Parsed;  // private to the room

 private:
  explicit Policy(std::shared_ptr<const Parsed> parsed);
  std::shared_ptr<const Parsed> parsed_;
};

// Whether `name` fits `pattern`, in which '*' stands for any run of characters, '/' included. The
// name of a list may have its tag behind it, "csam/x#tag": a pattern without '#' does not look at
// it, so that "*#tag" chooses by tag and "csam/*" by name.
bool fits(std::string_view pattern, std::string_view name);

}  // namespace portcullis::policy

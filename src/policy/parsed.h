// policy/parsed.h: a policy after reading. Private to the room.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "policy/condition.h"
#include "policy/policy.h"

namespace portcullis::policy {

// Who may bring a picture, as far as rules can tell.
struct Source {
  Origin origin = Origin::upload;
  UploaderClass uploader = UploaderClass::nobody;
};

struct Rule {
  std::string name;
  std::string where;  // "source:line:column"
  Condition when;
  std::array<bool, 3> origins{true, true, true};          // by Origin
  std::array<bool, 4> uploaders{true, true, true, true};  // by UploaderClass
  Outcome then = Outcome::refuse;
  std::string label;
  bool preserve = false, report = false, alert = false, ban_hash = false;

  bool covers(Source source) const {
    return origins[static_cast<std::size_t>(source.origin)] &&
           uploaders[static_cast<std::size_t>(source.uploader)];
  }
  bool lets_in() const { return then == Outcome::accept || then == Outcome::label; }
};

struct Policy::Parsed {
  std::vector<Known> known;
  std::vector<SignalDefinition> signals;  // the same, as the outside sees them
  std::vector<Rule> rules;
  Rule otherwise;  // the [default]
  std::vector<Lint> lints;
  Sha256 digest;
};

// Whether `rule` speaks of the absence of this required signal: `unanswered` outside any `not`.
bool names_absence(const Rule& rule, std::size_t signal);

// What makes a policy wrong although each line of it can be read.
Status check(const Policy::Parsed& policy);
// What is merely suspicious.
std::vector<Lint> lint(const Policy::Parsed& policy, const Vocabulary& vocabulary,
                       std::string_view source);

}  // namespace portcullis::policy

// policy/reader.h: from TOML to signals, rules and conditions. Private to the room.
#pragma once

#include "policy/fields.h"
#include "policy/parsed.h"

namespace portcullis::policy {

class Reader {
 public:
  Reader(std::string_view source, const Vocabulary& vocabulary)
      : source_(source), vocabulary_(vocabulary) {}

  // Everything but lints and digest. check() has passed.
  Result<Policy::Parsed> read(const toml::table& root);

 private:
  Status read_signal(const toml::table& table);
  Status read_list(Fields& fields, SignalDefinition& definition);
  Status read_classifier(Fields& fields, SignalDefinition& definition);
  Status read_service(Fields& fields, SignalDefinition& definition);
  Status read_rule(const toml::table& table);
  Status read_default(const toml::table& table);
  Status read_outcome(Fields& fields, Rule& rule);
  Status read_origins(Fields& fields, Rule& rule);
  Status read_uploaders(Fields& fields, Rule& rule);

  Result<Condition> read_condition(const toml::node& node, std::size_t depth);
  Result<Condition> read_match(Fields& fields);
  Result<Condition> read_unanswered(Fields& fields);
  Result<Condition> read_score(Fields& fields);
  Result<Condition> read_allow_listed(Fields& fields);
  Result<Condition> read_format(Fields& fields);
  Result<Condition> read_parts(Fields& fields, std::string_view key, Condition::Kind kind,
                               std::size_t depth);
  Result<Condition> read_negation(Fields& fields, std::size_t depth);
  Result<std::size_t> signal_named(const toml::node& node, std::string_view name) const;

  std::string_view source_;
  const Vocabulary& vocabulary_;
  Policy::Parsed parsed_;
  std::size_t conditions_ = 0;  // in the rule being read
};

}  // namespace portcullis::policy

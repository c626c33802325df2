#include <algorithm>

#include "policy/reader.h"

namespace portcullis::policy {

namespace {

constexpr std::size_t kMostSignals = 256;
constexpr std::size_t kMostRules = 256;
constexpr std::size_t kLongestName = 64;
constexpr std::int64_t kWidestRadius = 31;

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

// The tables of [[key]].
Result<std::vector<const toml::table*>> tables(Fields& fields, std::string_view key) {
  std::vector<const toml::table*> result;
  const toml::node* node = fields.take(key);
  if (!node) return result;
  const toml::array* array = node->as_array();
  if (!array) return fail_at(fields.source(), *node, "write [[{}]], with two brackets", key);
  for (const toml::node& element : *array) {
    if (!element.is_table())
      return fail_at(fields.source(), element, "each `{}` must be a table", key);
    result.push_back(element.as_table());
  }
  return result;
}

}  // namespace

Result<Policy::Parsed> Reader::read(const toml::table& root) {
  Fields fields(source_, root, "a policy");
  const auto signals = TRY(tables(fields, "signal"));
  const auto rules = TRY(tables(fields, "rule"));
  const toml::node* otherwise = fields.take("default");
  TRY(fields.finish());
  if (signals.size() > kMostSignals || rules.size() > kMostRules)
    return fail(Fault::limits, "{}:1:1: a policy may have {} signals and {} rules at most", source_,
                kMostSignals, kMostRules);
  if (!otherwise || !otherwise->is_table())
    return fail(Fault::us,
                "{}:1:1: say what happens when no rule fires: [default] with then = \"accept\", "
                "\"hold\" or \"refuse\"",
                source_);
  for (const toml::table* table : signals) TRY(read_signal(*table));
  for (const toml::table* table : rules) TRY(read_rule(*table));
  TRY(read_default(*otherwise->as_table()));
  for (const Known& known : parsed_.known) parsed_.signals.push_back(known.definition);
  TRY(check(parsed_));
  return std::move(parsed_);
}

Status Reader::read_signal(const toml::table& table) {
  Fields fields(source_, table, "a signal");
  SignalDefinition definition;
  definition.name = TRY(fields.text("name"));
  const toml::node& name = *fields.take("name");
  if (!is_plain_name(definition.name))
    return fail_at(source_, name,
                   "a signal's name is made of letters, digits, '-' and '_', {} at most",
                   kLongestName);
  if (definition.name == "required")
    return fail_at(source_, name, "no signal can be called \"required\": rules use that word");
  for (const Known& known : parsed_.known)
    if (known.definition.name == definition.name)
      return fail_at(source_, name, "there is a signal \"{}\" already", definition.name);

  definition.required = TRY(fields.flag("required"));
  const std::string kind = TRY(fields.text("kind"));
  if (kind == "list") {
    TRY(read_list(fields, definition));
  } else if (kind == "classifier") {
    TRY(read_classifier(fields, definition));
  } else if (kind == "service") {
    TRY(read_service(fields, definition));
  } else {
    return fail_at(source_, *fields.take("kind"),
                   "`kind` must be \"list\", \"classifier\" or \"service\"");
  }
  TRY(fields.finish());
  parsed_.known.push_back({std::move(definition), {}, place(source_, table.source())});
  return {};
}

Status Reader::read_list(Fields& fields, SignalDefinition& definition) {
  definition.kind = SignalKind::list;
  definition.lists = TRY(fields.texts("lists"));
  const toml::node* radius = fields.take("radius");
  if (!radius) return {};
  const auto* number = radius->as_integer();
  if (!number || number->get() < 0 || number->get() > kWidestRadius)
    return fail_at(source_, *radius, "`radius` must be a whole number from 0 to {}", kWidestRadius);
  definition.radius = static_cast<int>(number->get());
  return {};
}

Status Reader::read_classifier(Fields& fields, SignalDefinition& definition) {
  definition.kind = SignalKind::classifier;
  definition.model = TRY(fields.text("model"));
  if (vocabulary_.model_labels.contains(definition.model)) return {};
  std::vector<std::string_view> names;
  names.reserve(vocabulary_.model_labels.size());
  for (const auto& [name, labels] : vocabulary_.model_labels) names.push_back(name);
  return fail_at(source_, *fields.take("model"),
                 "there is no model \"{}\" with a readable model.toml in the models folder; there "
                 "are: {}",
                 definition.model,
                 names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
}

Status Reader::read_service(Fields& fields, SignalDefinition& definition) {
  definition.kind = SignalKind::service;
  definition.service = TRY(fields.text("service"));
  if (vocabulary_.service_labels.contains(definition.service)) return {};
  return fail_at(source_, *fields.take("service"),
                 "there is no service \"{0}\"; add a table [services.{0}] to portcullis.toml",
                 definition.service);
}

Status Reader::read_rule(const toml::table& table) {
  Fields fields(source_, table, "a rule");
  Rule rule;
  rule.where = place(source_, table.source());
  rule.name = TRY(fields.text("name"));
  const toml::node& name = *fields.take("name");
  if (rule.name.size() > kLongestName)
    return fail_at(source_, name, "a rule's name has {} bytes at most", kLongestName);
  if (rule.name == kDefaultRule || rule.name == kGuardRule || rule.name == kVariationRule)
    return fail_at(source_, name, "no rule can be called \"{}\": verdicts use that name",
                   rule.name);
  for (const Rule& earlier : parsed_.rules)
    if (earlier.name == rule.name)
      return fail_at(source_, name, "there is a rule \"{}\" already", rule.name);

  conditions_ = 0;
  rule.when = TRY(read_condition(*TRY(fields.need("when")), 1));
  TRY(read_outcome(fields, rule));
  TRY(read_origins(fields, rule));
  TRY(read_uploaders(fields, rule));
  rule.preserve = TRY(fields.flag("preserve"));
  rule.report = TRY(fields.flag("report"));
  rule.alert = TRY(fields.flag("alert"));
  rule.ban_hash = TRY(fields.flag("ban_hash"));
  if (rule.ban_hash && rule.lets_in())
    return fail_at(source_, *fields.take("ban_hash"), "a picture that is let in cannot be banned");
  TRY(fields.finish());
  parsed_.rules.push_back(std::move(rule));
  return {};
}

Status Reader::read_default(const toml::table& table) {
  Fields fields(source_, table, "[default]");
  parsed_.otherwise.name = kDefaultRule;
  parsed_.otherwise.where = place(source_, table.source());
  TRY(read_outcome(fields, parsed_.otherwise));
  return fields.finish();
}

Status Reader::read_outcome(Fields& fields, Rule& rule) {
  const std::string then = TRY(fields.text("then"));
  const auto outcome = outcome_from(then);
  if (!outcome)
    return fail_at(source_, *fields.take("then"),
                   "`then` must be \"accept\", \"label\", \"hold\" or \"refuse\"");
  rule.then = *outcome;
  if (rule.then == Outcome::label) {
    rule.label = TRY(fields.text("label"));
    if (!is_plain_name(rule.label))
      return fail_at(source_, *fields.take("label"),
                     "a label is made of letters, digits, '-' and '_', {} at most", kLongestName);
  } else if (const toml::node* label = fields.take("label")) {
    return fail_at(source_, *label, "`label` goes with then = \"label\" only");
  }
  return {};
}

Status Reader::read_origins(Fields& fields, Rule& rule) {
  if (!fields.take("origin")) return {};
  rule.origins.fill(false);
  for (const std::string& text : TRY(fields.texts("origin"))) {
    const auto origin = origin_from(text);
    if (!origin)
      return fail_at(source_, *fields.take("origin"),
                     "there is no origin \"{}\"; there are: upload, remote, import", text);
    rule.origins[static_cast<std::size_t>(*origin)] = true;
  }
  return {};
}

Status Reader::read_uploaders(Fields& fields, Rule& rule) {
  if (!fields.take("uploader")) return {};
  rule.uploaders.fill(false);
  for (const std::string& text : TRY(fields.texts("uploader"))) {
    const auto uploader = uploader_class_from(text);
    if (!uploader)
      return fail_at(source_, *fields.take("uploader"),
                     "there is no class of uploaders \"{}\"; there are: nobody, unidentified, "
                     "member, trusted",
                     text);
    rule.uploaders[static_cast<std::size_t>(*uploader)] = true;
  }
  return {};
}

}  // namespace portcullis::policy

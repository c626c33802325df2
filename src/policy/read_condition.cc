#include <algorithm>
#include <array>

#include "policy/reader.h"

namespace portcullis::policy {

namespace {

constexpr std::size_t kDeepest = 8;
constexpr std::size_t kMostConditions = 64;
constexpr std::array<std::string_view, 8> kKinds{"match",  "unanswered", "score", "allow_listed",
                                                 "format", "all",        "any",   "not"};
// As decoder::name() writes them.
// As decoder::name() writes them into the facts.
constexpr std::array<std::string_view, 9> kFormats{"jpeg", "png",  "webp", "gif", "avif",
                                                   "jxl",  "apng", "mp4",  "webm"};

}  // namespace

Result<std::size_t> Reader::signal_named(const toml::node& node, std::string_view name) const {
  for (std::size_t i = 0; i < parsed_.known.size(); ++i)
    if (parsed_.known[i].definition.name == name) return i;
  return fail_at(source_, node, "there is no signal \"{}\"; add a [[signal]] of that name", name);
}

Result<Condition> Reader::read_condition(const toml::node& node, std::size_t depth) {
  const toml::table* table = node.as_table();
  if (!table)
    return fail_at(source_, node, "a condition must be a table, such as {{ match = \"signal\" }}");
  if (depth > kDeepest)
    return fail_at(source_, node, "conditions may be nested {} deep at most", kDeepest);
  if (++conditions_ > kMostConditions)
    return fail_at(source_, node, "a rule may hold {} conditions at most", kMostConditions);

  std::vector<std::string_view> kinds;
  for (std::string_view kind : kKinds)
    if (table->contains(kind)) kinds.push_back(kind);
  if (kinds.empty())
    return fail_at(source_, node, "a condition needs one of: {}", fmt::join(kKinds, ", "));
  if (kinds.size() > 1)
    return fail_at(source_, node, "{} cannot stand in one condition; write {{ all = [...] }}",
                   fmt::join(kinds, " and "));

  const std::string_view kind = kinds.front();
  const std::string what = fmt::format("a `{}` condition", kind);
  Fields fields(source_, *table, what);
  Result<Condition> condition = [&]() -> Result<Condition> {
    if (kind == "match") return read_match(fields);
    if (kind == "unanswered") return read_unanswered(fields);
    if (kind == "score") return read_score(fields);
    if (kind == "allow_listed") return read_allow_listed(fields);
    if (kind == "format") return read_format(fields);
    if (kind == "all") return read_parts(fields, kind, Condition::Kind::all, depth);
    if (kind == "any") return read_parts(fields, kind, Condition::Kind::any, depth);
    return read_negation(fields, depth);
  }();
  if (condition) TRY(fields.finish());
  return condition;
}

Result<Condition> Reader::read_match(Fields& fields) {
  const std::string name = TRY(fields.text("match"));
  const toml::node& node = *fields.take("match");
  Condition condition{.kind = Condition::Kind::match};
  condition.signal = TRY(signal_named(node, name));
  if (parsed_.known[condition.signal].definition.kind == SignalKind::classifier)
    return fail_at(source_, node,
                   "\"{}\" is a classifier and gives scores; write {{ score = \"{}.LABEL\", "
                   "at_least = 0.8 }}",
                   name, name);
  return condition;
}

Result<Condition> Reader::read_unanswered(Fields& fields) {
  const std::string name = TRY(fields.text("unanswered"));
  const toml::node& node = *fields.take("unanswered");
  Condition condition{.kind = Condition::Kind::unanswered, .signal = Condition::kRequired};
  if (name != "required")
    condition.signal = TRY(signal_named(node, name));
  else if (std::ranges::none_of(parsed_.known,
                                [](const Known& known) { return known.definition.required; }))
    return fail_at(source_, node, "no signal is required, so this can never fire");
  return condition;
}

Result<Condition> Reader::read_score(Fields& fields) {
  const std::string text = TRY(fields.text("score"));
  const toml::node& node = *fields.take("score");
  const std::size_t dot = text.find('.');
  if (dot == std::string::npos)
    return fail_at(source_, node, "`score` names signal and label, such as \"nsfw.nsfw\"");
  Condition condition{.kind = Condition::Kind::score};
  condition.signal = TRY(signal_named(node, std::string_view(text).substr(0, dot)));
  condition.label = text.substr(dot + 1);
  Known& known = parsed_.known[condition.signal];
  if (known.definition.kind == SignalKind::list)
    return fail_at(source_, node, "\"{}\" is a list and has no scores; write {{ match = \"{}\" }}",
                   known.definition.name, known.definition.name);
  const bool is_service = known.definition.kind == SignalKind::service;
  const std::vector<std::string>& labels =
      is_service ? vocabulary_.service_labels.at(known.definition.service)
                 : vocabulary_.model_labels.at(known.definition.model);
  if (is_service && labels.empty())
    return fail_at(source_, node,
                   "service {} has no labels, so no scores; write {{ match = \"{}\" }}",
                   known.definition.service, known.definition.name);
  if (std::ranges::find(labels, condition.label) == labels.end())
    return fail_at(source_, node, "{} {} has no label \"{}\"; it has: {}",
                   is_service ? "service" : "model",
                   is_service ? known.definition.service : known.definition.model, condition.label,
                   fmt::join(labels, ", "));
  if (std::ranges::find(known.labels, condition.label) == known.labels.end())
    known.labels.push_back(condition.label);

  if (!fields.has("at_least") && !fields.has("below"))
    return fail_at(source_, fields.table(), "`score` needs `at_least` or `below`");
  for (const auto& [key, bound] :
       {std::pair<std::string_view, double*>{"at_least", &condition.at_least},
        {"below", &condition.below}}) {
    const toml::node* given = fields.take(key);
    if (!given) continue;
    *bound = TRY(fields.number(key));
    if (!(*bound >= 0.0 && *bound <= 1.0))
      return fail_at(source_, *given, "`{}` must lie between 0 and 1", key);
  }
  if (condition.below <= 0.0 || condition.at_least >= condition.below)
    return fail_at(source_, fields.table(), "no score can lie in these bounds");
  return condition;
}

Result<Condition> Reader::read_allow_listed(Fields& fields) {
  if (!TRY(fields.flag("allow_listed")))
    return fail_at(source_, *fields.take("allow_listed"),
                   "write {{ not = {{ allow_listed = true }} }}");
  return Condition{.kind = Condition::Kind::allow_listed};
}

Result<Condition> Reader::read_format(Fields& fields) {
  Condition condition{.kind = Condition::Kind::format};
  condition.formats = TRY(fields.texts("format"));
  for (const std::string& format : condition.formats)
    if (std::ranges::find(kFormats, format) == kFormats.end())
      return fail_at(source_, *fields.take("format"), "there is no format \"{}\"; there are: {}",
                     format, fmt::join(kFormats, ", "));
  return condition;
}

Result<Condition> Reader::read_parts(Fields& fields, std::string_view key, Condition::Kind kind,
                                     std::size_t depth) {
  const toml::node* node = TRY(fields.need(key));
  const toml::array* array = node->as_array();
  if (!array || array->empty())
    return fail_at(source_, *node, "`{}` must be a list of conditions that is not empty", key);
  Condition condition{.kind = kind};
  for (const toml::node& part : *array)
    condition.parts.push_back(TRY(read_condition(part, depth + 1)));
  return condition;
}

Result<Condition> Reader::read_negation(Fields& fields, std::size_t depth) {
  Condition condition{.kind = Condition::Kind::negation};
  condition.parts.push_back(TRY(read_condition(*TRY(fields.need("not")), depth + 1)));
  return condition;
}

}  // namespace portcullis::policy

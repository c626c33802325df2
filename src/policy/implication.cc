#include <algorithm>

#include "policy/condition.h"

namespace portcullis::policy {

namespace {

using Kind = Condition::Kind;

bool is_leaf(const Condition& condition) { return condition.parts.empty(); }

bool leaf_never_truer(const Condition& a, const Condition& b, const std::vector<Known>& signals) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::match:
      return a.signal == b.signal;
    case Kind::unanswered:
      return a.signal == b.signal ||
             (b.signal == Condition::kRequired && a.signal < signals.size() &&
              signals[a.signal].definition.required);
    case Kind::score:
      return a.signal == b.signal && a.label == b.label && a.at_least >= b.at_least &&
             a.below <= b.below;
    case Kind::allow_listed:
      return true;
    case Kind::format:
      return std::ranges::all_of(a.formats, [&](const std::string& format) {
        return std::ranges::find(b.formats, format) != b.formats.end();
      });
    case Kind::all:
    case Kind::any:
    case Kind::negation:
      break;
  }
  return false;
}

}  // namespace

bool never_truer(const Condition& a, const Condition& b, const std::vector<Known>& signals,
                 std::size_t& budget) {
  if (budget == 0) return false;
  --budget;
  const auto below = [&](const Condition& x, const Condition& y) {
    return never_truer(x, y, signals, budget);
  };
  // These two splits lose nothing, so they come before the ones that choose a part.
  if (a.kind == Kind::any)
    return std::ranges::all_of(a.parts, [&](const Condition& part) { return below(part, b); });
  if (b.kind == Kind::all)
    return std::ranges::all_of(b.parts, [&](const Condition& part) { return below(a, part); });
  if (is_leaf(a) && is_leaf(b)) return leaf_never_truer(a, b, signals);
  if (a.kind == Kind::negation && b.kind == Kind::negation &&
      below(b.parts.front(), a.parts.front()))
    return true;
  if (a.kind == Kind::all &&
      std::ranges::any_of(a.parts, [&](const Condition& part) { return below(part, b); }))
    return true;
  return b.kind == Kind::any &&
         std::ranges::any_of(b.parts, [&](const Condition& part) { return below(a, part); });
}

}  // namespace portcullis::policy

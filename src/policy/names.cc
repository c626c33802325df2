#include <array>

#include "policy/policy.h"

namespace portcullis::policy {

namespace {

constexpr std::array<std::string_view, 3> kOrigins{"upload", "remote", "import"};
constexpr std::array<std::string_view, 4> kUploaders{"nobody", "unidentified", "member", "trusted"};
constexpr std::array<std::string_view, 4> kAnswers{"match", "no_match", "unanswered", "not_asked"};
constexpr std::array<std::string_view, 4> kOutcomes{"accept", "label", "hold", "refuse"};

template <class T, std::size_t Count>
std::optional<T> find(const std::array<std::string_view, Count>& names, std::string_view name) {
  for (std::size_t i = 0; i < Count; ++i)
    if (names[i] == name) return static_cast<T>(i);
  return std::nullopt;
}

}  // namespace

std::string_view name(Origin origin) { return kOrigins.at(static_cast<std::size_t>(origin)); }
std::string_view name(UploaderClass uploader) {
  return kUploaders.at(static_cast<std::size_t>(uploader));
}
std::string_view name(Answer answer) { return kAnswers.at(static_cast<std::size_t>(answer)); }
std::string_view name(Outcome outcome) { return kOutcomes.at(static_cast<std::size_t>(outcome)); }

std::optional<Origin> origin_from(std::string_view name) { return find<Origin>(kOrigins, name); }
std::optional<UploaderClass> uploader_class_from(std::string_view name) {
  return find<UploaderClass>(kUploaders, name);
}
std::optional<Answer> answer_from(std::string_view name) { return find<Answer>(kAnswers, name); }
std::optional<Outcome> outcome_from(std::string_view name) {
  return find<Outcome>(kOutcomes, name);
}

// Greedy with one place to go back to, so linear times the number of stars at most.
bool fits(std::string_view pattern, std::string_view name) {
  if (!pattern.contains('#')) name = name.substr(0, name.find('#'));
  std::size_t p = 0, n = 0;
  std::size_t star = std::string_view::npos, mark = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace portcullis::policy

#include "policy/fields.h"

#include <algorithm>

namespace portcullis::policy {

std::string place(std::string_view source, const toml::source_region& region) {
  return fmt::format("{}:{}:{}", source, region.begin.line, region.begin.column);
}

const toml::node* Fields::take(std::string_view key) {
  if (std::ranges::find(taken_, key) == taken_.end()) taken_.emplace_back(key);
  return table_.get(key);
}

Result<const toml::node*> Fields::need(std::string_view key) {
  const toml::node* node = take(key);
  if (!node) return fail_at(source_, table_, "{} needs `{}`", what_, key);
  return node;
}

Result<std::string> Fields::text(std::string_view key) {
  const toml::node* node = TRY(need(key));
  const auto* text = node->as_string();
  if (!text || text->get().empty())
    return fail_at(source_, *node, "`{}` must be a text that is not empty", key);
  return text->get();
}

Result<bool> Fields::flag(std::string_view key) {
  const toml::node* node = take(key);
  if (!node) return false;
  const auto* flag = node->as_boolean();
  if (!flag) return fail_at(source_, *node, "`{}` must be true or false", key);
  return flag->get();
}

Result<double> Fields::number(std::string_view key) {
  const toml::node* node = TRY(need(key));
  if (const auto* whole = node->as_integer()) return static_cast<double>(whole->get());
  if (const auto* number = node->as_floating_point()) return number->get();
  return fail_at(source_, *node, "`{}` must be a number", key);
}

Result<std::vector<std::string>> Fields::texts(std::string_view key) {
  const toml::node* node = TRY(need(key));
  const toml::array* array = node->as_array();
  if (!array || array->empty())
    return fail_at(source_, *node, "`{}` must be a list of texts, such as [\"a\", \"b\"]", key);
  std::vector<std::string> texts;
  for (const toml::node& element : *array) {
    const auto* text = element.as_string();
    if (!text || text->get().empty())
      return fail_at(source_, element, "`{}` may hold only texts that are not empty", key);
    if (std::ranges::find(texts, text->get()) != texts.end())
      return fail_at(source_, element, "\"{}\" stands twice in `{}`", text->get(), key);
    texts.push_back(text->get());
  }
  return texts;
}

Status Fields::finish() const {
  for (const auto& [key, node] : table_) {
    if (std::ranges::find(taken_, key.str()) != taken_.end()) continue;
    return fail(Fault::us, "{}: {} has no `{}`; it may have: {}", place(source_, key.source()),
                what_, key.str(), fmt::join(taken_, ", "));
  }
  return {};
}

}  // namespace portcullis::policy

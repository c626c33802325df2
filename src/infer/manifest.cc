#include <algorithm>
#include <string_view>

#include <toml++/toml.h>

#include <cmath>

#include "base/fd.h"
#include "infer/infer.h"
#include "infer/parse_manifest.h"

namespace portcullis::infer {

namespace {

constexpr std::uint64_t kLongestManifest = 64 * 1024;
constexpr std::int64_t kLargestSide = 1024;

// Reads one table and remembers which keys were asked for, so that others are errors.
class Table {
 public:
  Table(const toml::table& table, std::string source, std::string path)
      : table_(table), source_(std::move(source)), path_(std::move(path)) {}

  template <class... Args>
  std::unexpected<Error> fail_at(const toml::node& node, fmt::format_string<Args...> text,
                                 Args&&... args) const {
    return fail(Fault::us, "{}:{}:{}: {}", source_, node.source().begin.line,
                node.source().begin.column, fmt::format(text, std::forward<Args>(args)...));
  }

  Result<const toml::node*> need(std::string_view key) {
    known_.push_back(key);
    const toml::node* node = table_.get(key);
    if (!node) return fail_at(table_, "`{}{}` is missing", path_, key);
    return node;
  }

  Result<std::string> text(std::string_view key) {
    const toml::node* node = TRY(need(key));
    const auto value = node->value_exact<std::string>();
    if (!value || value->empty())
      return fail_at(*node, "`{}{}` must be a text in quotes", path_, key);
    return *value;
  }

  Result<std::uint16_t> side(std::string_view key) {
    const toml::node* node = TRY(need(key));
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < 1 || *value > kLargestSide)
      return fail_at(*node, "`{}{}` must be a number from 1 to {}", path_, key, kLargestSide);
    return static_cast<std::uint16_t>(*value);
  }

  Result<std::array<float, 3>> triple(std::string_view key) {
    const toml::node* node = TRY(need(key));
    const toml::array* array = node->as_array();
    std::array<float, 3> result{};
    if (!array || array->size() != 3)
      return fail_at(*node, "`{}{}` must be three numbers, [a, b, c]", path_, key);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto value = array->get(i)->value<double>();
      if (!value || !(std::abs(*value) < 1e6))
        return fail_at(*array->get(i), "`{}{}` must hold numbers", path_, key);
      result[i] = static_cast<float>(*value);
    }
    return result;
  }

  Result<std::vector<std::string>> texts(std::string_view key) {
    const toml::node* node = TRY(need(key));
    const toml::array* array = node->as_array();
    if (!array || array->empty())
      return fail_at(*node, "`{}{}` must be a list of texts", path_, key);
    std::vector<std::string> result;
    for (const toml::node& one : *array) {
      const auto value = one.value_exact<std::string>();
      if (!value || value->empty())
        return fail_at(one, "`{}{}` must hold texts in quotes", path_, key);
      if (std::ranges::find(result, *value) != result.end())
        return fail_at(one, "`{}{}` names \"{}\" twice", path_, key, *value);
      result.push_back(*value);
    }
    return result;
  }

  // One of `choices`, by its name.
  template <class T>
  Result<T> choice(std::string_view key,
                   std::initializer_list<std::pair<std::string_view, T>> choices) {
    const toml::node* node = TRY(need(key));
    const auto value = node->value_exact<std::string>();
    std::string names;
    for (const auto& [name, result] : choices) {
      if (value && *value == name) return result;
      names += fmt::format("{}\"{}\"", names.empty() ? "" : " or ", name);
    }
    return fail_at(*node, "`{}{}` must be {}", path_, key, names);
  }

  Result<Table> table(std::string_view key) {
    const toml::node* node = TRY(need(key));
    if (!node->as_table()) return fail_at(*node, "`{}{}` must be a table", path_, key);
    return Table(*node->as_table(), source_, path_ + std::string(key) + ".");
  }

  Status nothing_else() const {
    for (const auto& [key, node] : table_)
      if (std::ranges::find(known_, key.str()) == known_.end())
        return fail_at(node, "`{}{}` is not known here", path_, key.str());
    return {};
  }

 private:
  const toml::table& table_;
  std::string source_, path_;
  std::vector<std::string_view> known_;
};

Status read_input(Table table, Manifest& manifest) {
  manifest.layout =
      TRY(table.choice<Layout>("layout", {{"NHWC", Layout::nhwc}, {"NCHW", Layout::nchw}}));
  manifest.colour =
      TRY(table.choice<Colour>("colour", {{"RGB", Colour::rgb}, {"BGR", Colour::bgr}}));
  manifest.width = TRY(table.side("width"));
  manifest.height = TRY(table.side("height"));
  manifest.mean = TRY(table.triple("mean"));
  manifest.scale = TRY(table.triple("scale"));
  Table resize = TRY(table.table("resize"));
  manifest.resize_width = TRY(resize.side("width"));
  manifest.resize_height = TRY(resize.side("height"));
  if (manifest.resize_width < manifest.width || manifest.resize_height < manifest.height)
    return resize.fail_at(
        *TRY(resize.need("width")),
        "the middle of `input.resize` cannot be cut out: it is smaller than the input");
  TRY(resize.nothing_else());
  return table.nothing_else();
}

Status read_output(Table table, Manifest& manifest) {
  manifest.labels = TRY(table.texts("labels"));
  manifest.sensitive = TRY(table.texts("sensitive"));
  for (const std::string& label : manifest.sensitive)
    if (std::ranges::find(manifest.labels, label) == manifest.labels.end())
      return table.fail_at(*TRY(table.need("sensitive")),
                           "`output.sensitive` names \"{}\", which is no label", label);
  return table.nothing_else();
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text, const std::string& source) {
  toml::table parsed;
  try {
    parsed = toml::parse(text, source);
  } catch (const toml::parse_error& error) {
    return fail(Fault::us, "{}:{}:{}: {}", source, error.source().begin.line,
                error.source().begin.column, error.description());
  }
  Table root(parsed, source, "");
  Manifest manifest;
  manifest.name = TRY(root.text("name"));
  manifest.source = TRY(root.text("source"));
  manifest.licence = TRY(root.text("licence"));
  manifest.provenance = TRY(root.text("provenance"));
  manifest.file = TRY(root.text("file"));
  if (manifest.file.find('/') != std::string::npos || manifest.file.starts_with('.'))
    return root.fail_at(*TRY(root.need("file")), "`file` must be a name in the model's own folder");
  const auto digest = Sha256::from(TRY(root.text("sha256")));
  if (!digest)
    return root.fail_at(*TRY(root.need("sha256")), "`sha256` must be 64 hexadecimal digits");
  manifest.sha256 = *digest;
  TRY(read_input(TRY(root.table("input")), manifest));
  TRY(read_output(TRY(root.table("output")), manifest));
  Table run = TRY(root.table("run"));
  manifest.precision =
      TRY(run.choice<Precision>("precision", {{"f32", Precision::f32}, {"bf16", Precision::bf16}}));
  TRY(run.nothing_else());
  TRY(root.nothing_else());
  return manifest;
}

Result<Manifest> load_manifest(const std::filesystem::path& folder) {
  const std::string path = (folder / "model.toml").string();
  const Bytes text = TRY(read_file(path, kLongestManifest));
  return parse_manifest(as_text(text), path);
}

}  // namespace portcullis::infer

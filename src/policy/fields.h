// policy/fields.h: reading TOML tables strictly, with the place in every error. Private to the
// room.
#pragma once

#include <toml++/toml.h>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portcullis::policy {

// "source:line:column"
std::string place(std::string_view source, const toml::source_region& region);

template <class... Args>
std::unexpected<Error> fail_at(std::string_view source, const toml::node& node,
                               fmt::format_string<Args...> text, Args&&... args) {
  return fail(Fault::us, "{}: {}", place(source, node.source()),
              fmt::format(text, std::forward<Args>(args)...));
}

// One table. Each key is taken at most once; finish() fails on those that were not. Refers to its
// arguments.
class Fields {
 public:
  Fields(std::string_view source, const toml::table& table, std::string_view what)
      : source_(source), table_(table), what_(what) {}

  bool has(std::string_view key) const { return table_.contains(key); }
  const toml::node* take(std::string_view key);
  Result<const toml::node*> need(std::string_view key);

  Result<std::string> text(std::string_view key);                // must be there and not empty
  Result<bool> flag(std::string_view key);                       // absent: false
  Result<double> number(std::string_view key);                   // must be there; whole or not
  Result<std::vector<std::string>> texts(std::string_view key);  // must be there and not empty

  Status finish() const;

  std::string_view source() const { return source_; }
  const toml::table& table() const { return table_; }

 private:
  std::string_view source_;
  const toml::table& table_;
  std::string_view what_;
  std::vector<std::string> taken_;
};

}  // namespace portcullis::policy

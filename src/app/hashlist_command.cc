#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>

#include "app/commands.h"
#include "app/places.h"
#include "app/ruleset.h"
#include "store/store.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kLongestList = 2ull * 1024 * 1024 * 1024;

struct Opened {
  config::Config config;
  DataFolder data;
  std::unique_ptr<store::Store> store;
};

Result<Opened> open(const std::string& config_file, const Clock& clock) {
  config::Config config = TRY(load_config(TRY(find_config(config_file))));
  DataFolder data = TRY(open_data_folder(config));
  auto store = TRY(store::open_sqlite({.file = data.database()}, clock));
  return Opened{std::move(config), std::move(data), std::move(store)};
}

bool is_list_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == '/';
  };
  return !name.empty() && name.size() <= 100 && std::ranges::all_of(name, good) &&
         name.front() != '/' && name.back() != '/' && name.find("//") == std::string_view::npos;
}

std::string file_name(const std::string& list, const Sha256& version) {
  std::string name = list;
  std::ranges::replace(name, '/', '+');  // '+' is in no list's name
  return name + "-" + version.hex().substr(0, 16) + ".list";
}

std::optional<store::HashListRow> find(const std::vector<store::HashListRow>& rows,
                                       const std::string& name) {
  const auto found = std::ranges::find(rows, name, &store::HashListRow::name);
  return found == rows.end() ? std::nullopt : std::optional(*found);
}

// Says so when no rule of the policy would ever act on this list.
void warn_if_unused(const config::Config& config, const std::vector<store::HashListRow>& rows,
                    const std::string& name) {
  const auto text = read_file(config.policy.string(), 1024 * 1024);
  if (!text) return;
  const auto parsed = policy::Policy::parse(as_text(*text), config.policy.string(),
                                            vocabulary(config, rows));
  if (!parsed) {
    std::fprintf(stderr,
                 "Warning: the policy has an error, so the running gate keeps its old one: %s\n",
                 parsed.error().what.c_str());
    return;
  }
  for (const policy::Lint& lint : parsed->lints())
    if (lint.what.find(name) != std::string::npos)
      std::fprintf(stderr, "Warning: %s: %s\n", lint.where.c_str(), lint.what.c_str());
}

}  // namespace

Result<int> hashlist_add_command(const ListOptions& options) {
  static const SystemClock clock;
  if (!is_list_name(options.name))
    return fail(
        Fault::client,
        "\"{}\" is no list name: use letters, digits, '.', '_', '-' and '/', e.g. csam/ncmec",
        options.name);
  std::optional<hash::Kind> kind;
  if (!options.kind.empty()) {
    kind = hash::kind_from(options.kind);
    if (!kind)
      return fail(Fault::client, "there is no kind \"{}\": use sha256, sha1, md5 or pdq",
                  options.kind);
  }
  Opened opened = TRY(open(options.config, clock));
  const Bytes text = TRY(read_file(options.file, kLongestList));
  const hash::ListEntries entries = TRY(hash::parse_list(as_text(text), kind, options.file));
  if (entries.size() == 0)
    return fail(Fault::client,
                "{} holds no digest, so nothing was changed; `portcullis hashlist remove {}` "
                "removes a list",
                options.file, options.name);

  const Bytes flat = hash::serialise(entries);
  const std::filesystem::path fresh =
      opened.data.lists() / (".checking-" + std::to_string(::getpid()));
  TRY(write_durably(fresh, flat));
  const auto written = hash::HashList::open(fresh.string());
  std::filesystem::remove(fresh);
  if (!written) return std::unexpected(written.error());
  const std::string file = file_name(options.name, written->version());
  TRY(write_durably(opened.data.lists() / file, flat));

  const auto before = find(TRY(opened.store->lists()), options.name);
  TRY(opened.store->put_list({options.name, file, written->version().hex(), entries.size(),
                              std::filesystem::absolute(options.file).string(), clock.now()}));
  if (before && before->file != file) {
    std::error_code error;
    std::filesystem::remove(opened.data.lists() / before->file, error);
  }
  std::printf("%s: %zu entries%s. A running gate uses it within a second.\n", options.name.c_str(),
              entries.size(), before ? fmt::format(" (was {})", before->count).c_str() : "");
  warn_if_unused(opened.config, TRY(opened.store->lists()), options.name);
  return 0;
}

Result<int> hashlist_list_command(const ListOptions& options) {
  static const SystemClock clock;
  Opened opened = TRY(open(options.config, clock));
  const auto rows = TRY(opened.store->lists());
  if (options.json) {
    json::array array;
    for (const auto& row : rows)
      array.push_back(json::object{{"name", row.name},
                                   {"entries", row.count},
                                   {"version", row.version},
                                   {"source", row.source},
                                   {"added", rfc3339(row.added)}});
    std::printf("%s\n", json::serialize(array).c_str());
    return 0;
  }
  std::vector<std::vector<std::string>> lines{{"NAME", "ENTRIES", "ADDED", "SOURCE"}};
  for (const auto& row : rows)
    lines.push_back(
        {row.name, std::to_string(row.count), rfc3339(row.added).substr(0, 19) + "Z", row.source});
  std::fputs(rows.empty() ? "There are no lists.\n" : table(lines).c_str(), stdout);
  return 0;
}

Result<int> hashlist_remove_command(const ListOptions& options) {
  static const SystemClock clock;
  Opened opened = TRY(open(options.config, clock));
  const auto before = find(TRY(opened.store->lists()), options.name);
  if (!before || !TRY(opened.store->remove_list(options.name)))
    return fail(Fault::client,
                "there is no list \"{}\"; `portcullis hashlist list` shows which there are",
                options.name);
  std::error_code error;
  std::filesystem::remove(opened.data.lists() / before->file, error);
  std::printf("%s: removed. A running gate forgets it within a second.\n", options.name.c_str());
  return 0;
}

}  // namespace portcullis::app

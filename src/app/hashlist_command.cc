#include <boost/json.hpp>
#include <cstdio>

#include "app/commands.h"
#include "app/hashlist.h"
#include "app/list_credentials.h"
#include "app/list_install.h"
#include "app/list_source.h"
#include "base/log.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

bool is_word(std::string_view text, std::string_view also) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           also.contains(c);
  });
}

Status check_name(std::string_view name) {
  if (!is_word(name, "._-/") || name.size() > 100 || name.front() == '/' || name.back() == '/' ||
      name.contains("//"))
    return fail(
        Fault::client,
        "\"{}\" is no list name: use letters, digits, '.', '_', '-' and '/', e.g. csam/ncmec",
        name);
  if (name == kBanned)
    return fail(Fault::client,
                "the list \"{}\" holds this site's own bans: use `portcullis ban`, or another name",
                kBanned);
  return {};
}

json::object counted(const hash::ParsedList& parsed) {
  return {
      {"withdrawn", parsed.withdrawn}, {"foreign", parsed.foreign}, {"damaged", parsed.damaged}};
}

// What was left out of a list, in words.
std::string left_out(const hash::ParsedList& parsed) {
  std::string text;
  if (parsed.withdrawn > 0) text += fmt::format(", {} withdrawn", parsed.withdrawn);
  if (parsed.foreign > 0)
    text += fmt::format(", {} of kinds that are not looked for", parsed.foreign);
  if (parsed.damaged > 0)
    text += fmt::format(", {} damaged ({})", parsed.damaged, parsed.first_damaged);
  return text;
}

Result<ReadList> read(const store::HashListRow& row, const DataFolder& data) {
  ReadList list = TRY(read_list(
      {.where = row.source, .credentials = row.credentials, .format = row.format, .kind = row.kind},
      row.name, data));
  if (list.parsed.entries.size() == 0)
    return fail(Fault::client,
                "{} holds no digest{}, so nothing was changed; `portcullis hashlist remove {}` "
                "removes a list",
                shown_source(row.source), left_out(list.parsed), row.name);
  return list;
}

// For the audit chain.
std::string about(const store::HashListRow& row) {
  return json::serialize(json::object{{"version", row.version},
                                      {"entries", row.count},
                                      {"radius", row.radius},
                                      {"min_quality", row.min_quality},
                                      {"observe", row.observe},
                                      {"tag", row.tag}});
}

std::string age_text(std::chrono::seconds age) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(age).count();
  if (hours >= 48) return fmt::format("{} d", hours / 24);
  if (hours >= 1) return fmt::format("{} h", hours);
  return fmt::format("{} min", std::chrono::duration_cast<std::chrono::minutes>(age).count());
}

std::chrono::seconds age_of(const store::HashListRow& row, WallTime now) {
  return std::chrono::duration_cast<std::chrono::seconds>(now - row.checked);
}

// One list, from where it came; the lock is held over all of it.
Result<json::object> update(OpenedStore& opened, const std::string& name, bool force,
                            const Clock& clock) {
  const auto lock = TRY(ListLock::take(opened.data, name));
  const auto before = find_list(TRY(opened.store->lists()), name);
  if (!before) return fail(Fault::client, "there is no list \"{}\"", name);
  store::HashListRow row = *before;
  const ReadList list = TRY(read(row, opened.data));
  const std::size_t count = list.parsed.entries.size();
  if (!force && count < row.count / 2)
    return fail(Fault::client,
                "{} has {} entries, the list has {}: a list that loses more than half is taken "
                "with --force only; nothing was changed",
                shown_source(row.source), count, row.count);
  TRY(stage_list(opened.data, list.parsed.entries, row));
  row.checked = clock.now();
  if (row.version != before->version) row.added = row.checked;
  TRY(opened.store->put_list(row));
  clean_up_list(opened.data, name, row.file);
  if (row.version != before->version)
    TRY(record_action(*opened.store, "list update", name, about(row), clock.now()));
  json::object result{{"name", name},
                      {"entries", row.count},
                      {"before", before->count},
                      {"changed", row.version != before->version}};
  for (auto& [key, value] : counted(list.parsed)) result[key] = value;
  result["text"] =
      fmt::format("{}: {} entries (was {}){}{}", name, row.count, before->count,
                  left_out(list.parsed), row.version == before->version ? ", unchanged" : "");
  return result;
}

}  // namespace

Result<int> hashlist_add_command(const ListOptions& options) {
  static const SystemClock clock;
  log::set_level(log::Level::error);
  TRY(check_name(options.name));
  if (!options.tag.empty() && (!is_word(options.tag, "._-") || options.tag.size() > 64))
    return fail(Fault::client, "\"{}\" is no tag: use letters, digits, '.', '_' and '-'",
                options.tag);
  OpenedStore opened = TRY(open_store(options.config, clock));
  store::HashListRow row;
  row.name = options.name;
  row.source =
      is_url(options.source) ? options.source : std::filesystem::absolute(options.source).string();
  row.format = options.format;
  row.kind = options.kind;
  row.credentials = options.credentials;
  row.tag = options.tag;
  row.radius = static_cast<std::uint32_t>(options.radius.value_or(31));
  row.min_quality = static_cast<std::uint32_t>(options.min_quality.value_or(hash::kMinQuality));
  row.observe = options.observe;
  if (!options.max_age.empty())
    row.max_age =
        std::chrono::ceil<std::chrono::seconds>(TRY(config::parse_duration(options.max_age)));

  const auto lock = TRY(ListLock::take(opened.data, row.name));
  // A path is shown as it was given: that is what the person at the terminal knows it by.
  auto read_now = row;
  if (!is_url(options.source)) read_now.source = options.source;
  const ReadList list = TRY(read(read_now, opened.data));
  TRY(stage_list(opened.data, list.parsed.entries, row));
  const auto before = find_list(TRY(opened.store->lists()), row.name);
  row.added = row.checked = clock.now();
  TRY(opened.store->put_list(row));
  clean_up_list(opened.data, row.name, row.file);
  TRY(record_action(*opened.store, "list add", row.name, about(row), clock.now()));
  if (options.json) {
    json::object object{{"name", row.name},
                        {"entries", row.count},
                        {"format", hash::name(list.format)},
                        {"version", row.version}};
    for (auto& [key, value] : counted(list.parsed)) object[key] = value;
    std::printf("%s\n", json::serialize(object).c_str());
  } else {
    std::printf("%s: %zu entries%s%s. A running gate uses it within a second.\n", row.name.c_str(),
                list.parsed.entries.size(),
                before ? fmt::format(" (was {})", before->count).c_str() : "",
                left_out(list.parsed).c_str());
  }
  warn_if_unused(opened.config, TRY(opened.store->lists()), row.name);
  return 0;
}

Result<int> hashlist_update_command(const ListOptions& options) {
  static const SystemClock clock;
  log::set_level(log::Level::error);
  OpenedStore opened = TRY(open_store(options.config, clock));
  std::vector<std::string> names = options.names;
  if (names.empty())
    for (const store::HashListRow& row : TRY(opened.store->lists()))
      if (row.name != kBanned) names.push_back(row.name);
  json::array results;
  int exit = 0;
  for (const std::string& name : names) {
    auto done = name == kBanned ? fail(Fault::client, "this list comes from `portcullis ban` alone")
                                : update(opened, name, options.force, clock);
    if (!done) {
      exit = 1;
      std::fprintf(stderr, "%s: %s\n", name.c_str(), done.error().what.c_str());
      results.push_back(json::object{{"name", name}, {"error", done.error().what}});
      continue;
    }
    if (!options.json) std::printf("%s\n", done->at("text").as_string().c_str());
    done->erase("text");
    results.push_back(std::move(*done));
  }
  if (options.json)
    std::printf("%s\n", json::serialize(results).c_str());
  else if (names.empty())
    std::puts("There are no lists.");
  return exit;
}

Result<int> hashlist_list_command(const ListOptions& options) {
  static const SystemClock clock;
  OpenedStore opened = TRY(open_store(options.config, clock));
  const auto rows = TRY(opened.store->lists());
  const WallTime now = clock.now();
  if (options.json) {
    json::array array;
    for (const auto& row : rows)
      array.push_back(json::object{{"name", row.name},
                                   {"entries", row.count},
                                   {"version", row.version},
                                   {"source", shown_source(row.source)},
                                   {"added", rfc3339(row.added)},
                                   {"checked", rfc3339(row.checked)},
                                   {"age_seconds", age_of(row, now).count()},
                                   {"max_age_seconds", row.max_age.count()},
                                   {"format", row.format},
                                   {"radius", row.radius},
                                   {"min_quality", row.min_quality},
                                   {"mode", row.observe ? "observe" : "enforce"},
                                   {"tag", row.tag}});
    std::printf("%s\n", json::serialize(array).c_str());
    return 0;
  }
  std::vector<std::vector<std::string>> lines{
      {"NAME", "ENTRIES", "RADIUS", "MODE", "TAG", "AGE", "CHANGED", "SOURCE"}};
  for (const auto& row : rows)
    lines.push_back({row.name, std::to_string(row.count), std::to_string(row.radius),
                     row.observe ? "observe" : "enforce", row.tag.empty() ? "-" : row.tag,
                     age_text(age_of(row, now)), rfc3339(row.added).substr(0, 19) + "Z",
                     shown_source(row.source)});
  std::fputs(rows.empty() ? "There are no lists.\n" : table(lines).c_str(), stdout);
  return 0;
}

Result<int> hashlist_remove_command(const ListOptions& options) {
  static const SystemClock clock;
  OpenedStore opened = TRY(open_store(options.config, clock));
  if (options.name == kBanned)
    return fail(Fault::client,
                "this list holds the site's own bans: `portcullis unban` takes them back one by "
                "one");
  const auto lock = TRY(ListLock::take(opened.data, options.name));
  if (!TRY(opened.store->remove_list(options.name)))
    return fail(Fault::client,
                "there is no list \"{}\"; `portcullis hashlist list` shows which there are",
                options.name);
  clean_up_list(opened.data, options.name, {});
  TRY(record_action(*opened.store, "list remove", options.name, "{}", clock.now()));
  if (options.json)
    std::printf("%s\n", json::serialize(json::object{{"removed", options.name}}).c_str());
  else
    std::printf("%s: removed. A running gate forgets it within a second.\n", options.name.c_str());
  return 0;
}

}  // namespace portcullis::app

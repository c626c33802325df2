// portcullis audit: the chain of what was done.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/places.h"
#include "store/store.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

constexpr std::size_t kPage = 1'000;

struct Options {
  std::string head;
  std::uint64_t after = 0;
  bool json = false;
};

Result<std::unique_ptr<store::Store>> open(const std::string& config_file) {
  static const SystemClock clock;
  const config::Config config = TRY(load_config(TRY(find_config(config_file))));
  const DataFolder data = TRY(open_data_folder(config));
  return store::open_sqlite({.file = data.database()}, clock);
}

// Calls `each` for every entry after `after`, in flat memory.
Status for_each_entry(store::Store& store, std::uint64_t after,
                      const std::function<Status(const store::AuditEntry&)>& each) {
  while (true) {
    const auto page = TRY(store.audit_after(after, kPage));
    for (const store::AuditEntry& entry : page) TRY(each(entry));
    if (page.size() < kPage) return {};
    after = page.back().sequence;
  }
}

Result<int> verify(const std::string& config, const Options& options) {
  std::optional<store::Head> expected;
  if (!options.head.empty()) {
    expected = store::head_from(options.head);
    if (!expected)
      return fail(Fault::client,
                  "\"{}\" is no head: one is a number, ':' and 64 hexadecimal digits, as the log, "
                  "the alert hook and `portcullis audit head` say it",
                  options.head);
  }
  const auto store = TRY(open(config));
  store::ChainVerifier verifier(expected);
  Status sound = for_each_entry(
      *store, 0, [&](const store::AuditEntry& entry) { return verifier.add(entry); });
  if (sound) sound = verifier.finish();
  if (options.json)
    std::printf("%s\n", json::serialize(json::object{{"sound", sound.has_value()},
                                                     {"head", to_text(verifier.head())},
                                                     {"why", sound ? "" : sound.error().what}})
                            .c_str());
  if (!sound) return options.json ? Result<int>(1) : std::unexpected(sound.error());
  if (!options.json)
    std::printf("%llu entries, none changed, missing or out of order.%s\nHead: %s\n",
                static_cast<unsigned long long>(verifier.head().sequence),
                expected ? " It goes on from the head that was given."
                         : " Whether its end was cut off shows only with --head.",
                to_text(verifier.head()).c_str());
  return 0;
}

Result<int> head(const std::string& config, const Options&) {
  const auto store = TRY(open(config));
  const auto found = TRY(store->audit_head());
  std::printf("%s\n", found ? to_text(*found).c_str() : "0");
  return 0;
}

Result<int> list(const std::string& config, const Options& options) {
  const auto store = TRY(open(config));
  const Status done =
      for_each_entry(*store, options.after, [&](const store::AuditEntry& entry) -> Status {
        if (options.json)
          std::printf("%s\n", json::serialize(json::object{{"sequence", entry.sequence},
                                                           {"when", rfc3339(entry.when)},
                                                           {"actor", entry.actor},
                                                           {"action", entry.action},
                                                           {"subject", entry.subject},
                                                           {"details", entry.details},
                                                           {"hash", entry.hash.hex()}})
                                  .c_str());
        else
          std::printf("%8llu  %s  %-12s  %-28s  %s  %s\n",
                      static_cast<unsigned long long>(entry.sequence),
                      (rfc3339(entry.when).substr(0, 19) + "Z").c_str(), entry.actor.c_str(),
                      entry.action.c_str(), entry.subject.c_str(), entry.details.c_str());
        return {};
      });
  if (!done) return std::unexpected(done.error());
  return 0;
}

}  // namespace

void add_audit_commands(const CommandLine& line) {
  const auto options = std::make_shared<Options>();
  CLI::App* group = line.app.add_subcommand("audit", "The chain of what was done");
  group->require_subcommand(1);
  using Run = Result<int> (*)(const std::string&, const Options&);
  const auto add = [&](const char* name, const char* what, Run run) {
    return add_command(line, *group, name, what, options, run);
  };
  CLI::App* command = add("verify", "Find what was changed, left out or cut off", verify);
  command->add_option("--head", options->head, "A head that was written down earlier");
  command->add_flag("--json", options->json, "For machines");
  add("head", "Where the chain ends; write it down elsewhere", head);
  command = add("list", "The entries", list);
  command->add_option("--after", options->after, "Only those after this number");
  command->add_flag("--json", options->json, "One JSON object a line");
}

}  // namespace portcullis::app

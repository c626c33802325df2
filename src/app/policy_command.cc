// portcullis policy: what a policy would do, to files and to what was recorded.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/places.h"
#include "app/ruleset.h"
#include "store/store.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

enum Exit { nothing_changes = 0, something_changes = 3 };
constexpr std::size_t kPage = 1'000;

struct Options {
  ScanOptions scan;
  std::string policy;
  bool json = false;
};

Result<policy::Policy> read_policy(const config::Config& config,
                                   const std::vector<store::HashListRow>& rows) {
  const Bytes text = TRY(read_file(config.policy.string(), 1024 * 1024));
  auto parsed =
      TRY(policy::Policy::parse(as_text(text), config.policy.string(), vocabulary(config, rows)));
  for (const policy::Lint& lint : parsed.lints())
    std::fprintf(stderr, "Warning: %s: %s\n", lint.where.c_str(), lint.what.c_str());
  return parsed;
}

std::string what_of(const policy::Verdict& verdict) {
  std::string text = fmt::format("{} ({})", policy::name(verdict.outcome), verdict.rule);
  if (verdict.preserve) text += " preserve";
  if (verdict.report) text += " report";
  if (verdict.ban_hash) text += " ban";
  return text;
}

bool is_same(const policy::Verdict& a, const policy::Verdict& b) {
  return a.outcome == b.outcome && a.label == b.label && a.preserve == b.preserve &&
         a.report == b.report && a.ban_hash == b.ban_hash;
}

Result<int> replay(const std::string& config_file, const Options& options) {
  static const SystemClock clock;
  config::Config config = TRY(load_config(TRY(find_config(config_file))));
  if (!options.policy.empty()) config.policy = options.policy;
  const DataFolder data = TRY(open_data_folder(config));
  const auto store = TRY(store::open_sqlite({.file = data.database()}, clock));
  const policy::Policy policy = TRY(read_policy(config, TRY(store->lists())));

  std::vector<std::vector<std::string>> rows{{"VERDICT", "WHEN", "WAS", "WOULD BE"}};
  std::uint64_t all = 0, changed = 0, after = 0;
  while (true) {
    const auto page = TRY(store->verdicts_after(after, kPage));
    for (const store::VerdictRecord& record : page.verdicts) {
      ++all;
      const policy::Verdict now = policy.decide(record.facts);
      if (is_same(now, record.verdict)) continue;
      ++changed;
      if (options.json)
        std::printf("%s\n", json::serialize(json::object{{"verdict", record.id},
                                                         {"when", rfc3339(record.when)},
                                                         {"was", what_of(record.verdict)},
                                                         {"would_be", what_of(now)},
                                                         {"reason", now.reason}})
                                .c_str());
      else if (rows.size() <= kPage)
        rows.push_back({record.id, rfc3339(record.when).substr(0, 19) + "Z",
                        what_of(record.verdict), what_of(now)});
    }
    if (page.verdicts.size() < kPage) break;
    after = page.last;
  }
  if (!options.json) {
    if (changed > 0) std::fputs(table(rows).c_str(), stdout);
    if (changed >= rows.size())
      std::printf("... and %llu more; --json shows all\n",
                  static_cast<unsigned long long>(changed - (rows.size() - 1)));
    std::printf("%llu of %llu recorded verdicts would change.\n",
                static_cast<unsigned long long>(changed), static_cast<unsigned long long>(all));
  }
  return changed > 0 ? something_changes : nothing_changes;
}

// As `scan`, with everything that the policy looked at.
Result<int> test(const std::string& config, const Options& options) {
  ScanOptions scan = options.scan;
  scan.config = config;
  scan.policy = options.policy;
  scan.json = options.json;
  scan.facts = true;
  return scan_command(scan);
}

}  // namespace

void add_policy_commands(const CommandLine& line) {
  const auto options = std::make_shared<Options>();
  CLI::App* group = line.app.add_subcommand("policy", "What a policy would do");
  group->require_subcommand(1);
  using Run = Result<int> (*)(const std::string&, const Options&);
  const auto add = [&](const char* name, const char* what, Run run) {
    CLI::App* command = add_command(line, *group, name, what, options, run);
    command->add_option("--policy", options->policy,
                        "A policy file (default: the one of the config)");
    command->add_flag("--json", options->json, "One JSON object a line");
    return command;
  };
  add("test", "Judge files, and show the facts and the rule; exit codes as of `scan`", test)
      ->add_option("files", options->scan.files, "Files, folders, or - for standard input")
      ->required();
  add("replay",
      "Judge everything that was recorded once more, and list what would change; exit 0 nothing, "
      "3 something",
      replay);
}

}  // namespace portcullis::app

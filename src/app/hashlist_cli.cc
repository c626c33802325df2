#include <CLI/CLI.hpp>

#include "app/command_line.h"
#include "app/hashlist.h"

namespace portcullis::app {

namespace {

class Adder {
 public:
  explicit Adder(const CommandLine& line) : line_(line) {}

  void lists(CLI::App& lists) {
    lists.require_subcommand(1);
    add(*begin(lists, "add", "Add a list, or replace the one of that name", hashlist_add_command));
    CLI::App* one =
        begin(lists, "update", "Read lists anew from where they came", hashlist_update_command);
    one->add_option("names", list_->names, "Names (default: all)");
    one->add_flag("--force", list_->force, "Also if a list shrinks by more than half");
    one = begin(lists, "remove", "Remove a list", hashlist_remove_command);
    one->add_option("name", list_->name, "Name")->required();
    begin(lists, "list", "Show the lists", hashlist_list_command);
    one = begin(lists, "test",
                "Which lists files are on; exit 0 none, 1 some, 2 a file could not be looked at",
                hashlist_test_command);
    one->add_option("files", list_->files, "Files")->required();
    one = begin(lists, "allow", "Let exactly these bytes pass near matches and classifiers",
                hashlist_allow_command);
    one->add_option("files", list_->files, "Files, or SHA-256 in 64 digits")->required();
    one->add_option("--why", list_->why, "For whoever looks later");
    one = begin(lists, "disallow", "Take that back", hashlist_disallow_command);
    one->add_option("files", list_->files, "Files, or SHA-256 in 64 digits")->required();
    begin(lists, "allowed", "Show what is allowed", hashlist_allowed_command);
  }

  void bans(CLI::App& app) {
    CLI::App* one =
        bans(app, "ban", "Keep pictures and their near copies from being uploaded", false);
    one->add_option("--why", ban_->why, "For whoever looks later");
    one->add_flag("--undo", ban_->undo, "Take the ban back, as unban does");
    bans(app, "unban", "Take bans back", true);
  }

 private:
  CLI::App* begin(CLI::App& parent, const char* name, const char* what,
                  Result<int> (*command)(const ListOptions&)) {
    CLI::App* one = line_.with_config(parent.add_subcommand(name, what));
    one->add_flag("--json", list_->json, "For machines");
    one->callback([list = list_, &config = line_.config, &chosen = line_.chosen, command] {
      chosen = [list, &config, command] {
        list->config = config;
        return command(*list);
      };
    });
    return one;
  }

  void add(CLI::App& one) {
    one.add_option("name", list_->name, "Name, e.g. csam/ncmec or own/blocked")->required();
    one.add_option("source", list_->source, "A file, or an address with https://")->required();
    one.add_option("--kind", list_->kind, "sha256, sha1, md5 or pdq, for entries without a kind");
    one.add_option("--format", list_->format, "How it is written")
        ->capture_default_str()
        ->check(CLI::IsMember({"auto", "plain", "csv", "threatexchange", "ncmec", "stopncii"}));
    one.add_option("--radius", list_->radius, "Most bits a near match may differ by (default 31)")
        ->check(CLI::Range(0, 31));
    one.add_option("--min-quality", list_->min_quality,
                   "Least PDQ quality of a picture that may match nearly (default 50)")
        ->check(CLI::Range(0, 100));
    one.add_option("--action-tag", list_->tag, "A word for moderators and for the policy");
    one.add_flag("--observe", list_->observe, "Only tell of its matches");
    one.add_option("--credentials", list_->credentials,
                   "env:NAME or file:PATH that holds user and password, token or header");
    one.add_option("--max-age", list_->max_age,
                   "e.g. 7d: older than that, it no longer counts as having found nothing");
  }

  CLI::App* bans(CLI::App& app, const char* name, const char* what, bool undo) {
    CLI::App* one = line_.with_config(app.add_subcommand(name, what));
    one->add_option("what", ban_->what, "Files, or aliases of stored pictures");
    one->add_option("--hash", ban_->hashes, "sha256:, sha1:, md5: or pdq: and the digits");
    one->add_flag("--json", ban_->json, "For machines");
    one->callback([ban = ban_, &config = line_.config, &chosen = line_.chosen, undo] {
      chosen = [ban, &config, undo] {
        ban->config = config;
        ban->undo |= undo;
        return ban_command(*ban);
      };
    });
    return one;
  }

  const CommandLine& line_;
  // The callbacks hold them.
  std::shared_ptr<ListOptions> list_ = std::make_shared<ListOptions>();
  std::shared_ptr<BanOptions> ban_ = std::make_shared<BanOptions>();
};

}  // namespace

void add_list_commands(const CommandLine& line) {
  Adder adder(line);
  adder.lists(*line.app.add_subcommand("hashlist", "Lists of known pictures"));
  adder.bans(line.app);
}

}  // namespace portcullis::app

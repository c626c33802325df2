// portcullis evidence: keys, and what is kept sealed. No private key is ever read by the server.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/keeping.h"

namespace portcullis::app {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::uint64_t kLongestKeyFile = 64 * 1024;
constexpr std::size_t kMostListed = 10'000;

struct Options {
  std::string id, key, out, why;
  bool all = false, json = false, end = false;
};

struct Opened {
  std::unique_ptr<store::Store> store;
  std::unique_ptr<blob::FileSystem> files;
  std::unique_ptr<evidence::Keeper> keeper;
};

Result<Opened> open(const std::string& config_file) {
  static const SystemClock clock;
  const config::Config config = TRY(load_config(TRY(find_config(config_file))));
  const DataFolder data = TRY(open_data_folder(config));
  Opened opened;
  opened.store = TRY(store::open_sqlite({.file = data.database()}, clock));
  opened.files = blob::real_file_system();
  opened.keeper = std::make_unique<evidence::Keeper>(TRY(keeper_options(config, data)),
                                                     *opened.store, *opened.files, clock);
  return opened;
}

Result<evidence::PrivateKey> read_key(const std::string& file) {
  const Bytes text = TRY(read_file(file, kLongestKeyFile));
  auto key = evidence::private_key_from(as_text(text));
  if (!key) return fail(Fault::client, "{}: {}", file, key.error().what);
  return *key;
}

// Writes a file that must not be there yet, for this user only.
Status write_new(const fs::path& path, ByteView bytes) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot make " + path.string());
  TRY(write_all(fd.get(), bytes));
  if (::fsync(fd.get()) != 0) return fail_errno("cannot sync " + path.string());
  return {};
}

std::string key_text(const evidence::PrivateKey& key, std::string_view opens) {
  return fmt::format("# Portcullis, {} key: opens {}. Keep it off the server.\n{}\n",
                     evidence::name(key.purpose()), opens, to_text(key));
}

Result<int> keygen(const std::string& config_file, const Options& options) {
  const auto review = evidence::make_key(evidence::Purpose::review);
  const auto preserved = evidence::make_key(evidence::Purpose::evidence);
  const std::string review_text = key_text(review, "what waits for a moderator");
  const std::string preserved_text = key_text(preserved, "what is preserved");
  if (options.out.empty()) {
    if (::isatty(STDOUT_FILENO) == 0)
      return fail(Fault::client,
                  "private keys are printed to a terminal only; --out FILE writes them to "
                  "FILE.review and FILE.evidence");
    std::printf("%s\n%s\n", review_text.c_str(), preserved_text.c_str());
  } else {
    const fs::path out = fs::weakly_canonical(fs::absolute(options.out));
    if (const auto file = find_config(config_file)) {
      const auto config = load_config(*file);
      const fs::path data = config ? fs::weakly_canonical(config->data) : fs::path();
      if (!data.empty() &&
          std::mismatch(data.begin(), data.end(), out.begin(), out.end()).first == data.end())
        return fail(Fault::client,
                    "{} is inside the data folder, where the keys must never be: choose another "
                    "place, best on another machine",
                    out.string());
    }
    TRY(write_new(out.string() + ".review", as_bytes(review_text)));
    TRY(write_new(out.string() + ".evidence", as_bytes(preserved_text)));
    std::fprintf(stderr,
                 "Private keys: %s.review and %s.evidence. Move them off this machine, and keep a "
                 "copy: without them nothing that is kept can ever be opened.\n",
                 out.c_str(), out.c_str());
  }
  std::printf("[evidence]\nreview_key = \"%s\"\nevidence_key = \"%s\"\n",
              to_text(review.public_half()).c_str(), to_text(preserved.public_half()).c_str());
  return 0;
}

json::object object_of(const store::Evidence& one) {
  json::object object{{"id", one.id},
                      {"original", one.original.hex()},
                      {"kept", name(one.kept)},
                      {"state", name(one.state)},
                      {"rule", one.rule},
                      {"report_due", one.report_due},
                      {"bytes", one.bytes},
                      {"since", rfc3339(one.since)},
                      {"keep_until", rfc3339(one.keep_until)},
                      {"attempts", one.attempts}};
  if (!one.legal_hold.empty()) object["legal_hold"] = one.legal_hold;
  if (one.ended) object["ended"] = rfc3339(*one.ended);
  return object;
}

std::string day(WallTime time) { return rfc3339(time).substr(0, 10); }

Result<int> list(const std::string& config, const Options& options) {
  const Opened opened = TRY(open(config));
  const auto rows = TRY(opened.store->evidence_list(!options.all, kMostListed));
  if (options.json) {
    for (const store::Evidence& one : rows)
      std::printf("%s\n", json::serialize(object_of(one)).c_str());
    return 0;
  }
  std::vector<std::vector<std::string>> lines{
      {"ID", "KEPT", "SINCE", "UNTIL", "RULE", "ATTEMPTS", "BYTES"}};
  for (const store::Evidence& one : rows) {
    const std::string until = one.ended                ? std::string(name(one.state))
                              : one.legal_hold.empty() ? day(one.keep_until)
                                                       : "legal hold";
    lines.push_back({one.id, std::string(name(one.kept)), day(one.since), until, one.rule,
                     std::to_string(one.attempts), std::to_string(one.bytes)});
  }
  std::fputs(rows.empty() ? "Nothing is kept.\n" : table(lines).c_str(), stdout);
  return 0;
}

Result<store::Evidence> find(const Opened& opened, const std::string& id) {
  const auto found = TRY(opened.store->evidence(id));
  if (!found)
    return fail(Fault::client, "there is no evidence {}; `portcullis evidence list` shows all", id);
  return *found;
}

// What is known of the attempts; what is sealed only with a key that opens it.
Result<json::array> attempts_of(const Opened& opened, const std::string& id,
                                const evidence::PrivateKey* key) {
  json::array array;
  for (const store::Attempt& attempt : TRY(opened.store->attempts(id))) {
    json::object object{{"when", rfc3339(attempt.when)},
                        {"verdict", attempt.verdict},
                        {"origin", policy::name(attempt.origin)},
                        {"account", attempt.uploader}};
    if (const auto verdict = TRY(opened.store->verdict(attempt.verdict))) {
      object["reason"] = verdict->verdict.reason;
      object["facts"] = json::parse(policy::to_json(verdict->facts));
    }
    const auto context =
        key && !attempt.context.empty()
            ? evidence::open(*key, attempt.context)
            : Result<Bytes>(fail(Fault::client, "{}", attempt.context.empty() ? "none" : "sealed"));
    boost::system::error_code error;
    if (context) {
      auto value = json::parse(as_text(*context), error);
      object["context"] = error ? json::value(std::string(as_text(*context))) : std::move(value);
    } else {
      object["context"] = context.error().what;
    }
    array.push_back(std::move(object));
  }
  return array;
}

Result<int> show(const std::string& config, const Options& options) {
  const Opened opened = TRY(open(config));
  const store::Evidence one = TRY(find(opened, options.id));
  std::optional<evidence::PrivateKey> key;
  if (!options.key.empty()) key = TRY(read_key(options.key));
  json::object object = object_of(one);
  const json::array attempts = TRY(attempts_of(opened, one.id, key ? &*key : nullptr));
  if (options.json) {
    object["attempts_made"] = attempts;
    std::printf("%s\n", json::serialize(object).c_str());
    return 0;
  }
  std::vector<std::vector<std::string>> lines;
  for (const auto& [member, value] : object)
    lines.push_back({std::string(member.data(), member.size()),
                     value.is_string() ? std::string(value.get_string()) : json::serialize(value)});
  std::fputs(table(lines).c_str(), stdout);
  for (const json::value& attempt : attempts)
    std::printf("attempt  %s\n", json::serialize(attempt).c_str());
  return 0;
}

// The original, checked against its digest, and all that is known of it.
Result<int> export_one(const std::string& config, const Options& options) {
  const Opened opened = TRY(open(config));
  const store::Evidence one = TRY(find(opened, options.id));
  const evidence::PrivateKey key = TRY(read_key(options.key));
  const UniqueFd sealed = TRY(opened.keeper->open_sealed(one.id));
  Bytes plain;
  TRY(evidence::open(key, evidence::source_of_file(sealed.get()), evidence::sink_into(plain)));
  const bool is_original = sha256_of(plain) == one.original;
  std::error_code error;
  fs::create_directories(options.out, error);
  const fs::path base = fs::path(options.out) / one.id;
  json::object object = object_of(one);
  object["sealed_bytes_are_the_original"] = is_original;
  object["attempts_made"] = TRY(attempts_of(opened, one.id, &key));
  // The record comes first: nothing leaves unrecorded.
  static const SystemClock clock;
  TRY(opened.store->audit({.actor = actor(),
                           .action = "evidence exported",
                           .subject = one.id,
                           .details = json::serialize(json::object{{"why", options.why}})},
                          clock.now()));
  TRY(write_new(base.string() + ".original", plain));
  TRY(write_new(base.string() + ".json", as_bytes(json::serialize(object) + "\n")));
  std::printf("%s.original and %s.json\n", base.c_str(), base.c_str());
  if (!is_original)
    std::fprintf(stderr,
                 "Note: these bytes are the picture as it was stored, not the original of digest "
                 "%s, which was gone when it was found.\n",
                 one.original.hex().c_str());
  return 0;
}

Result<int> end_one(const std::string& config, const Options& options, store::EvidenceState how) {
  const Opened opened = TRY(open(config));
  TRY(opened.keeper->end(options.id, how, actor(), options.why));
  std::printf(how == store::EvidenceState::released
                  ? "%s: released. The same file will be let in from now on.\n"
                  : "%s: destroyed.\n",
              options.id.c_str());
  return 0;
}

Result<int> preserve_one(const std::string& config, const Options& options) {
  const Opened opened = TRY(open(config));
  TRY(opened.keeper->preserve(options.id, actor(), options.why));
  std::printf("%s: preserved. Only the evidence key opens it now.\n", options.id.c_str());
  return 0;
}

Result<int> legal_hold(const std::string& config, const Options& options) {
  static const SystemClock clock;
  if (!options.end && options.why.empty())
    return fail(Fault::client, "say why with --why, for example the number of the order");
  const Opened opened = TRY(open(config));
  TRY(opened.store->set_legal_hold(options.id, options.end ? "" : options.why, actor(),
                                   clock.now()));
  std::printf("%s: %s\n", options.id.c_str(),
              options.end ? "no legal hold any more" : "under a legal hold until it is ended");
  return 0;
}

}  // namespace

void add_evidence_commands(const CommandLine& line) {
  const auto options = std::make_shared<Options>();
  CLI::App* group = line.app.add_subcommand("evidence", "Originals that are kept sealed");
  group->require_subcommand(1);
  using Run = Result<int> (*)(const std::string&, const Options&);
  const auto add = [&](const char* name, const char* what, Run run) {
    return add_command(line, *group, name, what, options, run);
  };
  const auto with_id = [&](CLI::App* command) {
    command->add_option("id", options->id, "As `evidence list` shows it")->required();
    return command;
  };
  const auto with_why = [&](CLI::App* command) {
    command->add_option("--why", options->why, "For the record");
    return command;
  };

  add("keygen", "Make both pairs of keys", keygen)
      ->add_option("--out", options->out,
                   "Write the private halves to FILE.review and FILE.evidence, outside the data "
                   "folder; otherwise to this terminal");
  CLI::App* command = add("list", "What is kept", list);
  command->add_flag("--all", options->all, "What was released or destroyed as well");
  command->add_flag("--json", options->json, "One JSON object a line");
  command = with_id(add("show", "One of them, with the attempts to bring it in", show));
  command->add_option("--key", options->key, "File of a private key, to open what is sealed");
  command->add_flag("--json", options->json, "For machines");
  command = with_why(with_id(add("export", "Open one into a folder", export_one)));
  command->add_option("--key", options->key, "File of the private key")->required();
  command->add_option("--out", options->out, "Folder")->required();
  with_why(with_id(add("release", "Let a held one in from now on", [](auto& config, auto& chosen) {
    return end_one(config, chosen, store::EvidenceState::released);
  })));
  with_why(with_id(add("destroy", "Destroy one whose time is over, or a held one",
                       [](auto& config, auto& chosen) {
                         return end_one(config, chosen, store::EvidenceState::destroyed);
                       })));
  with_why(with_id(add("preserve", "Make a held one evidence", preserve_one)));
  command = with_why(
      with_id(add("legal-hold", "Keep one beyond its time, until the hold is ended", legal_hold)));
  command->add_flag("--end", options->end, "End the hold");
}

}  // namespace portcullis::app

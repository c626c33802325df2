#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>

#include "app/commands.h"
#include "app/engine.h"
#include "app/wait_for.h"
#include "base/log.h"

namespace portcullis::app {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

enum Exit { accepted = 0, refused = 1, unanswered = 2 };

struct Scanned {
  std::string file;
  std::optional<scan::Screening> screening;  // none: the file could not be read
  std::string why;
};

// Nothing is remembered, so that every scan looks for itself; but what moderators let pass counts.
class AllowList final : public scan::Memory {
 public:
  explicit AllowList(store::Store& store) : store_(store) {}
  Task<std::optional<policy::SignalAnswer>> answer(const Sha256&, const std::string&,
                                                   const std::string&) override {
    co_return std::nullopt;
  }
  Task<void> remember(const Sha256&, const std::string&, const std::string&,
                      const policy::SignalAnswer&, std::chrono::seconds) override {
    co_return;
  }
  Task<std::optional<scan::Known>> known(const Sha256&, const std::string&) override {
    co_return std::nullopt;
  }
  Task<bool> is_allowed(const Sha256& original) override {
    co_return store_.is_allowed(original).value_or(false);
  }

 private:
  store::Store& store_;
};

// An upload is not stored either when no decoder could open it, whatever policy says.
bool was_judged(const scan::Screening& screening) {
  const bool lets_in = screening.verdict.outcome == policy::Outcome::accept ||
                       screening.verdict.outcome == policy::Outcome::label;
  return screening.seen || !lets_in;
}

Exit exit_of(const Scanned& one) {
  if (!one.screening) return unanswered;
  if (one.screening->not_taken) return refused;
  const policy::Verdict& verdict = one.screening->verdict;
  if (verdict.unanswered || !was_judged(*one.screening)) return unanswered;
  return verdict.outcome == policy::Outcome::accept || verdict.outcome == policy::Outcome::label
             ? accepted
             : refused;
}

// Standard input as a file that can be read at any place.
Result<UniqueFd> standard_input(std::uint64_t most) {
  UniqueFd memory(::memfd_create("stdin", MFD_CLOEXEC));
  if (!memory) return fail_errno("cannot keep standard input");
  Bytes buffer(256 * 1024);
  std::uint64_t size = 0;
  while (true) {
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("cannot read standard input");
    if (count == 0) return memory;
    size += static_cast<std::uint64_t>(count);
    if (size > most) return fail(Fault::limits, "standard input is over {} bytes", most);
    TRY(write_all(memory.get(), ByteView(buffer.data(), static_cast<std::size_t>(count))));
  }
}

Result<scan::Original> original_of(const UniqueFd& fd) {
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno("cannot look at it");
  if (!S_ISREG(info.st_mode)) return fail(Fault::client, "not a file");
  scan::Original original{fd.get(), static_cast<std::uint64_t>(info.st_size), {}};
  DigestsBuilder builder;
  Bytes buffer(256 * 1024);
  for (std::uint64_t at = 0;;) {
    const std::size_t count = TRY(read_at(fd.get(), buffer, at));
    if (count == 0) break;
    builder.add(ByteView(buffer.data(), count));
    at += count;
  }
  original.digests = builder.finish();
  return original;
}

Task<Scanned> scan_one(Engine& engine, std::string file) {
  Scanned result{file, std::nullopt, {}};
  UniqueFd fd;
  if (file == "-") {
    auto input = standard_input(engine.config.media.max_file_size);
    if (!input) co_return result.why = input.error().what, std::move(result);
    fd = std::move(*input);
  } else {
    fd.reset(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) co_return result.why = std::generic_category().message(errno), std::move(result);
  }
  const auto original = original_of(fd);
  if (!original) co_return result.why = original.error().what, std::move(result);
  const Deadline deadline = engine.clock.steady() + engine.config.http.upload_timeout;
  AllowList allowed(*engine.store);
  result.screening = co_await engine.scanner->scan(*original, {policy::Origin::upload, {}},
                                                   &allowed, deadline, scan::Reuse::no);
  co_return result;
}

std::string verdict_text(const Scanned& one) {
  if (!one.screening) return "unreadable";
  if (one.screening->not_taken) return "not taken";
  if (one.screening->verdict.unanswered || !was_judged(*one.screening)) return "unanswered";
  return std::string(policy::name(one.screening->verdict.outcome));
}

std::string why_text(const Scanned& one) {
  if (!one.screening) return one.why;
  if (one.screening->not_taken) return one.screening->not_taken->what;
  return one.screening->verdict.reason;
}

std::string scores_text(const Scanned& one) {
  std::string text;
  if (!one.screening) return "-";
  for (const auto& [signal, answer] : one.screening->facts.signals)
    for (const auto& [label, score] : answer.scores)
      text += fmt::format("{}{}.{} {:.3f}", text.empty() ? "" : ", ", signal, label, score);
  return text.empty() ? "-" : text;
}

std::string json_line(const Scanned& one) {
  json::object object{
      {"file", one.file}, {"verdict", verdict_text(one)}, {"reason", why_text(one)}};
  if (one.screening) {
    object["rule"] = one.screening->verdict.rule;
    if (one.screening->not_taken) object["code"] = one.screening->not_taken->code;
    object["facts"] = json::parse(policy::to_json(one.screening->facts));
    object["ruleset"] = one.screening->ruleset;
    if (one.screening->seen) {
      json::array pdq;
      for (const hash::Dihedral& print : one.screening->seen->fingerprints)
        pdq.push_back(
            json::object{{"hash", hash::to_hex(print.pdq[0])}, {"quality", print.quality}});
      object["pdq"] = std::move(pdq);
    }
  }
  return json::serialize(object);
}

// Everything that the policy looked at, for a person.
std::string facts_text(const Scanned& one) {
  std::vector<std::vector<std::string>> rows{
      {"file", one.file}, {"verdict", verdict_text(one)}, {"why", why_text(one)}};
  if (one.screening) {
    const policy::Facts& facts = one.screening->facts;
    rows.push_back({"rule", one.screening->verdict.rule});
    rows.push_back({"sha256", facts.sha256.hex()});
    rows.push_back({"picture", fmt::format("{} {} x {}, {} frames, {} bytes",
                                           facts.format.empty() ? "?" : facts.format, facts.width,
                                           facts.height, facts.frames, facts.bytes)});
    for (const auto& [signal, answer] : facts.signals) {
      std::string text(policy::name(answer.answer));
      if (answer.exact) text += ", exact";
      for (const auto& [label, score] : answer.scores)
        text += fmt::format(", {} {:.3f}", label, score);
      if (!answer.detail.empty()) text += ": " + answer.detail;
      rows.push_back({"signal " + signal, text});
    }
  }
  return table(rows) + "\n";
}

// A folder stands for the files directly in it, in order of their names.
std::vector<std::string> expand(const std::vector<std::string>& names) {
  std::vector<std::string> files;
  for (const std::string& name : names) {
    std::error_code error;
    if (!fs::is_directory(name, error)) {
      files.push_back(name);
      continue;
    }
    std::vector<std::string> inside;
    for (const auto& entry : fs::directory_iterator(name, error))
      if (entry.is_regular_file(error)) inside.push_back(entry.path().string());
    std::ranges::sort(inside);
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

}  // namespace

Result<int> scan_command(const ScanOptions& options) {
  static const SystemClock clock;
  log::set_level(log::Level::error);
  config::Config config = TRY(load_config(TRY(find_config(options.config))));
  if (!options.policy.empty()) config.policy = options.policy;
  auto engine = TRY(Engine::create(std::move(config), clock));
  const std::vector<std::string> files = expand(options.files);
  if (files.empty()) return fail(Fault::client, "there is no file to scan");

  std::vector<std::vector<std::string>> rows{{"FILE", "VERDICT", "SCORES", "WHY"}};
  Exit worst = accepted;
  const bool progress = !options.json && ::isatty(STDERR_FILENO) != 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (progress) std::fprintf(stderr, "\r%zu of %zu ", i + 1, files.size());
    const Scanned one = wait_for(scan_one(*engine, files[i]));
    worst = std::max(worst, exit_of(one));
    if (options.json)
      std::printf("%s\n", json_line(one).c_str());
    else if (options.facts)
      std::fputs(facts_text(one).c_str(), stdout);
    else
      rows.push_back({one.file, verdict_text(one), scores_text(one), why_text(one)});
  }
  if (progress) std::fprintf(stderr, "\r\x1b[K");
  if (!options.json && !options.facts) std::fputs(table(rows).c_str(), stdout);
  return worst;
}

}  // namespace portcullis::app

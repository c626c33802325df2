// Which exact bytes a moderator let pass: what `hashlist allow`, `disallow` and `allowed` do.
#include <fcntl.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>

#include "app/commands.h"
#include "app/hashlist.h"
#include "app/list_install.h"
#include "base/log.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

Result<Sha256> sha256_of_what(const std::string& what) {
  std::string_view digits = what;
  if (digits.starts_with("sha256:")) digits.remove_prefix(7);
  if (const auto digest = Sha256::from(digits)) return *digest;
  UniqueFd fd(::open(what.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(Fault::client, "{} is neither a file nor a SHA-256 of 64 digits", what);
  DigestsBuilder builder;
  Bytes buffer(256 * 1024);
  for (std::uint64_t at = 0;;) {
    const std::size_t count = TRY(read_at(fd.get(), buffer, at));
    if (count == 0) return builder.finish().sha256;
    builder.add(ByteView(buffer.data(), count));
    at += count;
  }
}

using Change = Result<bool> (*)(store::Store&, const Sha256&, const ListOptions&, const Clock&);

// All of them are looked at before the first is changed.
Result<int> change(const ListOptions& options, Change one, const char* done, const char* not_done) {
  static const SystemClock clock;
  log::set_level(log::Level::error);
  OpenedStore opened = TRY(open_store(options.config, clock));
  std::vector<Sha256> digests;
  for (const std::string& what : options.files) digests.push_back(TRY(sha256_of_what(what)));
  int exit = 0;
  for (std::size_t i = 0; i < digests.size(); ++i) {
    const bool changed = TRY(one(*opened.store, digests[i], options, clock));
    if (!changed) exit = 1;
    if (options.json)
      std::printf("%s\n",
                  json::serialize(json::object{{"sha256", digests[i].hex()}, {"changed", changed}})
                      .c_str());
    else
      std::printf("%s: %s (sha256:%s)\n", options.files[i].c_str(), changed ? done : not_done,
                  digests[i].hex().c_str());
  }
  return exit;
}

}  // namespace

Result<int> hashlist_allow_command(const ListOptions& options) {
  return change(
      options,
      [](store::Store& store, const Sha256& digest, const ListOptions& given,
         const Clock& clock) -> Result<bool> {
        const WallTime now = clock.now();
        TRY(store.allow({digest, actor(), given.why, now}));
        TRY(record_action(store, "allow", "sha256:" + digest.hex(),
                          json::serialize(json::object{{"why", given.why}}), now));
        return true;
      },
      "allowed: near matches and classifiers no longer stop these bytes", "");
}

Result<int> hashlist_disallow_command(const ListOptions& options) {
  return change(
      options,
      [](store::Store& store, const Sha256& digest, const ListOptions&,
         const Clock& clock) -> Result<bool> {
        if (!TRY(store.disallow(digest))) return false;
        TRY(record_action(store, "disallow", "sha256:" + digest.hex(), "{}", clock.now()));
        return true;
      },
      "no longer allowed", "was not allowed");
}

Result<int> hashlist_allowed_command(const ListOptions& options) {
  static const SystemClock clock;
  OpenedStore opened = TRY(open_store(options.config, clock));
  const auto entries = TRY(opened.store->allowed());
  if (options.json) {
    json::array array;
    for (const store::Allowed& one : entries)
      array.push_back(json::object{{"sha256", one.sha256.hex()},
                                   {"who", one.who},
                                   {"why", one.why},
                                   {"when", rfc3339(one.when)}});
    std::printf("%s\n", json::serialize(array).c_str());
    return 0;
  }
  std::vector<std::vector<std::string>> lines{{"SHA-256", "SINCE", "BY", "WHY"}};
  for (const store::Allowed& one : entries)
    lines.push_back({one.sha256.hex(), rfc3339(one.when).substr(0, 19) + "Z", one.who, one.why});
  std::fputs(entries.empty() ? "Nothing is allowed.\n" : table(lines).c_str(), stdout);
  return 0;
}

}  // namespace portcullis::app

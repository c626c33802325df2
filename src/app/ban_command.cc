// What `ban` and `unban` do: the site's own list.
//
// Each ban is rows in the store; the list `banned` is made anew of all of them.
#include <fcntl.h>

#include <boost/json.hpp>
#include <cstdio>
#include <set>

#include "app/bans.h"
#include "app/hashlist.h"
#include "app/known_picture.h"
#include "app/list_install.h"
#include "base/log.h"
#include "blob/blob.h"

namespace portcullis::app {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::size_t kMostViews = 4;  // of an animation, whose edges may be cut
constexpr std::size_t kMostFrames = 100;

// One picture or hash that is to be banned, or no longer.
struct Target {
  std::string said;  // by the admin
  std::string of;    // "sha256:…", "pdq:…"
  std::vector<std::pair<hash::Kind, std::string>> hashes;
  std::string why_not;  // why it has digests alone
  bool is_stored = false;
};

std::size_t exact_hashes(const Target& target) {
  return static_cast<std::size_t>(std::ranges::count_if(
      target.hashes, [](const auto& hash) { return hash.first != hash::Kind::pdq; }));
}

Result<Target> of_hash(const std::string& text) {
  const auto colon = text.find(':');
  const auto kind = hash::kind_from(text.substr(0, colon));
  if (colon == std::string::npos || !kind)
    return fail(Fault::client,
                "\"{}\": write sha256:, sha1:, md5: or pdq: before the digits of a hash", text);
  const std::string digits = ascii_lower(text.substr(colon + 1));
  TRY(hash::parse_list(digits, *kind, "--hash " + text.substr(0, 80)));  // says what is wrong
  return Target{.said = text,
                .of = fmt::format("{}:{}", hash::name(*kind), digits),
                .hashes = {{*kind, digits}}};
}

// Needs decoders.
class Banner {
 public:
  Banner(OpenedStore& opened, const Clock& clock, const BanOptions& options)
      : opened_(opened), options_(options), reader_(opened.config, clock) {}

  // A file, or an alias, or an address that ends in one.
  Result<Target> of_picture(const std::string& text) {
    std::error_code error;
    if (fs::is_regular_file(text, error)) {
      UniqueFd fd(::open(text.c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd) return fail_errno("cannot open " + text);
      return look(text, fd.get());
    }
    std::string alias = text.substr(0, text.find('?'));
    alias = alias.substr(alias.rfind('/') + 1);
    const auto found = TRY(opened_.store->find(alias));
    if (!found)
      return fail(Fault::client, "{} is neither a file nor the alias of a stored picture", text);
    const Sha256 blob = found->alias.blob;
    const auto files = blob::real_file_system();
    const auto blobs = TRY(blob::open_folder(opened_.data.blobs(), *files));
    const auto stored = TRY(blobs->open(blob));
    Target target = TRY(look(text, stored.fd.get()));
    target.is_stored = true;
    for (const store::RenditionRecord& record : TRY(opened_.store->provenance(blob)).originals)
      target.hashes.emplace_back(hash::Kind::sha256, record.original.hex());
    return target;
  }

 private:
  Result<Target> look(const std::string& said, int fd) {
    const KnownPicture picture = TRY(reader_.look(fd, !options_.undo));
    Target target{.said = said,
                  .of = "sha256:" + picture.digests.sha256.hex(),
                  .hashes = {{hash::Kind::sha256, picture.digests.sha256.hex()},
                             {hash::Kind::sha1, picture.digests.sha1.hex()},
                             {hash::Kind::md5, picture.digests.md5.hex()}},
                  .why_not = picture.why_not};
    std::set<hash::PdqHash> prints;
    for (const hash::Dihedral& frame : picture.fingerprints)
      if (frame.quality >= hash::kMinQuality && hash::is_plausible(frame.pdq[0]) &&
          prints.size() < kMostFrames)
        prints.insert(frame.pdq[0]);
    const std::size_t views = std::min(picture.views.size(), kMostViews);
    for (std::size_t i = 0; i < views; ++i) {
      const decoder::Picture& view = picture.views[i * picture.views.size() / views];
      const auto hashes = hash::ban_hashes(
          std::span(reinterpret_cast<const std::uint8_t*>(view.rgb.data()), view.rgb.size()),
          static_cast<int>(view.width), static_cast<int>(view.height));
      prints.insert(hashes.begin(), hashes.end());
    }
    if (prints.empty() && target.why_not.empty())
      target.why_not = "it shows too little to tell its copies from other pictures";
    for (const hash::PdqHash& print : prints)
      target.hashes.emplace_back(hash::Kind::pdq, hash::to_hex(print));
    return target;
  }

  OpenedStore& opened_;
  const BanOptions& options_;
  PictureReader reader_;
};

// What is lifted: every ban of one of these, and every ban that one of these digests is part of.
std::set<std::string> lifted_by(const std::vector<Target>& targets,
                                const std::vector<store::Ban>& bans) {
  std::set<std::string> wanted;
  for (const Target& target : targets) {
    wanted.insert(target.of);
    for (const auto& [kind, digest] : target.hashes)
      if (kind == hash::Kind::sha256) wanted.insert("sha256:" + digest);
  }
  std::set<std::string> lifted;
  for (const store::Ban& ban : bans)
    if (wanted.contains(ban.of) || wanted.contains(ban.kind + ':' + ban.digest))
      lifted.insert(ban.of);
  return lifted;
}

std::string why_object(const std::string& why) {
  return json::serialize(json::object{{"why", why}});
}

// Gives how many bans were lifted.
Result<std::size_t> apply(OpenedStore& opened, const BanOptions& options,
                          const std::vector<Target>& targets, const Clock& clock) {
  BanChange change;
  TRY(change_bans(*opened.store, opened.data, clock, [&](const std::vector<store::Ban>& bans) {
    if (options.undo) {
      const std::set<std::string> lifted = lifted_by(targets, bans);
      change.lifted.assign(lifted.begin(), lifted.end());
    } else {
      for (const Target& target : targets)
        for (const auto& [kind, digest] : target.hashes)
          change.added.push_back({target.of, std::string(hash::name(kind)), digest, actor(),
                                  options.why, clock.now()});
    }
    return change;
  }));
  for (const std::string& of : change.lifted)
    TRY(record_action(*opened.store, "unban", of, why_object(options.why), clock.now()));
  if (!options.undo)
    for (const Target& target : targets)
      TRY(record_action(*opened.store, "ban", target.of, why_object(options.why), clock.now()));
  return change.lifted.size();
}

void tell(const BanOptions& options, const Target& target) {
  const std::size_t exact = exact_hashes(target), near = target.hashes.size() - exact;
  if (options.json) {
    json::object object{{"what", target.said},
                        {"banned", target.of},
                        {"digests", exact},
                        {"perceptual_hashes", near}};
    if (!target.why_not.empty()) object["only_exact_because"] = target.why_not;
    std::printf("%s\n", json::serialize(object).c_str());
    return;
  }
  std::printf("%s: banned, by %zu digests and %zu perceptual hashes.\n", target.said.c_str(), exact,
              near);
  if (!target.why_not.empty())
    std::fprintf(stderr, "Warning: %s: only exact copies are kept out: %s\n", target.said.c_str(),
                 target.why_not.c_str());
  if (target.is_stored)
    std::printf("  What is stored stays until it is deleted or purged in Lemmy.\n");
}

}  // namespace

Result<int> ban_command(const BanOptions& options) {
  static const SystemClock clock;
  log::set_level(log::Level::error);
  if (options.what.empty() && options.hashes.empty())
    return fail(Fault::client,
                "say what: files, aliases, or --hash sha256:… (also sha1:, md5:, pdq:)");
  OpenedStore opened = TRY(open_store(options.config, clock));
  std::vector<Target> targets;
  for (const std::string& text : options.hashes) targets.push_back(TRY(of_hash(text)));
  if (!options.what.empty()) {
    Banner banner(opened, clock, options);
    for (const std::string& text : options.what) targets.push_back(TRY(banner.of_picture(text)));
  }
  const std::size_t lifted = TRY(apply(opened, options, targets, clock));
  if (options.undo) {
    if (options.json)
      std::printf("%s\n", json::serialize(json::object{{"lifted", lifted}}).c_str());
    else if (lifted > 0)
      std::printf("%zu bans lifted. A running gate forgets them within a second.\n", lifted);
    if (lifted == 0) std::fprintf(stderr, "portcullis: nothing of that was banned\n");
    return lifted > 0 ? 0 : 1;
  }
  for (const Target& target : targets) tell(options, target);
  if (!options.json) std::puts("A running gate uses it within a second.");
  warn_if_unused(opened.config, TRY(opened.store->lists()), kBanned);
  return 0;
}

}  // namespace portcullis::app

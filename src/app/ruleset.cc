#include "app/ruleset.h"

#include <thread>

#include "base/log.h"

namespace portcullis::app {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kLongestPolicy = 1024 * 1024;

decoder::Limits limits_from(const config::MediaKindLimits& from) {
  return {from.max_width, from.max_height, from.max_area, from.max_file_size, from.max_frame_count};
}

// As patterns of a policy are compared with it (policy::fits).
std::string name_and_tag(const store::HashListRow& row) {
  return row.tag.empty() ? row.name : row.name + '#' + row.tag;
}

std::string name_and_tag(const scan::NamedList& list) {
  return list.tag.empty() ? list.name : list.name + '#' + list.tag;
}

}  // namespace

std::size_t threads_or_cores(std::size_t configured) {
  return configured ? configured : std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

policy::Vocabulary vocabulary(const config::Config& config,
                              const std::vector<store::HashListRow>& rows) {
  policy::Vocabulary known;
  known.service_labels = service_labels(config);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(config.inference.models, error)) {
    if (!entry.is_directory()) continue;
    const auto manifest = infer::load_manifest(entry.path());
    if (manifest) known.model_labels[entry.path().filename().string()] = manifest->labels;
  }
  for (const store::HashListRow& row : rows) known.lists.push_back(name_and_tag(row));
  return known;
}

RulesetLoader::RulesetLoader(config::Config config, DataFolder data, Pool& cpu, Pool& inference,
                             const Clock& clock)
    : config_(std::move(config)),
      data_(std::move(data)),
      cpu_(cpu),
      inference_(inference),
      clock_(clock) {}

std::shared_ptr<infer::Model> RulesetLoader::model(const std::string& name, bool fresh,
                                                   std::string& why) {
  if (fresh) models_.erase(name);
  if (const auto found = models_.find(name); found != models_.end()) return found->second;
  auto loaded = infer::Model::load(config_.inference.models / name,
                                   {.threads = threads_or_cores(config_.inference.threads)});
  if (!loaded) {
    why = loaded.error().what;
    problems_.push_back(fmt::format("model {}: {}", name, why));
    return nullptr;
  }
  return models_[name] = std::move(*loaded);
}

std::vector<scan::NamedList> RulesetLoader::open_lists(const std::vector<store::HashListRow>& rows,
                                                       bool fresh) {
  const auto before = fresh ? decltype(lists_)() : std::move(lists_);
  lists_.clear();
  std::vector<scan::NamedList> lists;
  for (const store::HashListRow& row : rows) {
    scan::NamedList list{.name = row.name,
                         .list = nullptr,
                         .why = {},
                         .tag = row.tag,
                         .radius = static_cast<int>(row.radius),
                         .min_quality = static_cast<int>(row.min_quality),
                         .observe = row.observe};
    if (row.max_age.count() > 0) list.good_until = row.checked + row.max_age;
    if (const auto found = before.find(row.version); found != before.end()) {
      list.list = found->second;
    } else {
      auto opened = hash::HashList::open((data_.lists() / row.file).string());
      if (opened && opened->version().hex() != row.version)
        opened =
            fail(Fault::storage, "its file is not the version that was added: add the list again");
      if (opened)
        list.list = std::make_shared<const hash::HashList>(std::move(*opened));
      else
        problems_.push_back(fmt::format("list {}: {}", row.name, list.why = opened.error().what));
    }
    if (list.list) lists_.emplace(row.version, list.list);
    lists.push_back(std::move(list));
  }
  return lists;
}

Result<std::shared_ptr<const scan::Ruleset>> RulesetLoader::load(
    const std::vector<store::HashListRow>& rows, bool fresh) {
  problems_.clear();
  const Bytes text = TRY(read_file(config_.policy.string(), kLongestPolicy));
  policy::Policy parsed =
      TRY(policy::Policy::parse(as_text(text), config_.policy.string(), vocabulary(config_, rows)));
  image::Rules rules{TRY(image::formats_from(config_.media.formats)),
                     limits_from(config_.media.image), limits_from(config_.media.animation),
                     limits_from(config_.media.video)};
  rules.allow_audio = config_.media.allow_audio;
  const std::vector<scan::NamedList> lists = open_lists(rows, fresh);
  services_.configure(config_.services);

  std::vector<std::shared_ptr<const scan::Signal>> signals;
  for (const policy::SignalDefinition& definition : parsed.signals()) {
    if (definition.kind == policy::SignalKind::list) {
      std::vector<scan::NamedList> chosen;
      for (const scan::NamedList& list : lists)
        if (std::ranges::any_of(definition.lists, [&](const std::string& pattern) {
              return policy::fits(pattern, name_and_tag(list));
            }))
          chosen.push_back(list);
      signals.push_back(scan::list_signal(definition, std::move(chosen), cpu_, clock_));
    } else if (definition.kind == policy::SignalKind::service) {
      OutsideServices::Found found = services_.find(definition.service);
      if (!found.service) problems_.push_back(found.why);
      signals.push_back(
          services::signal(definition, std::move(found.service), std::move(found.why)));
    } else {
      std::string why;
      auto loaded = model(definition.model, fresh, why);
      signals.push_back(scan::classifier_signal(definition, std::move(loaded), std::move(why),
                                                inference_, clock_, config_.inference.timeout));
    }
  }
  for (const policy::Lint& lint : parsed.lints())
    log::warning("policy", {{"where", lint.where}, {"why", lint.what}});
  for (const std::string& problem : problems_)
    log::error("a signal cannot answer", {{"why", problem}});
  std::string digest = scan::ruleset_digest(parsed, signals);
  return std::make_shared<const scan::Ruleset>(
      scan::Ruleset{std::move(parsed), std::move(signals), std::move(rules), std::move(digest)});
}

}  // namespace portcullis::app

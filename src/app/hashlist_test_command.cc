#include <fcntl.h>

#include <boost/json.hpp>
#include <cstdio>

#include "app/commands.h"
#include "app/hashlist.h"
#include "app/known_picture.h"
#include "app/list_install.h"
#include "base/log.h"

namespace portcullis::app {

namespace json = boost::json;

namespace {

enum Exit { none = 0, some = 1, not_known = 2 };

struct OpenedList {
  store::HashListRow row;
  Result<hash::HashList> list;
};

struct Match {
  const store::HashListRow* row;
  std::optional<int> distance;  // none: exact
};

struct Tested {
  std::string file;
  std::vector<Match> matches;
  std::string why_not;  // something could not be looked at
};

Tested test(PictureReader& reader, const std::vector<OpenedList>& lists, const std::string& file) {
  Tested tested{file, {}, {}};
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    tested.why_not = std::generic_category().message(errno);
    return tested;
  }
  const auto picture = reader.look(fd.get(), false);
  if (!picture) {
    tested.why_not = picture.error().what;
    return tested;
  }
  for (const OpenedList& one : lists) {
    if (!one.list) {
      tested.why_not = fmt::format("list {}: {}", one.row.name, one.list.error().what);
      continue;
    }
    if (one.list->contains(picture->digests)) {
      tested.matches.push_back({&one.row, std::nullopt});
      continue;
    }
    if (one.list->count(hash::Kind::pdq) == 0) continue;
    if (!picture->why_not.empty()) tested.why_not = picture->why_not;
    std::optional<int> least;
    for (const hash::Dihedral& print : picture->fingerprints) {
      const auto near = one.list->nearest(print, static_cast<int>(one.row.radius),
                                          static_cast<int>(one.row.min_quality));
      if (near && (!least || near->distance < *least)) least = near->distance;
    }
    if (least) tested.matches.push_back({&one.row, least});
  }
  return tested;
}

json::object as_json(const Tested& tested) {
  json::array matches;
  for (const Match& match : tested.matches) {
    json::object object{{"list", match.row->name},
                        {"exact", !match.distance},
                        {"mode", match.row->observe ? "observe" : "enforce"},
                        {"tag", match.row->tag}};
    if (match.distance) object["distance"] = *match.distance;
    matches.push_back(std::move(object));
  }
  json::object object{{"file", tested.file}, {"matches", std::move(matches)}};
  if (!tested.why_not.empty()) object["unanswered"] = tested.why_not;
  return object;
}

}  // namespace

Result<int> hashlist_test_command(const ListOptions& options) {
  static const SystemClock clock;
  log::set_level(log::Level::error);
  OpenedStore opened = TRY(open_store(options.config, clock));
  std::vector<OpenedList> lists;
  for (store::HashListRow& row : TRY(opened.store->lists())) {
    auto list = hash::HashList::open((opened.data.lists() / row.file).string());
    lists.push_back({std::move(row), std::move(list)});
  }
  PictureReader reader(opened.config, clock);
  std::vector<std::vector<std::string>> lines{{"FILE", "LIST", "MATCH", "MODE", "TAG"}};
  Exit exit = none;
  for (const std::string& file : options.files) {
    const Tested tested = test(reader, lists, file);
    exit = std::max(exit, !tested.why_not.empty()  ? not_known
                          : tested.matches.empty() ? none
                                                   : some);
    if (options.json) {
      std::printf("%s\n", json::serialize(as_json(tested)).c_str());
      continue;
    }
    for (const Match& match : tested.matches)
      lines.push_back({file, match.row->name,
                       match.distance ? fmt::format("near, distance {}", *match.distance) : "exact",
                       match.row->observe ? "observe" : "enforce",
                       match.row->tag.empty() ? "-" : match.row->tag});
    if (!tested.why_not.empty())
      lines.push_back({file, "-", "not known: " + tested.why_not, "-", "-"});
    else if (tested.matches.empty())
      lines.push_back({file, "-", "none", "-", "-"});
  }
  if (!options.json) std::fputs(table(lines).c_str(), stdout);
  return exit;
}

}  // namespace portcullis::app

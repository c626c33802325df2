// Meta ThreatExchange's threat_updates as JSON ({"data": [...], "paging": {...}}, or the bare array
// that HMA's exchanges write), and HMA's file exchange, `<type> <signal>` a line.
#include <map>

#include "hash/json_text.h"
#include "hash/list_reader.h"

namespace portcullis::hash {

namespace {

// Digests of videos are digests of the uploaded bytes like any other.
const std::map<std::string, Kind, std::less<>> kKinds = {
    {"hash_pdq", Kind::pdq},
    {"hash_md5", Kind::md5},
    {"hash_sha1", Kind::sha1},
    {"hash_sha256", Kind::sha256},
    {"hash_video_md5", Kind::md5},
    {"hash_video_sha256", Kind::sha256},
    {"pdq", Kind::pdq},
    {"md5", Kind::md5},
    {"sha1", Kind::sha1},
    {"sha256", Kind::sha256},
    {"video_md5", Kind::md5},
    {"video_sha256", Kind::sha256},
};

std::optional<Kind> kind_of(std::string_view type) {
  const auto found = kKinds.find(ascii_lower(type));
  return found == kKinds.end() ? std::nullopt : std::optional(found->second);
}

class Records final : public JsonSink {
 public:
  Records(Feed& feed, std::string_view source) : feed_(feed), source_(source) {}

  void scalar(const JsonPath& path, std::string_view text) override {
    if (path.size() < 2 || !is_record(path, path.size() - 1)) return;
    const std::string& key = path.back();
    if (key == "type" || key == "signal_type") type_ = text;
    if (key == "indicator" || key == "signal" || key == "hash") indicator_ = text;
    if (key == "should_delete") should_delete_ = text == "true" || text == "1";
  }
  void object_begins(const JsonPath& path) override {
    if (!is_record(path, path.size())) return;
    type_.clear();
    indicator_.clear();
    should_delete_ = false;
  }
  void object_ends(const JsonPath& path) override {
    if (!is_record(path, path.size())) return;
    const Place place{source_, ++number_, false};
    const auto kind = kind_of(type_);
    if (!kind)
      feed_.count_foreign();
    else if (should_delete_)
      feed_.withdraw(*kind, indicator_);
    else
      feed_.add(*kind, indicator_, place);
  }

 private:
  static bool is_record(const JsonPath& path, std::size_t depth) {
    return (depth == 1 && path[0] == "[]") || (depth == 2 && path[0] == "data" && path[1] == "[]");
  }

  Feed& feed_;
  std::string_view source_;
  std::size_t number_ = 0;
  std::string type_, indicator_;
  bool should_delete_ = false;
};

class Paging final : public JsonSink {
 public:
  void scalar(const JsonPath& path, std::string_view text) override {
    if (path == JsonPath{"paging", "next"}) next_ = text;
  }
  std::string& next() { return next_; }

 private:
  std::string next_;
};

bool is_json(std::string_view text) {
  text = trim(without_byte_order_mark(text));
  return text.starts_with('{') || text.starts_with('[');
}

Status read_lines(std::string_view text, Feed& feed, std::string_view source) {
  for (Place place{source, 1}; !text.empty(); ++place.number) {
    const std::string_view line = take_line(text);
    if (line.empty() || line.starts_with('#')) continue;
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos)
      return fail_at(place, "a line is a type, a blank and a hash, e.g. `pdq d8f8…`");
    if (const auto kind = kind_of(line.substr(0, blank)))
      feed.add(*kind, trim(line.substr(blank)), place);
    else
      feed.count_foreign();
  }
  return {};
}

}  // namespace

Result<ParsedList> parse_threatexchange(std::span<const std::string_view> pages,
                                        std::string_view source) {
  Feed feed;
  for (const std::string_view page : pages) {
    const std::string_view text = without_byte_order_mark(page);
    if (!is_json(text)) {
      TRY(read_lines(text, feed, source));
      continue;
    }
    Records records(feed, source);
    TRY(read_json(text, records, source));
  }
  return feed.finish(source);
}

Result<std::string> next_page_of_threatexchange(std::string_view page, std::string_view source) {
  Paging paging;
  if (is_json(page)) TRY(read_json(without_byte_order_mark(page), paging, source));
  return std::move(paging.next());
}

}  // namespace portcullis::hash

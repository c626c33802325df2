// StopNCII: JSON of FetchHashes, or a table with the same names as header.
#include <algorithm>

#include "hash/csv_rows.h"
#include "hash/json_text.h"
#include "hash/list_reader.h"

namespace portcullis::hash {

namespace {

std::optional<Kind> kind_of(std::string_view type) {
  const std::string lower = ascii_lower(type);
  if (lower == "imagepdq") return Kind::pdq;
  if (lower == "videomd5" || lower == "imagemd5") return Kind::md5;
  return std::nullopt;
}

// A state that is not known counts as active: it may be a new name for one.
bool is_withdrawn(std::string_view state) {
  const std::string lower = ascii_lower(state);
  return lower == "withdrawn" || lower == "deleted";
}

struct Record {
  std::string type, hash, state;
};

void take(Feed& feed, const Record& record, const Place& place) {
  const auto kind = kind_of(record.type);
  if (!kind)
    feed.count_foreign();
  else if (is_withdrawn(record.state))
    feed.withdraw(*kind, record.hash);
  else
    feed.add(*kind, record.hash, place);
}

class Records final : public JsonSink {
 public:
  Records(Feed& feed, std::string_view source) : feed_(feed), source_(source) {}

  void scalar(const JsonPath& path, std::string_view text) override {
    if (path.size() < 2 || !is_record(path, path.size() - 1)) return;
    const std::string& key = path.back();
    if (key == "signalType") record_.type = text;
    if (key == "hashValue") record_.hash = text;
    if (key == "hashStatus") record_.state = text;
  }
  void object_begins(const JsonPath& path) override {
    if (is_record(path, path.size())) record_ = {};
  }
  void object_ends(const JsonPath& path) override {
    if (is_record(path, path.size())) take(feed_, record_, {source_, ++number_, false});
  }

 private:
  static bool is_record(const JsonPath& path, std::size_t depth) {
    return (depth == 1 && path[0] == "[]") ||
           (depth == 2 && path[0] == "hashRecords" && path[1] == "[]");
  }

  Feed& feed_;
  std::string_view source_;
  std::size_t number_ = 0;
  Record record_;
};

class Paging final : public JsonSink {
 public:
  void scalar(const JsonPath& path, std::string_view text) override {
    if (path == JsonPath{"nextPageToken"}) token_ = text == "null" ? "" : text;
    if (path == JsonPath{"hasMoreRecords"}) has_more_ = text == "true";
  }
  std::string token() const { return has_more_ ? token_ : std::string(); }

 private:
  std::string token_;
  bool has_more_ = false;
};

bool is_json(std::string_view text) {
  text = trim(text);
  return text.starts_with('{') || text.starts_with('[');
}

Status read_table(std::string_view text, Feed& feed, std::string_view source) {
  CsvRows rows(text);
  std::vector<std::string> fields;
  const auto next = [&]() -> Result<bool> {
    auto row = rows.next(fields);
    if (!row) return fail_at({source, rows.line()}, "{}", row.error().what);
    return row;
  };
  if (!TRY(next())) return {};
  const auto column = [&](std::string_view name) -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (ascii_lower(fields[i]) == name) return i;
    return std::nullopt;
  };
  const auto type = column("signaltype"), hash = column("hashvalue"), state = column("hashstatus");
  if (!type || !hash || !state)
    return fail_at({source, rows.line()},
                   "the first line must name the columns, signalType, hashValue and hashStatus "
                   "among them");
  while (TRY(next())) {
    const Place place{source, rows.line()};
    if (fields.size() <= std::max({*type, *hash, *state}))
      return fail_at(place, "this row has {} columns, too few for those the first line names",
                     fields.size());
    take(feed, {fields[*type], fields[*hash], fields[*state]}, place);
  }
  return {};
}

}  // namespace

Result<ParsedList> parse_stopncii(std::span<const std::string_view> pages,
                                  std::string_view source) {
  Feed feed;
  for (const std::string_view page : pages) {
    const std::string_view text = without_byte_order_mark(page);
    if (!is_json(text)) {
      TRY(read_table(text, feed, source));
      continue;
    }
    Records records(feed, source);
    TRY(read_json(text, records, source));
  }
  return feed.finish(source);
}

Result<std::string> next_page_of_stopncii(std::string_view page, std::string_view source) {
  Paging paging;
  const std::string_view text = without_byte_order_mark(page);
  if (is_json(text)) TRY(read_json(text, paging, source));
  return paging.token();
}

}  // namespace portcullis::hash

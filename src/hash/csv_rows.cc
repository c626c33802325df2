#include "hash/csv_rows.h"

#include "base/bytes.h"

namespace portcullis::hash {

void CsvRows::skip_what_says_nothing() {
  while (!text_.empty()) {
    const auto end = text_.find('\n');
    const std::string_view line = trim(text_.substr(0, end));
    if (!line.empty() && !line.starts_with('#')) return;
    text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
    ++lines_read_;
  }
}

// After the opening quote; ends behind the closing one.
Result<std::string> CsvRows::quoted() {
  std::string field;
  while (true) {
    const auto quote = text_.find('"');
    if (quote == std::string_view::npos || quote + field.size() > kLongestField)
      return fail(Fault::client, "a quote is opened and not closed within {} bytes", kLongestField);
    field += text_.substr(0, quote);
    text_.remove_prefix(quote + 1);
    if (!text_.starts_with('"')) return field;
    field += '"';
    text_.remove_prefix(1);
  }
}

Result<bool> CsvRows::next(std::vector<std::string>& fields) {
  fields.clear();
  skip_what_says_nothing();
  line_ = lines_read_ + 1;
  if (text_.empty()) return false;
  while (true) {
    if (fields.size() == kMostFields)
      return fail(Fault::client, "there are more than {} columns", kMostFields);
    while (text_.starts_with(' ') || text_.starts_with('\t')) text_.remove_prefix(1);
    std::string field;
    if (text_.starts_with('"')) {
      text_.remove_prefix(1);
      field = TRY(quoted());
      for (const char c : field) lines_read_ += c == '\n' ? 1 : 0;
    }
    const auto end = std::min(text_.find_first_of(",\n"), text_.size());
    if (end > kLongestField)
      return fail(Fault::client, "a field is longer than {} bytes", kLongestField);
    field += trim(text_.substr(0, end));
    fields.push_back(std::move(field));
    text_.remove_prefix(end);
    if (!text_.starts_with(',')) break;
    text_.remove_prefix(1);
  }
  if (!text_.empty()) text_.remove_prefix(1);
  ++lines_read_;
  return true;
}

}  // namespace portcullis::hash
